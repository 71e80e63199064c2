//! A cluster with a store, driven by hand; every step's invariants are checked.

use std::collections::{BTreeMap, BTreeSet};

use umbra_core::cluster::{
    Action, AuditDemand, Checkpoint, Cluster, ClusterConfig, Event, MAX_RECORDS, Outcome, PackResult, Record,
    RecordKey, RevokeReason, Steps, StillRunning,
};
use umbra_core::digest::Digest;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::ids::{AuditId, Fence, Millis, PackId, PackIndex, WorkerId};
use umbra_core::lifecycle::AuditState;

pub const LEASE: u64 = 1_000;

pub struct Bench {
    pub cluster: Cluster,
    pub now: u64,
    pub store: BTreeMap<RecordKey, Record>,
    /// How many records the latest step wrote and deleted.
    pub written: usize,
}

/// An assignment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub worker: WorkerId,
    pub slot: u32,
    pub pack: PackId,
    pub fence: Fence,
    pub resume_from: Option<Checkpoint>,
}

pub fn config() -> ClusterConfig {
    ClusterConfig {
        lease_ms: LEASE,
        max_attempts: 3,
        max_losses: 2,
        backoff_ms: 100,
        max_backoff_ms: 400,
        pace_window_ms: 500,
        move_every_ms: 100_000,
        quarantine_after: 3,
        quarantine_ms: 60_000,
        max_quarantine_ms: 3_600_000,
    }
}

pub fn audit(name: &str) -> AuditId {
    AuditId::try_new(name).unwrap()
}

pub fn worker(name: &str) -> WorkerId {
    WorkerId::try_new(name).unwrap()
}

pub fn pack(name: &str, pack: u32) -> PackId {
    PackId { audit: audit(name), pack: PackIndex(pack) }
}

pub fn demand(packs: u32) -> AuditDemand {
    AuditDemand { packs, numerics: "x".to_owned(), priority: 0, weight: 1, max_slots: 0, memory_bytes: 0 }
}

pub fn fault(retry: Retry) -> Fault {
    Fault::new(Domain::Device, retry, "the device broke")
}

pub fn result(pack: &PackId, fence: Fence) -> PackResult {
    let key = format!("{pack}/{fence}/logits");
    PackResult { digest: Digest::of(key.as_bytes()), key, bytes: 10, lost: vec![], weights: None }
}

pub fn checkpoint(pack: &PackId, fence: Fence, step: u64) -> Checkpoint {
    let key = format!("{pack}/{fence}/{step}");
    Checkpoint { step, fence, digest: Digest::of(key.as_bytes()), key, bytes: 9 }
}

pub fn still(given: &Given) -> StillRunning {
    StillRunning { slot: given.slot, pack: given.pack.clone(), fence: given.fence }
}

pub fn given(actions: &[Action]) -> Vec<Given> {
    let of = |action: &Action| match action.clone() {
        Action::Assign { slot, pack, fence, resume_from } => {
            Some(Given { worker: slot.worker, slot: slot.slot, pack, fence, resume_from })
        }
        _ => None,
    };
    actions.iter().filter_map(of).collect()
}

pub fn refusals(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Refuse { .. })).count()
}

pub fn revokes(actions: &[Action], wanted: RevokeReason) -> Vec<Fence> {
    let of = |action: &Action| match action {
        Action::Revoke { fence, reason, .. } if *reason == wanted => Some(*fence),
        _ => None,
    };
    actions.iter().filter_map(of).collect()
}

pub fn is_acknowledged(actions: &[Action], wanted: Fence) -> bool {
    actions.iter().any(|action| matches!(action, Action::Acknowledge { fence, .. } if *fence == wanted))
}

impl Bench {
    pub fn new() -> Self {
        let cluster = Cluster::new(Millis(0), config());
        Self { cluster, now: 0, store: BTreeMap::new(), written: 0 }
    }

    /// One event; what is left to do once its records are stored.
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        let actions = self.cluster.step(Millis(self.now), event);
        self.commit(actions)
    }

    fn commit(&mut self, actions: Vec<Action>) -> Vec<Action> {
        if let Err(broken) = self.cluster.check() {
            panic!("{broken}");
        }
        self.written = 0;
        let mut rest = Vec::new();
        for action in actions {
            match action {
                Action::Put(record) => {
                    self.written += 1;
                    self.store.insert(record.key(), record);
                }
                Action::Delete(key) => {
                    self.written += 1;
                    self.store.remove(&key);
                }
                other => rest.push(other),
            }
        }
        assert!(self.written <= MAX_RECORDS, "{}", self.written);
        rest
    }

    /// The process dies; another one takes over from the store.
    pub fn restart(&mut self) -> Vec<Action> {
        let records = self.store.values().cloned();
        let (cluster, actions) = Cluster::restore(Millis(self.now), config(), records);
        self.cluster = cluster;
        self.commit(actions)
    }

    pub fn wait(&mut self, milliseconds: u64) -> Vec<Action> {
        self.now += milliseconds;
        self.step(Event::Tick)
    }

    pub fn submit(&mut self, name: &str, demand: AuditDemand) -> Vec<Given> {
        given(&self.step(Event::AuditSubmitted { audit: audit(name), demand, existing: BTreeMap::new() }))
    }

    pub fn join(&mut self, name: &str, slots: u32) -> Vec<Given> {
        given(&self.rejoin(name, slots, &[]))
    }

    pub fn rejoin(&mut self, name: &str, slots: u32, running: &[&Given]) -> Vec<Action> {
        let running = running.iter().map(|given| still(given)).collect();
        self.step(Event::WorkerJoined {
            worker: worker(name),
            slots,
            numerics: vec!["x".to_owned()],
            running,
            lost: BTreeSet::new(),
            memory: vec![],
        })
    }

    /// A worker with slots of so many bytes; 0 where it does not tell.
    pub fn join_sized(&mut self, name: &str, memory: &[u64]) -> Vec<Given> {
        given(&self.step(Event::WorkerJoined {
            worker: worker(name),
            slots: memory.len() as u32,
            numerics: vec!["x".to_owned()],
            running: vec![],
            lost: BTreeSet::new(),
            memory: memory.to_vec(),
        }))
    }

    /// A worker loses slots.
    pub fn lose(&mut self, name: &str, slots: impl IntoIterator<Item = u32>) -> Vec<Action> {
        self.step(Event::SlotsLost { worker: worker(name), slots: slots.into_iter().collect() })
    }

    pub fn gone(&mut self, name: &str) -> Vec<Action> {
        self.step(Event::WorkerGone { worker: worker(name) })
    }

    pub fn report(&mut self, given: &Given, outcome: Outcome) -> Vec<Action> {
        let (worker, pack, fence) = (given.worker.clone(), given.pack.clone(), given.fence);
        self.step(Event::Reported { worker, pack, fence, outcome })
    }

    pub fn done(&mut self, given: &Given) -> Vec<Action> {
        self.report(given, Outcome::Done(result(&given.pack, given.fence)))
    }

    pub fn fail(&mut self, given: &Given, retry: Retry) -> Vec<Action> {
        self.report(given, Outcome::Failed(fault(retry)))
    }

    pub fn release(&mut self, given: &Given) -> Vec<Action> {
        self.report(given, Outcome::Released { checkpoint: None })
    }

    pub fn progress(&mut self, given: &Given, step: Option<u64>) -> Vec<Action> {
        let (worker, pack, fence) = (given.worker.clone(), given.pack.clone(), given.fence);
        let checkpoint = step.map(|step| checkpoint(&pack, fence, step));
        self.step(Event::Progress { worker, pack, fence, steps: None, checkpoint })
    }

    /// A heartbeat that says how far a pack is.
    pub fn pace(&mut self, given: &Given, done: u64, left: u64) -> Vec<Action> {
        let (worker, pack, fence) = (given.worker.clone(), given.pack.clone(), given.fence);
        let steps = Some(Steps { done, left });
        self.step(Event::Progress { worker, pack, fence, steps, checkpoint: None })
    }

    pub fn ingest(&mut self, given: &Given) -> Vec<Action> {
        self.step(Event::Ingested { pack: given.pack.clone(), fence: given.fence, outcome: Ok(()) })
    }

    pub fn cancel(&mut self, name: &str) -> Vec<Action> {
        self.step(Event::CancelAsked { audit: audit(name) })
    }

    pub fn state(&self, name: &str) -> AuditState {
        self.cluster.audit(&audit(name)).unwrap().state
    }

    /// Slots taken, of every worker together.
    pub fn busy(&self) -> u32 {
        self.cluster.workers().map(|worker| worker.busy).sum()
    }

    pub fn reason(&self, name: &str) -> String {
        self.cluster.explain(&audit(name)).map_or(String::new(), |reason| reason.to_string())
    }
}
