//! A model worker: slots that train, checkpoint and report; it answers revokes, re-sends what was not
//! acknowledged, and does all of that however late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use umbra_core::cluster::{Checkpoint, Outcome, PackResult, RevokeReason, Steps, StillRunning};
use umbra_core::digest::Digest;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::ids::{Fence, PackId, Shadow, WorkerId};

use crate::blobs::Blobs;
use crate::chance::Chance;

/// What a worker says. Ordered within one link.
#[derive(Debug, Clone)]
pub enum Up {
    Hello {
        slots: u32,
        numerics: Vec<String>,
        running: Vec<StillRunning>,
        lost: BTreeSet<u32>,
        memory: Vec<u64>,
    },
    Lost {
        slots: BTreeSet<u32>,
    },
    Progress {
        pack: PackId,
        fence: Fence,
        steps: Steps,
        checkpoint: Option<Checkpoint>,
    },
    Report {
        pack: PackId,
        fence: Fence,
        outcome: Outcome,
    },
    Drain,
    Bye,
}

/// What a worker hears. Ordered within one link.
#[derive(Debug, Clone)]
pub enum Down {
    Assign { slot: u32, pack: PackId, fence: Fence, resume_from: Option<Checkpoint> },
    Revoke { fence: Fence, reason: RevokeReason },
    Refuse,
    Acknowledge { fence: Fence },
}

/// One connection, from its hello to its end.
#[derive(Debug)]
pub struct Link {
    pub worker: WorkerId,
    pub up: VecDeque<Up>,
    pub down: VecDeque<Down>,
    /// Nothing is added any more; what is on its way still arrives.
    pub broken: bool,
    /// The coordinator read its end.
    pub closed: bool,
    pub refused: Vec<Fence>,
}

#[derive(Debug)]
struct Job {
    /// Unique for every assignment that arrives anywhere: who writes a blob.
    author: u64,
    pack: PackId,
    fence: Fence,
    step: u64,
    steps: u64,
    checkpoint: Option<Checkpoint>,
    /// The first checkpoint under this fence.
    first: Option<Checkpoint>,
    stop: Option<RevokeReason>,
}

#[derive(Debug)]
struct Unacknowledged {
    slot: u32,
    pack: PackId,
    outcome: Outcome,
}

/// The memory of a device that is sometimes too small for what is given to it.
pub const SMALL: u64 = 8 << 30;

#[derive(Debug)]
pub struct Machine {
    pub id: WorkerId,
    pub slots: u32,
    pub numerics: Vec<String>,
    /// Bytes of each slot's device, or 0.
    pub memory: Vec<u64>,
    /// Its link, by number, while it has one.
    pub link: Option<usize>,
    pub alive: bool,
    pub frozen: bool,
    pub draining: bool,
    /// It mostly stands still.
    pub slow: bool,
    /// Whatever it is given fails.
    pub broken: bool,
    /// Slots whose device is lost for as long as the process lives.
    pub lost: BTreeSet<u32>,
    jobs: BTreeMap<u32, Job>,
    reports: BTreeMap<Fence, Unacknowledged>,
}

impl Machine {
    pub fn new(id: WorkerId, slots: u32, numerics: Vec<String>, memory: Vec<u64>) -> Self {
        Self {
            id,
            slots,
            numerics,
            memory,
            link: None,
            alive: true,
            frozen: false,
            draining: false,
            slow: false,
            broken: false,
            lost: BTreeSet::new(),
            jobs: BTreeMap::new(),
            reports: BTreeMap::new(),
        }
    }

    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.reports.is_empty()
    }

    pub fn job_slots(&self) -> Vec<u32> {
        self.jobs.keys().copied().collect()
    }

    /// Everything a hello has to name.
    pub fn hello(&self) -> Vec<Up> {
        let jobs = self.jobs.iter().map(|(slot, job)| StillRunning {
            slot: *slot,
            pack: job.pack.clone(),
            fence: job.fence,
        });
        let reports = self.reports.iter().map(|(fence, report)| StillRunning {
            slot: report.slot,
            pack: report.pack.clone(),
            fence: *fence,
        });
        let running = jobs.chain(reports).collect();
        let (slots, numerics, lost) = (self.slots, self.numerics.clone(), self.lost.clone());
        let memory = self.memory.clone();
        let hello = Up::Hello { slots, numerics, running, lost, memory };
        let again = self.reports.iter().map(|(fence, report)| Up::Report {
            pack: report.pack.clone(),
            fence: *fence,
            outcome: report.outcome.clone(),
        });
        let drain = self.draining.then_some(Up::Drain);
        std::iter::once(hello).chain(drain).chain(again).collect()
    }

    /// Takes in one message. Panics when a slot is given twice or something unknown is acknowledged.
    pub fn hear(&mut self, message: Down, blobs: &mut Blobs, chance: &mut Chance) {
        match message {
            Down::Assign { slot, pack, fence, resume_from } => {
                assert!(slot < self.slots, "{} has no slot {slot}", self.id);
                let busy = self.reports.values().any(|report| report.slot == slot);
                assert!(
                    !busy && !self.jobs.contains_key(&slot),
                    "S3: slot {}:{slot} was given twice",
                    self.id
                );
                let step = resume_from.as_ref().map_or(0, |from| blobs.read_checkpoint(&pack, from));
                let most = if chance.one_in(8) { 24 } else { 8 };
                let steps = step.max(chance.between(2, most));
                let author = blobs.new_author();
                let job = Job {
                    author,
                    pack,
                    fence,
                    step,
                    steps,
                    checkpoint: resume_from,
                    first: None,
                    stop: None,
                };
                self.jobs.insert(slot, job);
            }
            Down::Revoke { fence, reason } => {
                for job in self.jobs.values_mut().filter(|job| job.fence == fence) {
                    job.stop = Some(reason);
                }
            }
            Down::Refuse => {}
            Down::Acknowledge { fence } => {
                let running = self.jobs.values().any(|job| job.fence == fence);
                assert!(!running, "fence {fence} was acknowledged while it runs");
                self.reports.remove(&fence);
            }
        }
    }

    /// Lets one slot go on a bit; what it has to say about that.
    pub fn work(&mut self, slot: u32, faults: bool, blobs: &mut Blobs, chance: &mut Chance) -> Option<Up> {
        let job = self.jobs.get_mut(&slot)?;
        let outcome = if let Some(reason) = job.stop {
            let drains = matches!(reason, RevokeReason::Draining | RevokeReason::Moving);
            if drains && job.step > 0 && !chance.one_in(4) {
                job.checkpoint = Some(blobs.write_checkpoint(&job.pack, job.fence, job.step, job.author));
            }
            Outcome::Released { checkpoint: job.checkpoint.clone().filter(|_| drains) }
        } else if self.lost.contains(&slot) {
            // Given before the coordinator heard of it, or at work when it happened.
            Outcome::Failed(Fault::new(Domain::Device, Retry::Elsewhere, "the device is lost"))
        } else if self.broken {
            Outcome::Failed(Fault::new(Domain::Worker, Retry::Elsewhere, "the disk is full"))
        } else if faults && chance.one_in(60) {
            Outcome::Failed(random_fault(chance))
        } else if self.memory[slot as usize] == SMALL && chance.one_in(8) {
            Outcome::Failed(Fault::new(Domain::Device, Retry::Larger, "no memory"))
        } else if faults && chance.one_in(150) {
            Outcome::Released { checkpoint: job.checkpoint.clone() } // preempted
        } else if job.step >= job.steps {
            let lost = if chance.one_in(20) { vec![Shadow(job.pack.pack.0)] } else { vec![] };
            let (key, digest) = blobs.write_result(&job.pack, job.fence, job.author);
            Outcome::Done(PackResult { key, digest, bytes: 1, lost, weights: None })
        } else {
            if !self.slow || chance.one_in(10) {
                job.step += 1;
            }
            let checkpoint = chance.one_in(3).then(|| {
                let checkpoint = blobs.write_checkpoint(&job.pack, job.fence, job.step, job.author);
                job.checkpoint = Some(checkpoint.clone());
                // Uploads may end in another order than they began in.
                let first = job.first.get_or_insert(checkpoint.clone()).clone();
                if chance.one_in(4) { first } else { checkpoint }
            });
            let steps = Steps { done: job.step, left: job.steps - job.step };
            return Some(Up::Progress { pack: job.pack.clone(), fence: job.fence, steps, checkpoint });
        };
        let Job { pack, fence, .. } = self.jobs.remove(&slot)?;
        let report = Unacknowledged { slot, pack: pack.clone(), outcome: outcome.clone() };
        self.reports.insert(fence, report);
        Some(Up::Report { pack, fence, outcome })
    }

    /// A slot loses its device; the worker says so at once, and names now and then those lost before.
    pub fn lose(&mut self, chance: &mut Chance) -> Up {
        let slot = chance.below(self.slots as usize) as u32;
        self.lost.insert(slot);
        let slots = if chance.one_in(2) { BTreeSet::from([slot]) } else { self.lost.clone() };
        Up::Lost { slots }
    }

    /// The process ends. Finished work may be on its disk; a machine that hibernated has everything.
    pub fn die(&mut self, chance: &mut Chance) {
        self.alive = false;
        self.frozen = false;
        self.draining = false;
        self.link = None;
        self.lost.clear();
        if chance.one_in(4) {
            return;
        }
        self.jobs.clear();
        if chance.one_in(2) {
            self.reports.clear();
        }
    }
}

pub fn random_fault(chance: &mut Chance) -> Fault {
    let retry = match chance.below(13) {
        0 => Retry::Never,
        12 => Retry::Larger,
        1..=6 => Retry::Elsewhere,
        _ => Retry::Backoff,
    };
    Fault::new(Domain::Device, retry, format!("modelled fault {retry:?}"))
}

pub fn digest_of(key: &str) -> Digest {
    Digest::of(key.as_bytes())
}
