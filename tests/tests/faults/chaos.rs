//! Whatever happens, in any order: a history of faults drawn from a seed.
//!
//! `UMBRA_CHAOS_SEED=N` replays one history, `UMBRA_CHAOS_SEED=N..M` plays several. The seed fixes which
//! fault comes after how many checkpoints; what the machine makes of it differs from run to run.

use std::ops::Range;

use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_tests::{Audit, Cluster, Place, Signal, Worker, turn};

use crate::baseline::undisturbed;

/// What is played where nothing else is asked for.
const SEEDS: Range<u64> = 1..3;

/// The most workers at a time, frozen ones included.
const WORKERS: usize = 3;

#[test]
fn any_history_of_faults_ends_with_the_same_findings() {
    let _turn = turn();
    for seed in seeds() {
        println!("chaos: UMBRA_CHAOS_SEED={seed}");
        let played = History::new(seed).play();
        assert!(played.len() > 3, "seed {seed}: too little happened: {played:?}");
    }
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("UMBRA_CHAOS_SEED") else { return SEEDS };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no seed: {text}"));
    match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&text)..number(&text) + 1,
    }
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillWorker,
    DrainWorker,
    FreezeWorker,
    AddWorker,
    KillCoordinator,
    EndCoordinator,
}

const FAULTS: [Fault; 6] = [
    Fault::KillWorker,
    Fault::DrainWorker,
    Fault::FreezeWorker,
    Fault::AddWorker,
    Fault::KillCoordinator,
    Fault::EndCoordinator,
];

struct History {
    chance: Stream,
    cluster: Cluster,
    workers: Vec<Worker>,
    frozen: Vec<Worker>,
    started: u32,
}

impl History {
    fn new(seed: u64) -> Self {
        let chance = Seed::new(seed).stream(Purpose::Simulation, &[]);
        let (workers, frozen) = (Vec::new(), Vec::new());
        let mut history = Self { chance, cluster: Cluster::start(1), workers, frozen, started: 0 };
        history.add_worker();
        history
    }

    /// Plays until the audit ends; answers with the faults.
    fn play(mut self) -> Vec<Fault> {
        let mut played = Vec::new();
        let mut from = self.cluster.journal.now();
        let id = self.cluster.submit(&Audit::medium());
        loop {
            let checkpoints = 1 + self.chance.below(6);
            let Some(next) = self.after(from, checkpoints) else { break };
            from = next;
            let fault = FAULTS[self.chance.below(FAULTS.len() as u64) as usize];
            self.strike(fault);
            played.push(fault);
        }
        while !self.frozen.is_empty() {
            self.thaw();
        }
        self.cluster.findings(&id).assert_same(undisturbed(), &format!("after {played:?}"));
        self.cluster.assert_healthy();
        for mut worker in self.workers {
            worker.process.signal(Signal::Terminate);
            assert_eq!(worker.process.exit_code(), Some(0), "{} after {played:?}", worker.process.name());
        }
        self.cluster.stop();
        played
    }

    /// The point after so many checkpoints; none if the audit ends before.
    fn after(&self, from: Place, mut checkpoints: u64) -> Option<Place> {
        self.cluster.journal.wait_for(from, "checkpoints, or the end", |entry| match entry.message() {
            "audit ended" => Some(None),
            "hear of checkpoint" => {
                checkpoints -= 1;
                (checkpoints == 0).then_some(Some(entry.after))
            }
            _ => None,
        })
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::KillWorker => self.any_worker().process.kill(),
            Fault::DrainWorker => {
                let mut worker = self.any_worker();
                worker.process.signal(Signal::Terminate);
                assert_eq!(worker.process.exit_code(), Some(0), "{}", worker.process.name());
            }
            Fault::FreezeWorker => {
                let mut worker = self.any_worker();
                worker.process.signal(Signal::Stop);
                self.frozen.push(worker);
            }
            Fault::AddWorker => {}
            Fault::KillCoordinator => assert_eq!(self.cluster.restart(Signal::Kill), None),
            Fault::EndCoordinator => assert_eq!(self.cluster.restart(Signal::Terminate), Some(0)),
        }
        // Somebody thaws now and then, and somebody is always at work.
        if self.chance.below(2) == 0 {
            self.thaw();
        }
        let wanted = matches!(fault, Fault::AddWorker) || self.workers.is_empty();
        if wanted && self.workers.len() + self.frozen.len() < WORKERS {
            self.add_worker();
        } else if self.workers.is_empty() {
            self.thaw();
        }
    }

    fn any_worker(&mut self) -> Worker {
        let chosen = self.chance.below(self.workers.len() as u64);
        self.workers.swap_remove(chosen as usize)
    }

    fn add_worker(&mut self) {
        self.started += 1;
        let slots = 1 + self.chance.below(2) as u32;
        self.workers.push(self.cluster.worker(&format!("worker-{}", self.started), slots));
    }

    fn thaw(&mut self) {
        if let Some(mut worker) = self.frozen.pop() {
            worker.process.signal(Signal::Continue);
            self.workers.push(worker);
        }
    }
}
