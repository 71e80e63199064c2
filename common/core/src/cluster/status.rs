//! What a cluster tells about itself: shapes of the answers, and why an audit waits, in words.

use std::fmt;

use crate::fault::Fault;
use crate::ids::{AuditId, Fence, Millis, PackId, PackIndex, SlotId, WorkerId};
use crate::lifecycle::AuditState;

/// How many packs of an audit stand where. The five add up to its packs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackCounts {
    /// Neither placed nor ended; of an audit that was cancelled or failed, the ones given up.
    pub waiting: u32,
    /// On a slot, under a live lease.
    pub running: u32,
    /// Reported, not verified yet.
    pub reported: u32,
    /// Verified.
    pub done: u32,
    /// Failed for good.
    pub failed: u32,
}

/// An audit at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditStatus {
    /// Its name.
    pub id: AuditId,
    /// Where it stands.
    pub state: AuditState,
    /// Where its packs stand.
    pub counts: PackCounts,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// Why packs of it wait, if some do.
    pub waiting: Option<WaitingReason>,
    /// Its records are being deleted.
    pub deleting: bool,
}

/// A pack at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningPack {
    /// Its index.
    pub pack: PackIndex,
    /// Where it runs.
    pub slot: SlotId,
    /// Under which fence.
    pub fence: Fence,
}

/// A worker at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its name.
    pub id: WorkerId,
    /// Whether it has a session now.
    pub connected: bool,
    /// Whether it hands back its packs and gets no more.
    pub draining: bool,
    /// Its slots.
    pub slots: u32,
    /// Slots that are taken, by live or stale fences.
    pub busy: u32,
    /// Slots that lost their device; one may still be taken.
    pub lost: u32,
    /// Its quarantine, while it is in one: it gets no more packs until then.
    pub quarantine: Option<QuarantineStatus>,
    /// The numerics classes it offers.
    pub numerics: Vec<String>,
}

/// Why and for how long a worker gets no more packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineStatus {
    /// How long it still lasts, in milliseconds from the latest step.
    pub wait_ms: u64,
    /// The latest of the failures in a row.
    pub fault: Fault,
}

/// A slot at a glance. It is free if neither holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotStatus {
    /// The pack that holds it, under a live or a stale fence.
    pub pack: Option<PackId>,
    /// It lost its device and takes no more packs.
    pub lost: bool,
}

/// Why packs of an audit wait. `Display` gives a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingReason {
    /// No worker is connected.
    NoWorker,
    /// Workers are connected, but none offers the audit's numerics class.
    NoNumerics {
        /// The class the audit is pinned to.
        wanted: String,
        /// The classes on offer.
        offered: Vec<String>,
    },
    /// Every worker that offers the class drains.
    Draining {
        /// How many there are.
        workers: u32,
    },
    /// The workers that could take it let a lease run out and have not spoken since.
    Silent {
        /// How many there are.
        workers: u32,
    },
    /// The workers that could take it failed everything of late and get no packs for a while.
    Quarantined {
        /// The worker that is out of it first.
        worker: WorkerId,
        /// When.
        until: Millis,
        /// How long that is from the latest step, in milliseconds.
        wait_ms: u64,
        /// Its latest failure.
        fault: Fault,
    },
    /// Every slot of the workers that could take it lost its device.
    Lost {
        /// How many there are.
        slots: u32,
    },
    /// Every slot of the class is taken.
    Busy {
        /// How many there are.
        slots: u32,
    },
    /// No slot of the class could ever hold a shadow of it.
    TooSmall {
        /// What a slot must have.
        needed_bytes: u64,
        /// What the largest has.
        largest_bytes: u64,
    },
    /// It uses as many slots as its own limit allows.
    Limited {
        /// How many those are.
        slots: u32,
    },
    /// What waits failed, and is tried again later.
    BackingOff {
        /// When the first is tried again.
        until: Millis,
        /// How long that is from the latest step, in milliseconds.
        wait_ms: u64,
        /// What went wrong with it.
        fault: Option<Fault>,
    },
    /// What waits failed on the only worker that is free.
    Avoiding {
        /// The worker.
        worker: WorkerId,
    },
    /// It is being placed: a wake-up is due at once.
    Starting,
}

impl fmt::Display for WaitingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorker => write!(f, "no worker is connected"),
            Self::NoNumerics { wanted, offered } => {
                write!(f, "no connected worker offers the numerics class {wanted}; offered: ")?;
                if offered.is_empty() { write!(f, "none") } else { write!(f, "{}", offered.join(", ")) }
            }
            Self::Draining { workers: 1 } => write!(f, "the only worker that could take it is draining"),
            Self::Draining { workers } => write!(f, "all {workers} workers that could take it are draining"),
            Self::Silent { workers: 1 } => write!(f, "the only worker that could take it does not answer"),
            Self::Silent { workers } => {
                write!(f, "the {workers} workers that could take it do not answer")
            }
            Self::Quarantined { worker, wait_ms, fault, .. } => {
                let seconds = wait_ms.div_ceil(1000);
                write!(
                    f,
                    "worker {worker} failed several packs in a row and gets no more for {seconds} s, "
                )?;
                write!(f, "after: {fault}")
            }
            Self::Lost { slots: 1 } => {
                write!(f, "the only slot that could take it lost its device: see `umbra worker list`")
            }
            Self::Lost { slots } => {
                write!(f, "all {slots} slots that could take it lost their device: see `umbra worker list`")
            }
            Self::Busy { slots: 0 } => write!(f, "the workers that could take it have no slot"),
            Self::Busy { slots: 1 } => write!(f, "the only slot that could take it is busy"),
            Self::Busy { slots } => write!(f, "all {slots} slots that could take it are busy"),
            Self::TooSmall { needed_bytes, largest_bytes } => {
                let (needs, has) = (Bytes(*needed_bytes), Bytes(*largest_bytes));
                write!(f, "a shadow needs a slot of {needs} and the largest has {has}: ")?;
                write!(f, "use a smaller model or batch, or a larger device")
            }
            Self::Limited { slots: 1 } => write!(f, "it uses the only slot that max_slots allows it"),
            Self::Limited { slots } => write!(f, "it uses all {slots} slots that max_slots allows it"),
            Self::BackingOff { wait_ms, fault, .. } => {
                write!(f, "tries again in {} s", wait_ms.div_ceil(1000))?;
                fault.as_ref().map_or(Ok(()), |fault| write!(f, ", after: {fault}"))
            }
            Self::Avoiding { worker } => {
                write!(f, "failed on worker {worker}, and every other worker that could take it is busy")
            }
            Self::Starting => write!(f, "is being placed"),
        }
    }
}

/// Bytes as people read them.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
        let unit = (self.0.max(1).ilog2() / 10).min(3);
        match unit {
            0 => write!(f, "{} bytes", self.0),
            unit => write!(f, "{:.1} {}", self.0 as f64 / f64::from(1 << (10 * unit)), UNITS[unit as usize]),
        }
    }
}
