//! From commands to events.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::oneshot;
use umbra_core::cluster::{AuditDemand, Event, Existing, Outcome};
use umbra_core::fault::Fault;
use umbra_core::ids::{AuditId, PackId, PackIndex, WorkerId};
use umbra_core::lifecycle::AuditState;
use umbra_core::memory::least_memory;
use umbra_proto::store::v1 as stored;
use umbra_proto::v1;
use umbra_proto::v1::connect_request::Message as Said;

use super::command::{Command, SubmitError};
use super::member::Member;
use super::records::{core_fence, decode};
use super::sessions::Outbox;
use super::term::{Term, TermEnd};
use super::wire;
use crate::facts::{AuditFacts, DatasetFacts};
use crate::keys;
use crate::store::{MAX_OPS, Op};

impl Term {
    /// Does what a command asks.
    pub async fn handle(&mut self, command: Command) -> Result<(), TermEnd> {
        match command {
            Command::Numerics { reply } => answer(reply, self.numerics()),
            Command::Submit { facts, numerics, existing, reply } => {
                let taken = self.submit(facts, numerics, existing).await?;
                answer(reply, taken);
            }
            Command::Facts { audit, reply } => {
                let state = self.cluster.audit(&audit).map(|status| status.state);
                let known = self.audits.get(&audit).map(|entry| &entry.task);
                let facts = known.zip(state);
                answer(reply, facts.map(|(task, state)| (task.facts.clone(), task.numerics.clone(), state)));
            }
            Command::Cancel { audit, reply } => {
                let before = self.cluster.audit(&audit).map(|status| status.state);
                self.touch(&audit);
                self.step(Event::CancelAsked { audit }).await?;
                answer(reply, before);
            }
            Command::Delete { audit, reply } => self.delete(audit, reply).await?,
            Command::Swept { audit } => self.swept(&audit),
            Command::Kept { reply } => answer(reply, self.kept()),
            Command::Collect { candidates, reply } => answer(reply, self.collect(candidates).await?),
            Command::Forget { entries, reply } => answer(reply, self.forget(entries).await?),
            Command::Register { dataset, reply } => {
                let taken = self.register(dataset).await?;
                answer(reply, taken);
            }
            Command::Unregister { dataset, reply } => {
                let taken = self.unregister(dataset).await?;
                answer(reply, taken);
            }
            Command::Backup { reply } => {
                let taken = self.backup().await?;
                answer(reply, taken);
            }
            Command::Fence { fence, reply } => answer(reply, self.allowance(fence)),
            Command::Glance { reply } => answer(reply, self.glance()),
            Command::DrainWorker { worker, reply } => {
                let drained = self.drain_worker(worker).await?;
                answer(reply, drained);
            }
            Command::Workers { after, most, reply } => answer(reply, self.workers(after.as_ref(), most)),
            Command::Join { worker, session, hello, out } => {
                self.join(worker, session, *hello, out).await?;
            }
            Command::Say { worker, session, message } => {
                if self.sessions.is_current(&worker, session) {
                    self.say(worker, message).await?;
                }
            }
            Command::Part { worker, session } => {
                if self.sessions.is_current(&worker, session) {
                    tracing::info!(%worker, "worker's session ended");
                    self.sessions.close(&worker);
                    self.step(Event::WorkerGone { worker }).await?;
                }
            }
            Command::Ingested { pack, fence, outcome } => self.ingested(pack, fence, outcome).await?,
            Command::Provisional { audit, figures } => {
                if let Some(entry) = self.audits.get_mut(&audit) {
                    entry.provisional = Some(figures);
                }
                self.touch(&audit);
            }
            Command::Analysed { audit, outcome } => self.analysed(audit, outcome).await?,
        }
        Ok(())
    }

    /// The configured class, unless workers are connected and none of them offers it: then the class
    /// that most slots prefer, the first by name among equals. Slots that are lost have no say.
    fn numerics(&self) -> String {
        let configured = &self.shell.config.numerics;
        let mut preferred = std::collections::BTreeMap::<String, u32>::new();
        for worker in self.cluster.workers().filter(|worker| worker.connected && worker.lost < worker.slots) {
            if worker.numerics.contains(configured) {
                return configured.clone();
            }
            if let Some(first) = worker.numerics.first() {
                *preferred.entry(first.clone()).or_default() += worker.slots - worker.lost;
            }
        }
        let most = preferred.iter().rev().max_by_key(|(_, slots)| **slots);
        most.map_or_else(|| configured.clone(), |(class, _)| class.clone())
    }

    async fn submit(
        &mut self,
        facts: Arc<AuditFacts>,
        numerics: String,
        existing: Vec<(PackIndex, Existing)>,
    ) -> Result<Result<AuditId, SubmitError>, TermEnd> {
        let id = facts.id.clone();
        if self.is_going(&id) {
            return Ok(Err(SubmitError::Going));
        }
        if self.audits.contains_key(&id) {
            return Ok(Ok(id));
        }
        let same = |entry: &&super::term::Entry| entry.task.facts.request_id == facts.request_id;
        if let Some(other) = self.audits.values().find(same) {
            return Ok(Err(SubmitError::RequestTaken(other.task.facts.id.clone())));
        }
        let registered = self.dataset(&facts.dataset).await?;
        if registered.is_none_or(|registered| registered.digest != facts.dataset.digest) {
            return Ok(Err(SubmitError::DatasetGone));
        }
        let existing = self.lasting(existing);
        let placement = facts.spec.placement();
        let demand = AuditDemand {
            packs: facts.plan.packs.len() as u32,
            numerics: numerics.clone(),
            priority: placement.priority(),
            weight: placement.weight(),
            max_slots: placement.max_slots().unwrap_or(0),
            memory_bytes: least_memory(&facts.spec, &facts.dataset.shape),
        };
        let request: Bytes = facts.to_stored().encode_to_vec().into();
        let extra = vec![Op::Put { key: keys::request(&id), value: request }];
        let results = existing.iter().filter(|(_, existing)| matches!(existing, Existing::Result(_))).count();
        let weights = existing.len() - results;
        tracing::info!(audit = %id, packs = demand.packs, numerics, reused = results, weights, "take audit");
        self.add(facts, numerics, results, existing.iter().map(|(_, existing)| existing.key().to_owned()));
        let existing = existing.into_iter().collect();
        self.step_with(Event::AuditSubmitted { audit: id.clone(), demand, existing }, extra, &[]).await?;
        Ok(Ok(id))
    }

    async fn dataset(&self, dataset: &DatasetFacts) -> Result<Option<DatasetFacts>, TermEnd> {
        let key = keys::dataset(&dataset.name);
        let Some(value) = self.read(&key).await? else { return Ok(None) };
        let damaged = |error: super::records::Damaged| TermEnd::Damaged(error.into());
        let stored = decode::<stored::StoredDataset>(&key, &value.bytes).map_err(damaged)?;
        Ok(DatasetFacts::from_stored(&stored).ok())
    }

    async fn register(&mut self, dataset: DatasetFacts) -> Result<DatasetFacts, TermEnd> {
        if let Some(existing) = self.dataset(&dataset).await? {
            return Ok(existing);
        }
        tracing::info!(dataset = %dataset.name, digest = %dataset.digest, "register data set");
        let value: Bytes = dataset.to_stored().encode_to_vec().into();
        self.commit(vec![Op::Put { key: keys::dataset(&dataset.name), value }]).await?;
        Ok(dataset)
    }

    async fn unregister(&mut self, dataset: DatasetFacts) -> Result<Result<(), AuditId>, TermEnd> {
        let named = self.audits.values().find(|entry| entry.task.facts.dataset.name == dataset.name);
        if let Some(entry) = named {
            return Ok(Err(entry.task.facts.id.clone()));
        }
        // Another one may have taken the name since the asker looked.
        if self.dataset(&dataset).await?.is_some_and(|registered| registered.digest == dataset.digest) {
            tracing::info!(dataset = %dataset.name, digest = %dataset.digest, "forget data set");
            self.commit(vec![Op::Delete { key: keys::dataset(&dataset.name) }]).await?;
        }
        Ok(Ok(()))
    }

    async fn join(
        &mut self,
        worker: WorkerId,
        session: u64,
        hello: v1::Hello,
        out: Outbox,
    ) -> Result<(), TermEnd> {
        tracing::info!(%worker, slots = hello.slots, running = hello.running.len(), "worker joined");
        let member = match Member::try_new(&hello, self.shell.clock.unix_ms()) {
            Ok(member) => member,
            Err(error) => return self.cut_off(&worker, &error).await,
        };
        let lost = member.lost_slots();
        self.sessions.open(worker.clone(), session, out, member);
        let welcome = v1::Welcome {
            lease_milliseconds: u32::try_from(self.shell.config.cluster.lease_ms).unwrap_or(u32::MAX),
            version: self.shell.config.version.clone(),
        };
        self.sessions.send(&worker, v1::connect_response::Message::Welcome(welcome));
        self.introductions.note(&worker, &hello);
        let running = hello.running.clone();
        self.note_devices(&worker);
        match wire::joined(worker.clone(), hello, lost) {
            Ok(event) => self.step(event).await?,
            Err(error) => self.cut_off(&worker, &error).await?,
        }
        self.note(&running);
        Ok(())
    }

    async fn say(&mut self, worker: WorkerId, message: Said) -> Result<(), TermEnd> {
        match message {
            Said::Hello(_) => self.cut_off(&worker, &"a second hello in one session").await,
            Said::Heartbeat(heartbeat) if heartbeat.running.len() > wire::MAX_RUNNING => {
                self.cut_off(&worker, &"a heartbeat of more packs than a worker holds").await
            }
            Said::Heartbeat(heartbeat) => {
                // First, so that nothing that comes free is given to a slot that is lost.
                self.hear_devices(&worker, &heartbeat.devices).await?;
                for running in &heartbeat.running {
                    match wire::pack_id(&running.audit_id, running.pack) {
                        Ok(pack) => {
                            let facts = self.audits.get(&pack.audit).map(|entry| &*entry.task.facts);
                            self.step(wire::running(worker.clone(), pack, running, facts)).await?;
                        }
                        Err(error) => return self.cut_off(&worker, &error).await,
                    }
                }
                self.note(&heartbeat.running);
                Ok(())
            }
            Said::Checkpointed(said) => match wire::checkpointed(worker.clone(), said) {
                Ok(event) => {
                    note_checkpoint(&event);
                    self.go_on(event).await
                }
                Err(error) => self.cut_off(&worker, &error).await,
            },
            Said::Report(report) => match wire::reported(worker.clone(), report) {
                Ok(event) => {
                    self.note_report(&event);
                    self.go_on(event).await
                }
                Err(error) => self.cut_off(&worker, &error).await,
            },
            Said::Draining(_) => self.step(Event::DrainAsked { worker }).await,
            Said::Bye(_) => {
                tracing::info!(%worker, "worker left");
                self.sessions.close(&worker);
                self.step(Event::WorkerLeft { worker }).await
            }
        }
    }

    /// A step that may bring a pack a newer checkpoint.
    async fn go_on(&mut self, event: Event) -> Result<(), TermEnd> {
        let (Event::Progress { pack, .. } | Event::Reported { pack, .. }) = &event else {
            return self.step(event).await;
        };
        let pack = pack.clone();
        let before = self.checkpoint(&pack);
        self.step(event).await?;
        self.drop_superseded(&pack, before);
        Ok(())
    }

    fn note_report(&mut self, event: &Event) {
        let Event::Reported { worker, pack, fence, outcome } = event else { return };
        let now = self.shell.clock.now();
        let live = self.cluster.live_fence(*fence).is_some_and(|(live, _)| live == *pack);
        if let (true, Outcome::Done(_), Some(entry)) = (live, outcome, self.audits.get_mut(&pack.audit)) {
            entry.chronicle.reported(now, worker);
        }
        self.touch_pack(pack);
    }

    fn note(&mut self, running: &[v1::RunningPack]) {
        let now = self.shell.clock.now();
        for running in running {
            let fence = core_fence(running.fence);
            let Ok(pack) = wire::pack_id(&running.audit_id, running.pack) else { continue };
            if self.cluster.live_fence(fence).is_some_and(|(live, _)| live == pack) {
                self.progress.note(now, &pack, fence, running);
            }
        }
    }

    pub(super) async fn cut_off(
        &mut self,
        worker: &WorkerId,
        why: &(dyn std::fmt::Display + Sync),
    ) -> Result<(), TermEnd> {
        tracing::warn!(%worker, %why, "cut off a worker");
        self.sessions.close(worker);
        self.step(Event::WorkerGone { worker: worker.clone() }).await
    }

    async fn ingested(
        &mut self,
        pack: PackId,
        fence: umbra_core::ids::Fence,
        outcome: Result<Vec<Op>, Fault>,
    ) -> Result<(), TermEnd> {
        let outcome = match outcome {
            // The index is true whatever becomes of the audit, so it goes first and by itself.
            Ok(index) => {
                for some in index.chunks(MAX_OPS) {
                    self.commit(some.to_vec()).await?;
                }
                self.progress.ingested(&pack);
                self.count_shadows(&pack);
                Ok(())
            }
            Err(fault) => {
                tracing::warn!(audit = %pack.audit, pack = pack.pack.0, fence = fence.0, %fault, "refuse result");
                Err(fault)
            }
        };
        self.touch_pack(&pack);
        self.step(Event::Ingested { pack: pack.clone(), fence, outcome }).await?;
        self.drop_leftovers(&pack);
        self.ask_provisional(&pack.audit);
        Ok(())
    }

    fn count_shadows(&self, pack: &PackId) {
        let entry = self.audits.get(&pack.audit);
        let planned = entry.and_then(|entry| entry.task.facts.plan.packs.get(pack.pack.0 as usize));
        let shadows = planned.map_or(0, |planned| planned.shadows.len() as u64);
        metrics::counter!("umbra_shadows_trained_total").increment(shadows);
    }

    async fn analysed(
        &mut self,
        audit: AuditId,
        outcome: Result<Vec<stored::StoredFile>, Fault>,
    ) -> Result<(), TermEnd> {
        let analysing =
            self.cluster.audit(&audit).is_some_and(|status| status.state == AuditState::Analysing);
        self.touch(&audit);
        match outcome {
            Ok(files) if analysing => {
                self.step_with(Event::Analysed { audit, outcome: Ok(()) }, Vec::new(), &files).await
            }
            Ok(_) => Ok(()),
            Err(fault) => {
                tracing::error!(%audit, %fault, "analysis failed");
                self.step(Event::Analysed { audit, outcome: Err(fault) }).await
            }
        }
    }
}

fn note_checkpoint(event: &Event) {
    let Event::Progress { worker, pack, fence, checkpoint: Some(checkpoint), .. } = event else { return };
    metrics::counter!("umbra_checkpoints_total").increment(1);
    tracing::info!(
        audit = %pack.audit, pack = pack.pack.0, fence = fence.0, %worker, step = checkpoint.step,
        "hear of checkpoint"
    );
}

/// Answers, unless the asker has gone.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    let _ = reply.send(value);
}
