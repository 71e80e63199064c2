//! One term: from reading the store to the first transaction that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use tracing::Instrument as _;
use umbra_core::cluster::{Action, AuditRecord, Cluster, Event, Record, RecordKey};
use umbra_core::ids::{AuditId, Millis, PackId};
use umbra_proto::store::v1 as stored;
use umbra_proto::v1;

use super::chronicle::{Begins, Chronicle, Introductions};
use super::deletion::Deletion;
use super::lived::Lived;
use super::load::{LoadError, Loaded};
use super::member::Warned;
use super::progress::Progress;
use super::queue::Queue;
use super::records::{encode, key_of};
use super::sessions::Sessions;
use super::show::{Extras, is_live, view};
use super::{spans, wire};
use crate::audit_task::AuditTask;
use crate::facts::AuditFacts;
use crate::shell::Shell;
use crate::store::{CommitError, Epoch, Key, Op, StoreError, Txn, Value};
use crate::{findings, ingest, keys};

/// Why a term ended.
pub enum TermEnd {
    /// The coordinator goes down.
    Drained,
    /// Another leads.
    Deposed,
    /// The store holds what cannot be read.
    Damaged(LoadError),
    /// The store failed, or may have: start again from what it holds.
    Reload(String),
}

/// One term of leadership.
pub struct Term {
    pub(super) shell: Arc<Shell>,
    pub(super) cluster: Cluster,
    pub(super) audits: BTreeMap<AuditId, Entry>,
    pub(super) sessions: Sessions,
    pub(super) progress: Progress,
    pub(super) queue: Queue,
    pub(super) introductions: Introductions,
    /// Lost slots that were logged.
    pub(super) warned: Warned,
    pub(super) deletions: BTreeMap<AuditId, Deletion>,
    pub(super) epoch: Epoch,
    /// When the store was restored; 0 if it never was.
    life: u64,
    lived: Lived,
    wake_at: Option<Millis>,
    /// Audits whose view may have changed.
    dirty: BTreeSet<AuditId>,
}

/// An audit in a term.
pub struct Entry {
    pub(super) task: Arc<AuditTask>,
    pub(super) provisional: Option<v1::Provisional>,
    pub(super) chronicle: Chronicle,
    /// The keys of results and weights of other audits that it began with.
    pub(super) reused: Vec<String>,
    /// Complete blocks the latest running figures were asked for.
    pub(super) provisional_asked: u32,
    ended: Option<u64>,
}

impl Entry {
    fn new(facts: Arc<AuditFacts>, numerics: String, ended: Option<u64>) -> Self {
        let task = Arc::new(AuditTask::new(facts, numerics));
        let chronicle = Chronicle::default();
        Self { task, provisional: None, chronicle, reused: Vec::new(), provisional_asked: 1, ended }
    }
}

impl Term {
    /// Restores the cluster and does again what the leader before may have left undone.
    pub async fn begin(shell: Arc<Shell>, epoch: Epoch, loaded: Loaded) -> Result<Self, TermEnd> {
        let mut audits = BTreeMap::new();
        for record in &loaded.records {
            let Record::Audit(AuditRecord { id, demand, .. }) = record else { continue };
            let Some(facts) = loaded.facts.get(id) else { continue };
            let end = loaded.ends.get(id).and_then(|end| u64::try_from(end.end_unix_milliseconds).ok());
            audits.insert(id.clone(), Entry::new(facts.clone(), demand.numerics.clone(), end));
        }
        let now = shell.clock.now();
        let (cluster, actions) = Cluster::restore(now, shell.config.cluster, loaded.records);
        let mut term = Self {
            shell,
            cluster,
            audits,
            sessions: Sessions::default(),
            progress: Progress::default(),
            queue: Queue::default(),
            introductions: Introductions::default(),
            warned: Warned::default(),
            deletions: BTreeMap::new(),
            epoch,
            life: loaded.life,
            lived: Lived::new(now),
            wake_at: None,
            dirty: BTreeSet::new(),
        };
        term.dirty = term.audits.keys().cloned().collect();
        let going = term.audits.keys().filter(|id| is_live(&term.cluster, id));
        going.for_each(|id| term.queue.add(id, now));
        term.carry_out(actions, Vec::new(), &[]).await?;
        Ok(term)
    }

    /// Notes that time passes, and says in how many milliseconds the scheduler wants to be woken. To be
    /// called several times a second.
    pub fn wake_in(&mut self) -> Option<u64> {
        let now = self.now();
        self.wake_at.map(|at| at.0.saturating_sub(now.0))
    }

    /// The scheduler's time.
    fn now(&mut self) -> Millis {
        self.lived.at(self.shell.clock.now())
    }

    /// Tells the scheduler that time has passed.
    pub async fn tick(&mut self) -> Result<(), TermEnd> {
        self.wake_at = None;
        self.step(Event::Tick).await
    }

    /// One event: step, commit, act.
    pub(super) async fn step(&mut self, event: Event) -> Result<(), TermEnd> {
        self.step_with(event, Vec::new(), &[]).await
    }

    /// One event, with records of the shell's own in the same transaction, and the files of the findings
    /// if it ends an audit.
    pub(super) async fn step_with(
        &mut self,
        event: Event,
        extra: Vec<Op>,
        files: &[stored::StoredFile],
    ) -> Result<(), TermEnd> {
        let now = self.now();
        let begun = std::time::Instant::now();
        let actions = self.cluster.step(now, event);
        metrics::histogram!("umbra_step_seconds").record(begun.elapsed());
        self.carry_out(actions, extra, files).await?;
        // A worker that could not be told what was decided must not be counted on until it is back.
        while let Some(worker) = self.sessions.next_cut_off() {
            let actions = self.cluster.step(now, Event::WorkerGone { worker });
            self.carry_out(actions, Vec::new(), &[]).await?;
        }
        Ok(())
    }

    async fn carry_out(
        &mut self,
        actions: Vec<Action>,
        mut ops: Vec<Op>,
        files: &[stored::StoredFile],
    ) -> Result<(), TermEnd> {
        let mut gone = Vec::new();
        let mut ended = Vec::new();
        for action in &actions {
            match action {
                Action::Put(record) => {
                    ops.push(Op::Put { key: key_of(&record.key()), value: encode(record) });
                    if let Record::Audit(audit) = record {
                        self.dirty.insert(audit.id.clone());
                        if audit.state.is_terminal() && !audit.deleting {
                            let now = self.shell.clock.unix_ms();
                            ops.push(Op::Put { key: keys::ended(&audit.id), value: end(now, files) });
                            ended.push((audit.id.clone(), now));
                        }
                    }
                }
                Action::Delete(key) => {
                    ops.push(Op::Delete { key: key_of(key) });
                    if let RecordKey::Audit(id) = key {
                        ops.push(Op::Delete { key: keys::request(id) });
                        ops.push(Op::Delete { key: keys::ended(id) });
                        gone.push(id.clone());
                    }
                }
                _ => {}
            }
        }
        self.commit(ops).await?;
        for (id, now) in ended {
            self.end(&id, now);
        }
        for id in gone {
            self.deleted(&id);
        }
        self.note_waiting(&actions);
        for action in actions {
            self.perform(action);
        }
        self.show_dirty();
        Ok(())
    }

    /// The value of a key.
    pub(super) async fn read(&self, key: &Key) -> Result<Option<Value>, TermEnd> {
        self.shell.store.get(key).await.map_err(|error| match error {
            StoreError::Unavailable(reason) => TermEnd::Reload(reason),
            error => TermEnd::Damaged(error.into()),
        })
    }

    /// Commits operations under this term's epoch; nothing is done for none.
    pub(super) async fn commit(&mut self, ops: Vec<Op>) -> Result<(), TermEnd> {
        if ops.is_empty() { Ok(()) } else { self.commit_all(ops).await }
    }

    /// Proves that this term is not over, by a transaction that changes nothing.
    pub(super) async fn prove_lead(&mut self) -> Result<(), TermEnd> {
        self.commit_all(Vec::new()).await
    }

    async fn commit_all(&mut self, ops: Vec<Op>) -> Result<(), TermEnd> {
        let started = self.shell.clock.now();
        let txn = Txn { ops, ..Txn::new(self.epoch) };
        let result = self.shell.store.commit(txn).await;
        let spent = self.shell.clock.now().0.saturating_sub(started.0) as f64 / 1000.0;
        metrics::histogram!("umbra_store_commit_seconds").record(spent);
        result.map(drop).map_err(|error| match error {
            CommitError::Deposed { .. } => TermEnd::Deposed,
            CommitError::Corrupt(reason) => TermEnd::Damaged(LoadError::Store(StoreError::Corrupt(reason))),
            error => TermEnd::Reload(error.to_string()),
        })
    }

    fn perform(&mut self, action: Action) {
        use v1::connect_response::Message;
        match action {
            Action::Put(_) | Action::Delete(_) => {}
            Action::Assign { slot, pack, fence, resume_from } => {
                let Some(entry) = self.audits.get_mut(&pack.audit) else { return };
                let step = resume_from.as_ref().map_or(0, |checkpoint| checkpoint.step);
                let again = self.progress.assigned(&pack, fence, step);
                let now = self.shell.clock.now();
                let begins = Begins::at(&pack, resume_from.as_ref());
                entry.chronicle.assigned(now, begins);
                if let Some(waited) = self.queue.assigned(&pack, now) {
                    metrics::histogram!("umbra_pack_queue_seconds").record(waited);
                }
                metrics::counter!("umbra_packs_assigned_total").increment(1);
                if begins == Begins::Checkpoint {
                    metrics::counter!("umbra_packs_resumed_total").increment(1);
                }
                metrics::counter!("umbra_steps_recomputed_total").increment(again);
                tracing::info!(
                    audit = %pack.audit, pack = pack.pack.0, fence = fence.0, %slot, resume_step = step,
                    steps_again = again, "assign pack"
                );
                let facts = &entry.task.facts;
                let trace = spans::assigned(facts, &pack, fence, &slot);
                let assign =
                    wire::assign(facts, &entry.task.numerics, &slot, &pack, fence, resume_from, trace);
                if let Some(assign) = assign {
                    self.sessions.send(&slot.worker, Message::Assign(assign));
                }
            }
            Action::Revoke { worker, pack, fence, reason } => {
                tracing::info!(audit = %pack.audit, pack = pack.pack.0, fence = fence.0, %worker, ?reason, "revoke pack");
                self.sessions.send(&worker, Message::Revoke(wire::revoke(&pack, fence, reason)));
            }
            Action::Acknowledge { worker, pack, fence } => {
                let acknowledge = v1::Acknowledge {
                    audit_id: pack.audit.to_string(),
                    pack: pack.pack.0,
                    fence: super::records::wire_fence(fence),
                };
                self.sessions.send(&worker, Message::Acknowledge(acknowledge));
            }
            Action::Refuse { worker, pack, fence } => {
                metrics::counter!("umbra_stale_fences_refused_total").increment(1);
                tracing::warn!(audit = %pack.audit, pack = pack.pack.0, fence = fence.0, %worker, "refuse stale fence");
            }
            Action::Ingest { pack, fence, result } => {
                let Some(entry) = self.audits.get(&pack.audit) else { return };
                let (shell, task) = (self.shell.clone(), entry.task.clone());
                let name = format!("ingest {pack}");
                let span = spans::ingest(&task.facts, &pack, fence);
                let work = async move { ingest::ingest(&shell, &task, pack, fence, result).await };
                self.shell.drain.spawn(name, work.instrument(span));
            }
            Action::Finish { audit } => {
                let Some(entry) = self.audits.get(&audit) else { return };
                let (shell, task) = (self.shell.clone(), entry.task.clone());
                let results = self.cluster.results(&audit).map(|(pack, result)| (pack, result.clone()));
                let results: Vec<_> = results.collect();
                let term = keys::term(self.life, self.epoch);
                let notes = entry.chronicle.notes(&self.introductions);
                tracing::info!(%audit, "analyse");
                let span = spans::analyse(&task.facts, &audit);
                let work = async move { findings::finish(&shell, &task, results, &term, notes).await };
                self.shell.drain.spawn(format!("analyse {audit}"), work.instrument(span));
            }
            Action::WakeAt(at) => self.wake_at = Some(at),
        }
    }

    fn end(&mut self, id: &AuditId, now: u64) {
        self.progress.forget(id);
        self.queue.forget(id);
        if let Some(entry) = self.audits.get_mut(id) {
            let task = &entry.task;
            task.over.cancel();
            tracing::info!(audit = %id, "audit ended");
            // What was derived for its tasks is dropped with the old entry.
            let provisional = entry.provisional.take();
            *entry = Entry::new(task.facts.clone(), task.numerics.clone(), Some(now));
            entry.provisional = provisional;
        }
    }

    /// Notes that an audit's view may have changed.
    pub(super) fn touch(&mut self, id: &AuditId) {
        self.dirty.insert(id.clone());
    }

    /// Notes that the audit of a pack may have changed.
    pub(super) fn touch_pack(&mut self, pack: &PackId) {
        self.dirty.insert(pack.audit.clone());
    }

    /// Adds an audit whose submission is about to be committed: so many results exist, and the blobs under these keys.
    pub(super) fn add(
        &mut self,
        facts: Arc<AuditFacts>,
        numerics: String,
        results: usize,
        reused: impl Iterator<Item = String>,
    ) {
        let id = facts.id.clone();
        self.dirty.insert(id.clone());
        self.queue.add(&id, self.shell.clock.now());
        let chronicle = Chronicle::new(results);
        let reused = reused.collect();
        self.audits.insert(id, Entry { chronicle, reused, ..Entry::new(facts, numerics, None) });
    }

    /// Shows every audit that is not over: its progress and its reason to wait change by themselves.
    pub fn refresh(&mut self) {
        let live = self.audits.keys().filter(|id| is_live(&self.cluster, id)).cloned();
        self.dirty.extend(live.collect::<Vec<_>>());
        self.show_dirty();
        self.gauge();
    }

    fn show_dirty(&mut self) {
        for id in std::mem::take(&mut self.dirty) {
            let (Some(entry), Some(status)) = (self.audits.get(&id), self.cluster.audit(&id)) else {
                continue;
            };
            let extras = Extras {
                numerics: &entry.task.numerics,
                totals: self.progress.totals(&id),
                outlook: self.outlook(&id),
                provisional: entry.provisional.as_ref(),
                ended: entry.ended,
            };
            self.shell.board.show(&id, view(&self.cluster, &entry.task.facts, &status, &extras));
        }
    }
}

impl Drop for Term {
    /// What this term began is of no use to the next one, which begins it again.
    fn drop(&mut self) {
        for entry in self.audits.values() {
            entry.task.over.cancel();
        }
    }
}

fn end(now: u64, files: &[stored::StoredFile]) -> Bytes {
    let end_unix_milliseconds = i64::try_from(now).unwrap_or(i64::MAX);
    stored::StoredEnd { end_unix_milliseconds, files: files.to_vec() }.encode_to_vec().into()
}
