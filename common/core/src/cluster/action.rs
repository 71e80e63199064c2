//! What the shell has to do after a step.

use crate::cluster::record::{Checkpoint, PackResult, Record, RecordKey};
use crate::ids::{AuditId, Fence, Millis, PackId, SlotId, WorkerId};

/// Something for the shell to do.
///
/// All `Put` and `Delete` of one step (they come first, at most [`MAX_RECORDS`]) go into one transaction,
/// which must succeed **before** any other action is performed. If it fails, the shell drops the cluster,
/// ends all workers' sessions and restores from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Store a record under its key.
    Put(Record),
    /// Remove a record, if it is there.
    Delete(RecordKey),
    /// Have a slot work on a pack.
    Assign {
        /// The slot.
        slot: SlotId,
        /// The pack.
        pack: PackId,
        /// The fence to report it under; it goes into every blob key.
        fence: Fence,
        /// Where to go on from; from the start if none.
        resume_from: Option<Checkpoint>,
    },
    /// Have a worker stop working on a pack and report it `Released`. May come more than once.
    Revoke {
        /// The worker.
        worker: WorkerId,
        /// The pack.
        pack: PackId,
        /// The fence to stop.
        fence: Fence,
        /// Why.
        reason: RevokeReason,
    },
    /// Verify and index a reported result, then say [`Event::Ingested`](crate::cluster::Event). Must be
    /// idempotent: it is asked again after every restore.
    Ingest {
        /// The pack.
        pack: PackId,
        /// The fence that reported it.
        fence: Fence,
        /// What to verify.
        result: PackResult,
    },
    /// Every pack is done: compute the statistics, then say [`Event::Analysed`](crate::cluster::Event).
    /// Must be idempotent.
    Finish {
        /// The audit.
        audit: AuditId,
    },
    /// Tell a worker that its fence is stale, and count it. Once per session and fence.
    Refuse {
        /// The worker.
        worker: WorkerId,
        /// The pack.
        pack: PackId,
        /// The stale fence.
        fence: Fence,
    },
    /// Tell a worker that it may forget its report: it is durable, or nobody needs it any more.
    Acknowledge {
        /// The worker.
        worker: WorkerId,
        /// The pack.
        pack: PackId,
        /// The fence of the report.
        fence: Fence,
    },
    /// Give a [`Event::Tick`](crate::cluster::Event) at this time or soon after. It replaces an earlier
    /// wish, which was later or is past.
    WakeAt(Millis),
}

/// The most records one step writes and deletes.
pub const MAX_RECORDS: usize = 100;

/// Why a worker is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevokeReason {
    /// The audit ended without this pack: nobody wants its result.
    Cancelled,
    /// The worker drains: checkpoint and hand back; a result that comes first still counts.
    Draining,
    /// The fence is stale: another one has the pack.
    Stale,
    /// The pack is to go on on a faster slot: checkpoint and hand back; a result that comes first still counts.
    Moving,
}
