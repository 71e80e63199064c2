//! What can happen to a cluster.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::record::{AuditDemand, Checkpoint, Existing, PackResult};
use crate::fault::Fault;
use crate::ids::{AuditId, Fence, PackId, PackIndex, WorkerId};

/// Something that happened. Every event is safe to give twice, late, or about things long gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody submitted an audit. One that is known already is left as it is.
    AuditSubmitted {
        /// Its name.
        audit: AuditId,
        /// What it asks for.
        demand: AuditDemand,
        /// Packs of which something exists already. More than fit one transaction are taken over in several
        /// steps; a leader that falls in between computes the rest again.
        existing: BTreeMap<PackIndex, Existing>,
    },
    /// Somebody wants the audit to stop. Nothing happens if it has ended.
    CancelAsked {
        /// The audit.
        audit: AuditId,
    },
    /// Somebody wants the audit forgotten. Nothing happens unless it has ended.
    DeleteAsked {
        /// The audit.
        audit: AuditId,
    },
    /// A worker's session began, for the first time or again. It replaces a session of the same name.
    WorkerJoined {
        /// The worker.
        worker: WorkerId,
        /// It has the slots `0..slots`; more than [`MAX_SLOTS`] are not used.
        slots: u32,
        /// The numerics classes that each of its slots can work in.
        numerics: Vec<String>,
        /// Everything it works on **and everything whose report was not acknowledged yet**: what is
        /// missing here counts as lost.
        running: Vec<StillRunning>,
        /// Slots whose device it has lost: they take no pack in this session.
        lost: BTreeSet<u32>,
        /// The memory of its slots in bytes, in order; 0, or nothing at the end, where it is not known.
        memory: Vec<u64>,
    },
    /// A worker lost the devices of slots. They take no more packs until it joins again; what holds one
    /// ends by its own report. Slots that are lost already, or that it does not have, change nothing.
    SlotsLost {
        /// The worker.
        worker: WorkerId,
        /// The slots.
        slots: BTreeSet<u32>,
    },
    /// The connection to a worker is lost. Its leases go on until they run out.
    WorkerGone {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker said goodbye: its slots are gone now.
    WorkerLeft {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker is to get no more work and hand back what it has; it ends with its session.
    DrainAsked {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker still works on a pack: its lease is renewed.
    Progress {
        /// The worker.
        worker: WorkerId,
        /// The pack.
        pack: PackId,
        /// Its fence.
        fence: Fence,
        /// How far it is, where the word says so.
        steps: Option<Steps>,
        /// A checkpoint written since.
        checkpoint: Option<Checkpoint>,
    },
    /// A worker is through with a pack, one way or another. Sent again until it is acknowledged.
    Reported {
        /// The worker.
        worker: WorkerId,
        /// The pack.
        pack: PackId,
        /// Its fence.
        fence: Fence,
        /// How it ended.
        outcome: Outcome,
    },
    /// The coordinator verified and indexed a reported result, or could not.
    Ingested {
        /// The pack.
        pack: PackId,
        /// The fence that reported it.
        fence: Fence,
        /// Whether it counts.
        outcome: Result<(), Fault>,
    },
    /// The statistics of an audit are computed and stored, or failed.
    Analysed {
        /// The audit.
        audit: AuditId,
        /// Whether the findings are there.
        outcome: Result<(), Fault>,
    },
    /// Time has passed.
    Tick,
}

/// The most slots of one worker that are used.
pub const MAX_SLOTS: u32 = 1024;

/// What a worker that joins is at work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillRunning {
    /// The slot's number.
    pub slot: u32,
    /// The pack.
    pub pack: PackId,
    /// Its fence.
    pub fence: Fence,
}

/// How far a pack is: training steps, summed over its shadows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Taken, from the pack's start.
    pub done: u64,
    /// Still to be taken.
    pub left: u64,
}

/// How work on a pack ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The result is durable in the blob store.
    Done(PackResult),
    /// It failed.
    Failed(Fault),
    /// The worker handed it back, unfinished: it was revoked, or preempted, or drains.
    Released {
        /// The last checkpoint written.
        checkpoint: Option<Checkpoint>,
    },
}
