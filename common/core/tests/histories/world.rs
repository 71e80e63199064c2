//! A whole model cluster: the scheduler, a shell around it with a store, and workers behind links.

use std::collections::{BTreeMap, BTreeSet};

use umbra_core::cluster::{Action, Cluster, ClusterConfig, Event, RevokeReason};
use umbra_core::fault::Fault;
use umbra_core::ids::{AuditId, Fence, Millis, PackId, WorkerId};

use crate::blobs::Blobs;
use crate::chance::Chance;
use crate::machine::{Down, Link, Machine, SMALL, Up, random_fault};
use crate::oracle::{Before, Oracle, Store, split};

/// How often things happened, over many histories: a fault that never fires tests nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}

/// Work that the shell was asked for and has not answered yet.
#[derive(Debug, Clone)]
pub enum Task {
    Ingest { pack: PackId, fence: Fence },
    Finish { audit: AuditId },
}

pub struct World {
    pub chance: Chance,
    pub now: Millis,
    pub config: ClusterConfig,
    /// None while the coordinator is down.
    pub cluster: Option<Cluster>,
    pub store: Store,
    pub oracle: Oracle,
    pub blobs: Blobs,
    pub tasks: Vec<Task>,
    pub wake: Option<Millis>,
    pub links: Vec<Link>,
    /// The link of each worker's current session.
    pub sessions: BTreeMap<WorkerId, usize>,
    /// The slots that each worker's current session said are lost.
    lost: BTreeMap<WorkerId, BTreeSet<u32>>,
    /// The memory that each worker's current session told of its slots.
    pub memory: BTreeMap<WorkerId, Vec<u64>>,
    pub machines: Vec<Machine>,
    pub submissions: u64,
    /// Worker names given so far.
    pub names: u64,
    /// While true, transactions fail, the coordinator dies, jobs and ingests fail.
    pub faults: bool,
    pub tally: Tally,
    pub trace: Option<Vec<String>>,
}

impl World {
    pub fn new(seed: u64, traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let config = ClusterConfig {
            lease_ms: chance.between(100, 600),
            max_attempts: chance.between(1, 4) as u32,
            max_losses: if chance.one_in(4) { chance.between(0, 2) as u32 } else { 50 },
            backoff_ms: 20,
            max_backoff_ms: 200,
            pace_window_ms: 40,
            move_every_ms: 400,
            quarantine_after: chance.between(0, 3) as u32,
            quarantine_ms: 100,
            max_quarantine_ms: 800,
        };
        let mut world = Self {
            chance,
            now: Millis(0),
            config,
            cluster: Some(Cluster::new(Millis(0), config)),
            store: Store::new(),
            oracle: Oracle::new(config.lease_ms),
            blobs: Blobs::default(),
            tasks: Vec::new(),
            wake: None,
            links: Vec::new(),
            sessions: BTreeMap::new(),
            lost: BTreeMap::new(),
            memory: BTreeMap::new(),
            machines: Vec::new(),
            submissions: 0,
            names: 0,
            faults: true,
            tally: Tally::default(),
            trace: traced.then(Vec::new),
        };
        let machines = world.chance.between(1, 4);
        // Now and then a machine with more slots than one step has records.
        let large = world.chance.one_in(100);
        for _ in 0..machines {
            let slots = if large { 130 } else { world.chance.between(1, 3) as u32 };
            world.add_machine(slots);
        }
        world
    }

    pub fn add_machine(&mut self, slots: u32) {
        let id = self.new_name();
        let numerics: &[&str] = match self.chance.below(4) {
            0 => &["x"],
            1 => &["y"],
            _ => &["x", "y"],
        };
        let numerics = numerics.iter().map(|class| (*class).to_owned()).collect();
        let memory = (0..slots).map(|_| [0, SMALL, 16 << 30][self.chance.below(3)]).collect();
        let slow = self.chance.one_in(4);
        let mut machine = Machine::new(id, slots, numerics, memory);
        machine.slow = slow;
        self.machines.push(machine);
    }

    pub fn new_name(&mut self) -> WorkerId {
        self.names += 1;
        WorkerId::try_new(format!("w{}", self.names)).unwrap()
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6} {}", self.now.0, line()));
        }
    }

    /// One event through the cluster: decide, check, commit, act; with every way to fall over in between.
    pub fn step(&mut self, event: Event) {
        let Some(cluster) = &mut self.cluster else { return };
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6} {event:?}", self.now.0));
        }
        if event == Event::Tick {
            self.wake = self.wake.filter(|at| *at > self.now);
        }
        let before = Before::of(self.now, &event, cluster);
        let renewed = before.renewed_by(&event, cluster);
        let quarantined =
            |cluster: &Cluster| cluster.workers().filter(|worker| worker.quarantine.is_some()).count();
        let before_it = quarantined(cluster);
        let actions = cluster.step(self.now, event);
        if quarantined(cluster) > before_it {
            self.tally.count("workers quarantined");
        }
        if let Err(broken) = cluster.check() {
            panic!("{broken}");
        }
        if let Some(trace) = &mut self.trace {
            trace.extend(actions.iter().map(|action| format!("           -> {action:?}")));
        }
        let (writes, rest) = split(actions);
        if self.faults && !writes.is_empty() && self.chance.one_in(200) {
            // A transaction that timed out may have been committed all the same.
            let committed = self.chance.one_in(2);
            self.tally.count(if committed { "transactions in doubt" } else { "transactions failed" });
            if committed {
                self.oracle.commit(writes, &before, &mut self.store, &self.blobs);
            }
            self.note(|| format!("transaction failed, committed: {committed}"));
            self.drop_cluster();
            self.restore();
            return;
        }
        self.oracle.commit(writes, &before, &mut self.store, &self.blobs);
        renewed.into_iter().for_each(|fence| self.oracle.renew(fence, self.now));
        self.check_store();
        let mut acted = rest.len();
        if self.faults && self.chance.one_in(150) {
            acted = self.chance.below(rest.len() + 1);
            self.tally.count("crashes between commit and actions");
        }
        let crashed = acted < rest.len();
        rest.into_iter().take(acted).for_each(|action| self.act(action));
        if crashed {
            self.note(|| "coordinator died before all actions".to_owned());
            self.crash();
        }
    }

    /// The store and the memory agree; now and then, that a restart gives the same state.
    fn check_store(&mut self) {
        let Some(cluster) = &self.cluster else { return };
        if !self.chance.one_in(8) {
            return;
        }
        let records: Store = cluster.records().into_iter().map(|record| (record.key(), record)).collect();
        assert!(records == self.store, "S7: memory {records:?}\nstore {:?}", self.store);
        let (restored, _) = Cluster::restore(self.now, self.config, self.store.values().cloned());
        assert_eq!(restored.lasting(), cluster.lasting(), "S7");
        if let Err(broken) = restored.check() {
            panic!("after a restart: {broken}");
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Put(_) | Action::Delete(_) => unreachable!("writes were split off"),
            Action::Assign { slot, pack, fence, resume_from } => {
                match &resume_from {
                    Some(checkpoint) if checkpoint.fence == Fence(0) => {
                        self.tally.count("assigned with kept weights");
                    }
                    Some(_) => self.tally.count("assigned with a checkpoint"),
                    None => {}
                }
                self.tally.count("assigned");
                let lost = self.lost.get(&slot.worker).is_some_and(|lost| lost.contains(&slot.slot));
                assert!(!lost, "S3: pack {pack} was given to {slot}, which is lost");
                let worker = self.cluster.as_ref().and_then(|cluster| cluster.worker(&slot.worker));
                let quarantined = worker.is_some_and(|worker| worker.quarantine.is_some());
                assert!(!quarantined, "pack {pack} was given to {slot}, which is in quarantine");
                self.check_size(&pack, &slot);
                self.oracle.renew(fence, self.now);
                self.send(&slot.worker.clone(), Down::Assign { slot: slot.slot, pack, fence, resume_from });
            }
            Action::Revoke { worker, fence, reason, .. } => {
                self.tally.count("revoked");
                if reason == RevokeReason::Moving {
                    self.tally.count("moved to a faster slot");
                }
                self.send(&worker, Down::Revoke { fence, reason });
            }
            Action::Refuse { worker, fence, .. } => {
                self.tally.count("refused");
                let link = &mut self.links[self.sessions[&worker]];
                assert!(!link.refused.contains(&fence), "{worker} was refused {fence} twice in one session");
                link.refused.push(fence);
                self.send(&worker, Down::Refuse);
            }
            Action::Acknowledge { worker, fence, .. } => self.send(&worker, Down::Acknowledge { fence }),
            Action::Ingest { pack, fence, result } => {
                self.blobs.read_result(&pack, Some(fence), &result);
                self.tasks.push(Task::Ingest { pack, fence });
            }
            Action::Finish { audit } => self.tasks.push(Task::Finish { audit }),
            Action::WakeAt(at) => self.wake = Some(at),
        }
    }

    /// Messages to a worker go to its session; the cluster never speaks to one that has none.
    fn send(&mut self, worker: &WorkerId, message: Down) {
        let link =
            self.sessions.get(worker).unwrap_or_else(|| panic!("{worker} has no session for {message:?}"));
        let link = &mut self.links[*link];
        if !link.broken {
            link.down.push_back(message);
        }
    }

    pub fn crash(&mut self) {
        self.drop_cluster();
        self.tasks.clear();
        self.tally.count("coordinator crashes");
    }

    /// Every session ends; tasks may go on beyond a failed transaction.
    fn drop_cluster(&mut self) {
        self.cluster = None;
        self.wake = None;
        self.sessions.clear();
        for link in &mut self.links {
            link.broken = true;
            link.closed = true;
            link.up.clear();
        }
    }

    pub fn restore(&mut self) {
        let (cluster, actions) = Cluster::restore(self.now, self.config, self.store.values().cloned());
        if let Err(broken) = cluster.check() {
            panic!("after a restart: {broken}");
        }
        self.note(|| format!("restored: {actions:?}"));
        self.oracle.renew_all(self.now);
        self.cluster = Some(cluster);
        let (writes, rest) = split(actions);
        self.oracle.commit(
            writes,
            &Before::of(self.now, &Event::Tick, &Cluster::new(self.now, self.config)),
            &mut self.store,
            &self.blobs,
        );
        rest.into_iter().for_each(|action| self.act(action));
    }

    /// The coordinator reads one message of a link, or its end.
    pub fn read(&mut self, number: usize) {
        if self.cluster.is_none() || self.links[number].closed {
            return;
        }
        let worker = self.links[number].worker.clone();
        let current = self.sessions.get(&worker) == Some(&number);
        let Some(message) = self.links[number].up.pop_front() else {
            if self.links[number].broken {
                self.links[number].closed = true;
                if current {
                    self.sessions.remove(&worker);
                    self.step(Event::WorkerGone { worker });
                }
            }
            return;
        };
        match message {
            Up::Hello { slots, numerics, running, lost, memory } => {
                if let Some(old) = self.sessions.insert(worker.clone(), number) {
                    self.links[old].closed = true;
                    self.links[old].broken = true;
                    self.tally.count("sessions replaced");
                }
                self.lost.insert(worker.clone(), lost.clone());
                self.memory.insert(worker.clone(), memory.clone());
                self.step(Event::WorkerJoined { worker, slots, numerics, running, lost, memory });
            }
            _ if !current => {}
            Up::Lost { slots } => {
                self.tally.count("slots lost");
                self.lost.entry(worker.clone()).or_default().extend(&slots);
                self.step(Event::SlotsLost { worker, slots });
            }
            Up::Progress { pack, fence, steps, checkpoint } => {
                self.step(Event::Progress { worker, pack, fence, steps: Some(steps), checkpoint });
            }
            Up::Report { pack, fence, outcome } => {
                self.step(Event::Reported { worker, pack, fence, outcome });
            }
            Up::Drain => self.step(Event::DrainAsked { worker }),
            Up::Bye => {
                self.links[number].closed = true;
                self.sessions.remove(&worker);
                self.step(Event::WorkerLeft { worker });
            }
        }
    }

    /// The coordinator's background work ends, well or badly.
    pub fn complete_task(&mut self, index: usize) {
        if self.cluster.is_none() || index >= self.tasks.len() {
            return;
        }
        let task = self.tasks.swap_remove(index);
        if self.faults && self.chance.one_in(8) {
            self.tasks.push(task.clone()); // it is answered again, later
        }
        let fault: Option<Fault> =
            (self.faults && self.chance.one_in(25)).then(|| random_fault(&mut self.chance));
        if fault.is_some() {
            self.tally.count("ingests and analyses failed");
        }
        let outcome = fault.map_or(Ok(()), Err);
        match task {
            Task::Ingest { pack, fence } => self.step(Event::Ingested { pack, fence, outcome }),
            Task::Finish { audit } => self.step(Event::Analysed { audit, outcome }),
        }
    }
}
