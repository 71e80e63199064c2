//! What is persisted: one record for the cluster, one for each audit, one for each pack that has
//! something to remember. The shell converts them to stored messages and back.

use crate::digest::Digest;
use crate::fault::Fault;
use crate::ids::{AuditId, Fence, PackId, Shadow, WorkerId};
use crate::lifecycle::{AuditState, PackState};

/// The key of one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// The cluster's only record.
    Cluster,
    /// An audit's record.
    Audit(AuditId),
    /// A pack's record.
    Pack(PackId),
}

/// One record, of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The cluster's only record.
    Cluster(ClusterRecord),
    /// An audit's record.
    Audit(AuditRecord),
    /// A pack's record.
    Pack(PackRecord),
}

impl Record {
    /// The key it is stored under.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Cluster(_) => RecordKey::Cluster,
            Self::Audit(record) => RecordKey::Audit(record.id.clone()),
            Self::Pack(record) => RecordKey::Pack(record.id.clone()),
        }
    }
}

/// What the cluster as a whole must never forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterRecord {
    /// The next fence to give: stored together with every assignment, so none is ever given twice.
    pub next_fence: Fence,
    /// The next audit's place in the order of submission.
    pub next_sequence: u64,
}

impl Default for ClusterRecord {
    fn default() -> Self {
        Self { next_fence: Fence(1), next_sequence: 0 }
    }
}

/// What an audit asks of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditDemand {
    /// How many packs its plan has: they are the indices `0..packs`.
    pub packs: u32,
    /// The numerics class it is pinned to: only slots of workers that offer it are used.
    pub numerics: String,
    /// Higher goes first.
    pub priority: i32,
    /// Its share among audits of its priority; 0 counts as 1.
    pub weight: u32,
    /// The most slots that it uses at a time; 0 for any number.
    pub max_slots: u32,
    /// Bytes that a slot must have for one of its packs, as an estimate from below; 0 where nothing is known.
    pub memory_bytes: u64,
}

/// An audit, as it is persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its name.
    pub id: AuditId,
    /// Where it stands.
    pub state: AuditState,
    /// What it asks for.
    pub demand: AuditDemand,
    /// Its place in the order of submission.
    pub sequence: u64,
    /// Why it failed; only in [`AuditState::Failed`].
    pub fault: Option<Fault>,
    /// Its records are being deleted, this one last.
    pub deleting: bool,
}

/// A pack, as it is persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackRecord {
    /// Its name.
    pub id: PackId,
    /// Where it stands, with the fence and the slot or the result.
    pub state: PackState,
    /// How often it failed.
    pub attempts: u32,
    /// How often it was lost with its worker or handed back.
    pub losses: u32,
    /// Where the next lease goes on from.
    pub checkpoint: Option<Checkpoint>,
    /// Its latest failure.
    pub last_fault: Option<Fault>,
    /// The worker that is not to have it next, if there is another; while its result is being verified, the
    /// worker that made it.
    pub avoid: Option<WorkerId>,
    /// The memory in bytes of the largest slot that turned out too small for it; 0 if none did.
    pub too_small: u64,
}

impl PackRecord {
    /// A pack nobody touched yet.
    pub const fn untouched(id: PackId) -> Self {
        let state = PackState::Waiting;
        Self {
            id,
            state,
            attempts: 0,
            losses: 0,
            checkpoint: None,
            last_fault: None,
            avoid: None,
            too_small: 0,
        }
    }

    /// Whether it says no more than the plan does, so that it need not be stored.
    pub const fn is_untouched(&self) -> bool {
        matches!(self.state, PackState::Waiting)
            && self.attempts == 0
            && self.losses == 0
            && self.checkpoint.is_none()
            && self.last_fault.is_none()
            && self.avoid.is_none()
            && self.too_small == 0
    }
}

/// A pointer to a checkpoint blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Training steps that are in it.
    pub step: u64,
    /// The fence it was written under; it is part of the key.
    pub fence: Fence,
    /// The blob's key.
    pub key: String,
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's size in bytes.
    pub bytes: u64,
}

impl Checkpoint {
    /// Whether this one replaces `old`. A later fence began at the earlier fence's checkpoint or, if that
    /// could not be read, again; either way its own is the one to trust.
    pub fn supersedes(&self, old: Option<&Self>) -> bool {
        old.is_none_or(|old| (self.fence, self.step) > (old.fence, old.step))
    }
}

/// A pointer to the logits blob of a finished pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackResult {
    /// The blob's key; it carries the fence.
    pub key: String,
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's size in bytes.
    pub bytes: u64,
    /// Shadows that diverged twice and are reported as lost.
    pub lost: Vec<Shadow>,
    /// The weights of its shadows, if they are kept.
    pub weights: Option<Box<KeptWeights>>,
}

/// A pointer to the blob of a pack's trained shadows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWeights {
    /// The blob's key; it carries the fence.
    pub key: String,
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's size in bytes.
    pub bytes: u64,
}

/// What exists of a pack before its audit is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// Its result: nothing is left to do.
    Result(PackResult),
    /// Its shadows, trained: a checkpoint of the last step. Its fence is [`Fence`] 0, so that a checkpoint of the
    /// pack's own takes its place.
    Weights(Checkpoint),
}

impl Existing {
    /// The key of its blob.
    pub fn key(&self) -> &str {
        match self {
            Self::Result(result) => &result.key,
            Self::Weights(checkpoint) => &checkpoint.key,
        }
    }
}
