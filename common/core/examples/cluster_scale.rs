//! How long a step of the scheduler takes with 1,000 workers and 100,000 packs.
//!
//! `cargo run --release -p umbra-core --example cluster_scale` plays ten audits of 10,000 packs on 1,000
//! workers of 8 slots to the end, with heartbeats, checkpoints and a lost worker now and then, and
//! prints step times by event. The budget is a 99th percentile under 1 ms.

#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::disallowed_types)] // it measures

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use umbra_core::cluster::{
    Action, AuditDemand, Checkpoint, Cluster, ClusterConfig, Event, Outcome, PackResult, Steps,
};
use umbra_core::digest::Digest;
use umbra_core::ids::{AuditId, Millis, WorkerId};

const WORKERS: u32 = 1_000;
const SLOTS: u32 = 8;
const AUDITS: u32 = 10;
const PACKS: u32 = 10_000;
/// The memory of a worker's slots; one worker in four does not tell.
const SIZES: [u64; 4] = [0, 16 << 30, 24 << 30, 80 << 30];

#[derive(Default)]
struct Scale {
    times: BTreeMap<&'static str, Vec<u64>>,
    records: usize,
    queue: VecDeque<(&'static str, Event)>,
    wake: Option<Millis>,
    done: u32,
}

fn main() {
    let mut now = Millis(0);
    let mut cluster = Cluster::new(now, ClusterConfig::default());
    let mut scale = Scale::default();
    for worker in 0..WORKERS {
        scale.queue.push_back(("join", join(worker)));
    }
    for audit in 0..AUDITS {
        scale.queue.push_back(("submit", submit(audit)));
    }
    let began = Instant::now();
    let mut turn = 0_u64;
    while let Some((name, event)) = scale.next(now) {
        turn += 1;
        // A step in 5,000 finds a worker dead, which is back at once with nothing.
        if turn.is_multiple_of(5_000) {
            let worker = (turn / 5_000 * 37 % u64::from(WORKERS)) as u32;
            scale.step(&mut cluster, now, "rejoin", join(worker));
        }
        now = now.plus(turn % 2);
        scale.step(&mut cluster, now, name, event);
    }
    println!("{WORKERS} workers of {SLOTS} slots, {AUDITS} audits of {PACKS} packs: {} results", scale.done);
    println!("{} steps, {} records, {:.1} s", turn, scale.records, began.elapsed().as_secs_f64());
    println!("{:<12} {:>9} {:>9} {:>9} {:>9}", "event", "steps", "p50 us", "p99 us", "max us");
    let all = scale.times.values().flatten().copied().collect();
    scale.times.insert("all", all);
    for (name, mut times) in scale.times {
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1e3;
        println!("{name:<12} {:>9} {:>9.1} {:>9.1} {:>9.1}", times.len(), at(0.5), at(0.99), at(1.0));
    }
}

fn worker_id(worker: u32) -> WorkerId {
    WorkerId::try_new(format!("worker-{worker}")).expect("it is a name")
}

fn join(worker: u32) -> Event {
    let numerics = vec!["lockstep/cpu/f32/avx2/v1".to_owned(), "lockstep/cpu/f32/scalar/v1".to_owned()];
    Event::WorkerJoined {
        worker: worker_id(worker),
        slots: SLOTS,
        numerics,
        running: vec![],
        lost: BTreeSet::new(),
        memory: vec![SIZES[worker as usize % SIZES.len()]; SLOTS as usize],
    }
}

fn submit(audit: u32) -> Event {
    let numerics = "lockstep/cpu/f32/avx2/v1".to_owned();
    // What the smallest slots hold, what the largest alone hold, or not known.
    let memory_bytes = SIZES[audit as usize % SIZES.len()];
    let weight = 1 + audit % 3;
    let demand = AuditDemand { packs: PACKS, numerics, priority: 0, weight, max_slots: 0, memory_bytes };
    let audit = AuditId::try_new(format!("audit-{audit}")).expect("it is a name");
    Event::AuditSubmitted { audit, demand, existing: BTreeMap::new() }
}

impl Scale {
    fn next(&mut self, now: Millis) -> Option<(&'static str, Event)> {
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
            return Some(("tick", Event::Tick));
        }
        self.queue.pop_front()
    }

    fn step(&mut self, cluster: &mut Cluster, now: Millis, name: &'static str, event: Event) {
        let began = Instant::now();
        let actions = cluster.step(now, event);
        self.times.entry(name).or_default().push(began.elapsed().as_nanos() as u64);
        for action in actions {
            self.answer(action);
        }
    }

    /// Every assignment makes two heartbeats, one with a checkpoint, and a result.
    fn answer(&mut self, action: Action) {
        match action {
            Action::Put(_) | Action::Delete(_) => self.records += 1,
            Action::Assign { slot, pack, fence, .. } => {
                let (worker, digest) = (slot.worker, Digest::from_bytes([7; 32]));
                let checkpoint =
                    Checkpoint { step: 100, fence, key: format!("{pack}/{fence}/100"), digest, bytes: 9 };
                let steps = Some(Steps { done: 50, left: 100 });
                for checkpoint in [None, Some(checkpoint)] {
                    let (worker, pack) = (worker.clone(), pack.clone());
                    self.queue
                        .push_back(("progress", Event::Progress { worker, pack, fence, steps, checkpoint }));
                }
                let key = format!("{pack}/{fence}/logits");
                let outcome =
                    Outcome::Done(PackResult { key, digest, bytes: 1 << 20, lost: vec![], weights: None });
                self.queue.push_back(("report", Event::Reported { worker, pack, fence, outcome }));
            }
            Action::Ingest { pack, fence, .. } => {
                self.done += 1;
                self.queue.push_back(("ingested", Event::Ingested { pack, fence, outcome: Ok(()) }));
            }
            Action::Finish { audit } => {
                self.queue.push_back(("analysed", Event::Analysed { audit, outcome: Ok(()) }));
            }
            Action::WakeAt(at) => self.wake = Some(at),
            Action::Revoke { .. } | Action::Refuse { .. } | Action::Acknowledge { .. } => {}
        }
    }
}
