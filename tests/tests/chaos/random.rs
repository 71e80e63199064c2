//! Everything at random: audit after audit under faults that are drawn from a seed, one or two at a time.
//!
//! `UMBRA_CHAOS_MINUTES=N` says how long, `UMBRA_CHAOS_SEED=N` which history. The seed fixes which faults come
//! after how many checkpoints and how long they last; what the machine makes of it differs from run to run.

use std::time::{Duration, Instant};

use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_tests::{Audit, COORDINATORS, Fleet, Place, Process, Signal, Worker, command, turn};

use crate::baseline::{last, undisturbed};
use crate::disks::Disk;
use crate::network::Apart;
use crate::wanted;

/// How long it goes on unless told otherwise.
const MINUTES: u64 = 10;

/// MiB of a disk that all these audits do not fill.
const LARGE: u32 = 512;

/// The longest that a fault lasts, in seconds.
const LONGEST: u64 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    LeaderKilled,
    LeaderEnded,
    LeaderFrozen,
    FollowerKilled,
    EtcdLeaderKilled,
    EtcdNodeFrozen,
    EtcdAway,
    S3Away,
    WorkerKilled,
    WorkerFrozen,
    NetworkCut,
    WorkerDiskFull,
    CoordinatorDiskFull,
}

/// Those that take root come last.
const FAULTS: [Fault; 13] = [
    Fault::LeaderKilled,
    Fault::LeaderEnded,
    Fault::LeaderFrozen,
    Fault::FollowerKilled,
    Fault::EtcdLeaderKilled,
    Fault::EtcdNodeFrozen,
    Fault::EtcdAway,
    Fault::S3Away,
    Fault::WorkerKilled,
    Fault::WorkerFrozen,
    Fault::NetworkCut,
    Fault::WorkerDiskFull,
    Fault::CoordinatorDiskFull,
];

/// Faults that anybody can make.
const PLAIN: usize = 10;

impl Fault {
    /// What it strikes: two faults of one kind of thing do not strike together.
    fn target(self) -> u8 {
        match self {
            Self::LeaderKilled
            | Self::LeaderEnded
            | Self::LeaderFrozen
            | Self::FollowerKilled
            | Self::CoordinatorDiskFull => 0,
            Self::EtcdLeaderKilled | Self::EtcdNodeFrozen | Self::EtcdAway => 1,
            Self::S3Away => 2,
            Self::WorkerKilled | Self::WorkerFrozen => 3,
            Self::NetworkCut => 4,
            Self::WorkerDiskFull => 5,
        }
    }
}

/// What makes good a fault.
enum Repair {
    Coordinator(usize),
    ThawCoordinator(usize),
    Etcd(Vec<usize>),
    ThawEtcd(usize),
    S3,
    NewWorker,
    ThawWorker(Worker),
    Network,
    Disk(usize),
}

/// What takes root: small disks, and a worker behind a cable.
struct Ground {
    /// Of the coordinators' states, then of a worker.
    disks: Vec<Disk>,
    _small: Worker,
    _far: Worker,
    apart: Apart,
}

impl Ground {
    /// `None`, and lines that count what is skipped, where that is not allowed.
    fn of(fleet: &Fleet, states: Vec<Option<Disk>>) -> Option<Self> {
        let mut disks: Vec<Disk> = states.into_iter().collect::<Option<_>>()?;
        let scratch = Disk::mount(&fleet.folder().join("small"), LARGE)?;
        let apart = Apart::of(fleet)?;
        let small = fleet.worker_in("small", 1, scratch.folder());
        let far = apart.worker(fleet, "far");
        disks.push(scratch);
        Some(Self { disks, _small: small, _far: far, apart })
    }
}

#[test]
fn any_history_of_faults_ends_with_the_same_findings() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).unwrap_or_else(|_| default.to_string());
        text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is no number"))
    };
    let (seed, minutes) = (number("UMBRA_CHAOS_SEED", 1), number("UMBRA_CHAOS_MINUTES", MINUTES));
    println!("chaos: UMBRA_CHAOS_SEED={seed} UMBRA_CHAOS_MINUTES={minutes}");
    let mut states = Vec::new();
    let Some(fleet) = Fleet::prepared(1, 5, |folder| states = Disk::of_states(folder, LARGE)) else { return };
    let ground = Ground::of(&fleet, states);
    let chance = Seed::new(seed).stream(Purpose::Simulation, &[]);
    let (workers, struck) = (Vec::new(), Vec::new());
    let mut storm = Storm { chance, workers, started: 0, struck, ground, fleet };
    storm.add_worker();
    storm.add_worker();
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut audits = Vec::new();
    while audits.is_empty() || Instant::now() < end {
        let audit = Audit { seed: 1000 + audits.len() as u64, ..Audit::medium() };
        storm.round(&audit, audits.len());
        audits.push(audit);
    }
    storm.fleet.assert_counted_once(&audits.iter().collect::<Vec<_>>());
    storm.fleet.assert_healthy();
    assert!(storm.struck.len() > audits.len(), "too little happened: {:?}", storm.struck);
    println!(
        "chaos: {} faults in {} audits, all with the findings of undisturbed runs; {} took the lead, {} stale \
         fences refused: {:?}",
        storm.struck.len(),
        audits.len(),
        storm.fleet.count("lead"),
        storm.fleet.count("refuse stale fence"),
        storm.struck
    );
}

struct Storm {
    chance: Stream,
    workers: Vec<Worker>,
    started: u32,
    struck: Vec<Fault>,
    ground: Option<Ground>,
    // Last, so that its folder goes when nothing is mounted there any more.
    fleet: Fleet,
}

impl Storm {
    /// One audit, disturbed until it ends, then compared with an undisturbed run.
    fn round(&mut self, audit: &Audit, number: usize) {
        let first = self.struck.len();
        let mut from = self.fleet.journal.now();
        let id = self.fleet.submit(audit);
        let watch = format!("watch-{number}");
        let (server, folder) = (self.fleet.server(), self.fleet.folder());
        let arguments = ["--format", "json", "audit", "watch", &id, "--server", &server];
        let mut watching = Process::start(&watch, command(folder, &arguments), &self.fleet.journal);
        loop {
            let checkpoints = 1 + self.chance.below(12);
            let Some(next) = self.after(from, &watch, checkpoints) else { break };
            from = next;
            self.strike();
        }
        assert_eq!(watching.exit_code(), Some(0), "a watcher finds its way to the end");
        let struck = format!("audit {number} after {:?}", &self.struck[first..]);
        println!("{struck}");
        self.fleet.findings(&id).assert_same(&undisturbed(audit), &struck);
    }

    /// The point after so many checkpoints; none if the audit ends before.
    fn after(&self, from: Place, watch: &str, mut checkpoints: u64) -> Option<Place> {
        self.fleet.journal.wait_for(from, "checkpoints, or the end", |entry| {
            if entry.source == watch && entry.line.is_none() {
                return Some(None);
            }
            checkpoints -= u64::from(checkpoints > 0 && entry.message() == "hear of checkpoint");
            (checkpoints == 0).then_some(Some(entry.after))
        })
    }

    /// One fault or two, for a while.
    fn strike(&mut self) {
        let first = self.draw();
        let second = self.draw();
        let mut faults = vec![first];
        if self.chance.below(3) == 0 && second.target() != first.target() {
            faults.push(second);
        }
        let repairs: Vec<_> = faults.iter().map(|fault| self.begin(*fault)).collect();
        last(&self.fleet, Duration::from_secs(self.chance.below(LONGEST)));
        for repair in repairs {
            self.repair(repair);
        }
        self.struck.extend(faults);
        // The next fault finds a cluster at work.
        self.fleet.leader();
    }

    fn draw(&mut self) -> Fault {
        let possible = if self.ground.is_some() { FAULTS.len() } else { PLAIN };
        FAULTS[self.chance.below(possible as u64) as usize]
    }

    fn begin(&mut self, fault: Fault) -> Repair {
        println!("chaos: {fault:?}");
        let fleet = &mut self.fleet;
        match fault {
            Fault::LeaderKilled | Fault::LeaderEnded | Fault::LeaderFrozen => {
                let leader = fleet.leader();
                match fault {
                    Fault::LeaderKilled => fleet.kill(leader),
                    Fault::LeaderEnded => fleet.stop(leader),
                    _ => {
                        fleet.signal(leader, Signal::Stop);
                        return Repair::ThawCoordinator(leader);
                    }
                }
                Repair::Coordinator(leader)
            }
            Fault::FollowerKilled => {
                let follower = (fleet.leader() + 1) % COORDINATORS;
                fleet.kill(follower);
                Repair::Coordinator(follower)
            }
            Fault::EtcdLeaderKilled => {
                let leader = fleet.etcd.leader();
                fleet.etcd.kill(&[leader]);
                Repair::Etcd(vec![leader])
            }
            Fault::EtcdNodeFrozen => {
                let node = self.chance.below(3) as usize;
                fleet.etcd.freeze(node);
                Repair::ThawEtcd(node)
            }
            Fault::EtcdAway => {
                fleet.etcd.kill(&[0, 1, 2]);
                Repair::Etcd(vec![0, 1, 2])
            }
            Fault::S3Away => {
                fleet.s3.stop();
                Repair::S3
            }
            Fault::WorkerKilled | Fault::WorkerFrozen => {
                let chosen = self.chance.below(self.workers.len() as u64);
                let mut worker = self.workers.swap_remove(chosen as usize);
                if fault == Fault::WorkerKilled {
                    worker.process.kill();
                    return Repair::NewWorker;
                }
                worker.process.signal(Signal::Stop);
                Repair::ThawWorker(worker)
            }
            Fault::NetworkCut => {
                self.ground().apart.cut();
                Repair::Network
            }
            Fault::WorkerDiskFull => self.fill(COORDINATORS),
            Fault::CoordinatorDiskFull => {
                let leader = fleet.leader();
                self.fill(leader)
            }
        }
    }

    fn ground(&self) -> &Ground {
        self.ground.as_ref().expect("it is drawn where there is one")
    }

    fn fill(&self, disk: usize) -> Repair {
        self.ground().disks[disk].fill();
        Repair::Disk(disk)
    }

    fn repair(&mut self, repair: Repair) {
        match repair {
            Repair::Coordinator(index) => self.fleet.restart(index),
            Repair::ThawCoordinator(index) => self.fleet.signal(index, Signal::Continue),
            Repair::Etcd(nodes) => self.fleet.etcd.restart(&nodes),
            Repair::ThawEtcd(node) => self.fleet.etcd.thaw(node),
            Repair::S3 => self.fleet.s3.restart(),
            Repair::NewWorker => self.add_worker(),
            Repair::ThawWorker(mut worker) => {
                worker.process.signal(Signal::Continue);
                self.workers.push(worker);
            }
            Repair::Network => self.ground().apart.mend(),
            Repair::Disk(disk) => self.ground().disks[disk].free(),
        }
    }

    fn add_worker(&mut self) {
        self.started += 1;
        self.workers.push(self.fleet.worker(&format!("worker-{}", self.started), 1));
    }
}
