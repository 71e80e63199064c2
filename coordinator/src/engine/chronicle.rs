//! Who did what for an audit, for `run.json`. Kept in memory only: after a restart it tells of the time
//! since. No finding depends on it.

use std::collections::BTreeMap;

use umbra_core::cluster::Checkpoint;
use umbra_core::ids::{Millis, PackId, WorkerId};
use umbra_core::places;
use umbra_proto::v1::Hello;

use crate::report::WorkerFacts;

/// Where an attempt at a pack begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// At the start.
    Start,
    /// At a checkpoint of the pack's own.
    Checkpoint,
    /// At the weights that another audit kept.
    Weights,
}

impl Begins {
    /// Of an attempt at this pack that goes on from there.
    pub fn at(pack: &PackId, from: Option<&Checkpoint>) -> Self {
        match from {
            None => Self::Start,
            Some(checkpoint) if is_own(pack, &checkpoint.key) => Self::Checkpoint,
            Some(_) => Self::Weights,
        }
    }
}

/// Whether a blob was written for this pack.
pub fn is_own(pack: &PackId, key: &str) -> bool {
    key.strip_prefix(&places::pack_blobs(pack)).is_some_and(|rest| rest.starts_with('/'))
}

/// Who did what for one audit.
#[derive(Debug, Clone, Default)]
pub struct Chronicle {
    reused: u64,
    resumed: u64,
    queried: u64,
    first_assigned: Option<Millis>,
    last_reported: Option<Millis>,
    packs: BTreeMap<WorkerId, u64>,
}

/// What `run.json` says of an audit's work.
#[derive(Debug, Clone, Default)]
pub struct RunNotes {
    /// Packs whose results were there before.
    pub reused: u64,
    /// Packs that went on from a checkpoint.
    pub resumed: u64,
    /// Packs whose shadows were trained before.
    pub queried: u64,
    /// Seconds from the first assignment to the last report.
    pub training_seconds: f64,
    /// Who trained.
    pub workers: Vec<WorkerFacts>,
}

/// What workers said of themselves.
#[derive(Debug, Default)]
pub struct Introductions(BTreeMap<WorkerId, WorkerFacts>);

impl Introductions {
    /// The most workers that are remembered; `run.json` names no more.
    const MOST: usize = 10_000;

    /// Notes a worker's hello.
    pub fn note(&mut self, worker: &WorkerId, hello: &Hello) {
        if self.0.len() >= Self::MOST && !self.0.contains_key(worker) {
            return;
        }
        let facts = WorkerFacts {
            id: worker.to_string(),
            version: hello.version.chars().take(80).collect(),
            host: hello.host.chars().take(253).collect(),
            slots: hello.slots,
            packs: 0,
        };
        self.0.insert(worker.clone(), facts);
    }
}

impl Chronicle {
    /// Nothing but `reused` packs whose results were there.
    pub fn new(reused: usize) -> Self {
        Self { reused: reused as u64, ..Self::default() }
    }

    /// A pack was assigned.
    pub fn assigned(&mut self, now: Millis, begins: Begins) {
        self.first_assigned.get_or_insert(now);
        self.resumed += u64::from(begins == Begins::Checkpoint);
        self.queried += u64::from(begins == Begins::Weights);
    }

    /// A worker reported a result that counts.
    pub fn reported(&mut self, now: Millis, worker: &WorkerId) {
        self.last_reported = Some(now);
        *self.packs.entry(worker.clone()).or_default() += 1;
    }

    /// What there is to say at the end, with the workers as they introduced themselves.
    pub fn notes(&self, introductions: &Introductions) -> RunNotes {
        let span = self.first_assigned.zip(self.last_reported);
        let spent = span.map_or(0, |(first, last)| last.0.saturating_sub(first.0));
        let workers = self.packs.iter().map(|(worker, &packs)| {
            let known = introductions.0.get(worker).cloned().unwrap_or_default();
            WorkerFacts { id: worker.to_string(), packs, ..known }
        });
        RunNotes {
            reused: self.reused,
            resumed: self.resumed,
            queried: self.queried,
            training_seconds: spent as f64 / 1000.0,
            workers: workers.collect(),
        }
    }
}
