//! What must hold between any two states, whatever happened: checked on every committed write.

use std::collections::{BTreeMap, BTreeSet};

use umbra_core::cluster::{Action, Cluster, Event, MAX_RECORDS, Outcome, PackRecord, Record, RecordKey};
use umbra_core::ids::{AuditId, Fence, Millis, PackId, WorkerId};
use umbra_core::lifecycle::{AuditState, PackPhase, PackState};

use crate::blobs::Blobs;

/// The records as they are stored.
pub type Store = BTreeMap<RecordKey, Record>;

/// What is known of an event before it happens.
pub struct Before {
    now: Millis,
    /// The worker whose word may end its own leases.
    worker: Option<WorkerId>,
    live: BTreeSet<Fence>,
    pack: Option<PackId>,
    /// The event speaks in the name of a fence that is not live.
    stale: bool,
    /// The event is a failure of the pack.
    failure: bool,
}

impl Before {
    pub fn of(now: Millis, event: &Event, cluster: &Cluster) -> Self {
        let is_live = |worker: &WorkerId, fence: &Fence, pack: &PackId| {
            cluster.live_fence(*fence).is_some_and(|(p, w)| p == *pack && w == *worker)
        };
        let leases = cluster.audits().flat_map(|audit| cluster.running(&audit.id));
        let live = leases.map(|running| running.fence).collect();
        let nothing = Self { now, worker: None, live, pack: None, stale: false, failure: false };
        match event {
            Event::Progress { worker, pack, fence, .. } => {
                Self { pack: Some(pack.clone()), stale: !is_live(worker, fence, pack), ..nothing }
            }
            Event::Reported { worker, pack, fence, outcome } => Self {
                worker: Some(worker.clone()),
                pack: Some(pack.clone()),
                stale: !is_live(worker, fence, pack),
                failure: matches!(outcome, Outcome::Failed(_)),
                ..nothing
            },
            Event::Ingested { pack, fence, outcome } => {
                let state = cluster.pack(pack).map(|record| record.state.clone());
                let reported = matches!(state, Some(PackState::Reported { fence: f, .. }) if f == *fence);
                Self { pack: Some(pack.clone()), stale: !reported, failure: outcome.is_err(), ..nothing }
            }
            Event::WorkerJoined { worker, .. } | Event::WorkerLeft { worker } => {
                Self { worker: Some(worker.clone()), ..nothing }
            }
            _ => nothing,
        }
    }

    /// The leases that a worker's word renews.
    pub fn renewed_by(&self, event: &Event, cluster: &Cluster) -> Vec<Fence> {
        let owns =
            |worker: &WorkerId, fence: Fence| cluster.live_fence(fence).is_some_and(|(_, w)| w == *worker);
        match event {
            Event::Progress { fence, .. } if !self.stale => vec![*fence],
            Event::WorkerJoined { worker, running, .. } => {
                running.iter().map(|still| still.fence).filter(|fence| owns(worker, *fence)).collect()
            }
            _ => vec![],
        }
    }

    /// S2 and S6, on one pack's write. `old` is what was stored.
    fn check_pack(&self, old: &PackRecord, new: &PackRecord) {
        let is_subject = self.pack.as_ref() == Some(&new.id);
        let came_back = |phase| matches!(phase, PackPhase::Reported | PackPhase::Done);
        let (was, is) = (old.state.phase(), new.state.phase());
        if self.stale && is_subject {
            let silent = old.attempts == new.attempts
                && old.checkpoint == new.checkpoint
                && (was == is || !came_back(is));
            assert!(silent, "S2: a stale fence changed {old:?} to {new:?}");
        }
        let failed = new.attempts > old.attempts;
        assert!(
            !failed || (is_subject && self.failure && new.attempts == old.attempts + 1),
            "S6: {old:?} to {new:?}"
        );
        // A failure that turns out to be a worker's own becomes a loss, and only then.
        let excused = old.attempts.saturating_sub(new.attempts);
        let lost = new.losses.saturating_sub(old.losses);
        // Its own failure may come on top, or the end of its lease.
        let right = excused == 0 || (self.failure && (excused..=excused + 1).contains(&lost));
        assert!(right, "S6: excused {old:?} to {new:?}");
        assert!(!failed || new.losses == old.losses, "S6: one failure counted twice: {old:?} to {new:?}");
        assert!(new.losses >= old.losses, "S6: losses forgotten: {old:?} to {new:?}");
        if let (Some(before), Some(after)) = (&old.checkpoint, &new.checkpoint) {
            assert!((before.fence, before.step) <= (after.fence, after.step), "{old:?} went back to {new:?}");
        }
    }
}

/// The first part of a step's actions, which go into one transaction.
pub fn split(actions: Vec<Action>) -> (Vec<Action>, Vec<Action>) {
    let is_write = |action: &Action| matches!(action, Action::Put(_) | Action::Delete(_));
    let writes = actions.iter().take_while(|action| is_write(action)).count();
    let mut writes_first = actions;
    let rest = writes_first.split_off(writes);
    assert!(!rest.iter().any(is_write), "records come first");
    assert!(writes <= MAX_RECORDS, "{writes} records in one step");
    (writes_first, rest)
}

#[derive(Default)]
pub struct Oracle {
    /// How often each pack's result began to count, since its audit was submitted.
    counted: BTreeMap<PackId, u32>,
    next_fence: Option<Fence>,
    /// When each lease was given or last renewed, and the length of all.
    renewed: BTreeMap<Fence, Millis>,
    lease_ms: u64,
}

impl Oracle {
    pub fn new(lease_ms: u64) -> Self {
        Self { lease_ms, ..Self::default() }
    }

    /// Commits the writes of one step, and checks every change against the tables.
    pub fn commit(&mut self, writes: Vec<Action>, before: &Before, store: &mut Store, blobs: &Blobs) {
        // A transaction is judged as a whole: an audit goes after its packs, wherever it stands in it.
        let (audits, others): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|write| matches!(write, Action::Delete(RecordKey::Audit(_))));
        for write in others.into_iter().chain(audits) {
            match write {
                Action::Put(record) => {
                    let old = store.insert(record.key(), record.clone());
                    self.check_put(old, record, before, blobs);
                }
                Action::Delete(key) => {
                    let old = store.remove(&key);
                    self.check_delete(&key, old, before, store);
                }
                other => panic!("{other:?} is no write"),
            }
        }
    }

    /// A lease begins again.
    pub fn renew(&mut self, fence: Fence, now: Millis) {
        self.renewed.insert(fence, now);
    }

    /// A leader is new: every lease begins again.
    pub fn renew_all(&mut self, now: Millis) {
        self.renewed.values_mut().for_each(|renewed| *renewed = now);
    }

    /// No lease of a running audit ends before its time but by its own worker's word.
    fn check_lease(&self, old: &PackState, new: Option<&PackState>, before: &Before) {
        let PackState::Leased { fence, slot } = old else { return };
        let goes_on = new.is_some_and(|new| new.fence() == Some(*fence) && new.phase() == PackPhase::Leased);
        if goes_on || !before.live.contains(fence) || before.worker.as_ref() == Some(&slot.worker) {
            return;
        }
        let renewed = self.renewed.get(fence).copied().unwrap_or(Millis(0));
        assert!(
            before.now >= renewed.plus(self.lease_ms),
            "fence {fence} of {renewed} ended at {}",
            before.now
        );
    }

    fn check_put(&mut self, old: Option<Record>, new: Record, before: &Before, blobs: &Blobs) {
        match (old, new) {
            (_, Record::Cluster(new)) => {
                assert!(self.next_fence.is_none_or(|old| old <= new.next_fence), "fences ran backwards");
                self.next_fence = Some(new.next_fence);
            }
            (Some(Record::Audit(old)), Record::Audit(new)) => {
                let legal = old.state == new.state || old.state.may_become(new.state);
                assert!(legal, "S4: {} went from {:?} to {:?}", new.id, old.state, new.state);
                assert!(!old.state.is_terminal() || old.fault == new.fault, "S4: {old:?} to {new:?}");
                assert_eq!((old.demand, old.sequence), (new.demand, new.sequence));
            }
            (None, Record::Audit(new)) => {
                let begins = matches!(new.state, AuditState::Running | AuditState::Analysing);
                assert!(begins, "{} began as {:?}", new.id, new.state);
            }
            (old, Record::Pack(new)) => {
                let old = match old {
                    Some(Record::Pack(old)) => old,
                    None => PackRecord::untouched(new.id.clone()),
                    Some(other) => panic!("{other:?} is no pack"),
                };
                // One step may hand a pack back and place it again under a new fence.
                let (was, is) = (old.state.phase(), new.state.phase());
                let through_waiting = was.may_become(PackPhase::Waiting) && is == PackPhase::Leased;
                assert!(was == is || was.may_become(is) || through_waiting, "{old:?} became {new:?}");
                assert!(!was.is_terminal() || old == new, "S4: {old:?} became {new:?}");
                before.check_pack(&old, &new);
                self.check_lease(&old.state, Some(&new.state), before);
                self.check_state(&old.state, &new, blobs);
            }
            (Some(old), new) => panic!("{old:?} became {new:?}"),
        }
    }

    fn check_state(&mut self, was: &PackState, new: &PackRecord, blobs: &Blobs) {
        match &new.state {
            PackState::Leased { fence, .. } => {
                let given = self.next_fence.is_some_and(|next| *fence < next);
                assert!(given, "fence {fence} is not behind the stored next fence {:?}", self.next_fence);
            }
            PackState::Done { fence, result } if was.phase() != PackPhase::Done => {
                blobs.read_result(&new.id, *fence, result);
                let times = self.counted.entry(new.id.clone()).or_default();
                *times += 1;
                assert_eq!(*times, 1, "the result of {} counted again", new.id);
            }
            _ => {}
        }
    }

    fn check_delete(&mut self, key: &RecordKey, old: Option<Record>, before: &Before, store: &Store) {
        match (key, old) {
            (RecordKey::Cluster, _) => panic!("the cluster's record was deleted"),
            (RecordKey::Audit(id), Some(Record::Audit(old))) => {
                assert!(old.state.is_terminal() && old.deleting, "{old:?} was deleted");
                self.counted.retain(|pack, _| pack.audit != *id);
            }
            (RecordKey::Pack(id), Some(Record::Pack(old))) => {
                let audit = Self::audit(&id.audit, store);
                let ended = audit.0.is_terminal();
                let blank = old.state.phase() == PackPhase::Leased;
                assert!(blank || ended, "{old:?} was deleted while its audit is {audit:?}");
                if !ended {
                    self.check_lease(&old.state, None, before);
                }
                assert!(audit.1 || !old.state.phase().is_terminal(), "{old:?} was swept up");
            }
            (_, old) => assert!(old.is_none(), "{key:?} held {old:?}"),
        }
    }

    fn audit(id: &AuditId, store: &Store) -> (AuditState, bool) {
        match store.get(&RecordKey::Audit(id.clone())) {
            Some(Record::Audit(record)) => (record.state, record.deleting),
            other => panic!("{id} is {other:?}"),
        }
    }

    /// At the end: a finished audit's packs counted once each.
    pub fn check_finished(&self, audit: &AuditId, packs: u32) {
        let of_audit = self.counted.iter().filter(|(pack, _)| pack.audit == *audit);
        let counts: Vec<_> = of_audit.map(|(_, times)| *times).collect();
        assert_eq!(counts, vec![1; packs as usize], "results of {audit}");
    }
}
