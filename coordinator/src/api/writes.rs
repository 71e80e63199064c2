//! What workers write under their fences: one stream at a time, and no more than a pack can have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tonic::Status;
use umbra_core::ids::{Fence, PackId};
use umbra_proto::MAX_CHECKPOINT;
use umbra_proto::error::{Reason, bad_field, refuse};

/// Fences that are remembered; of more, the oldest are forgotten, which are over long since.
const REMEMBERED: usize = 1 << 16;

/// What may be written under a live fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The pack.
    pub pack: PackId,
    /// The most bytes that its logits can have.
    pub logits: u64,
    /// Whether its weights are kept.
    pub weights: bool,
    /// The most blobs: its checkpoints, the one it is handed back with, the result, and its weights.
    pub blobs: u64,
}

/// What was written under fences by this process.
#[derive(Default)]
pub struct Writes(Mutex<BTreeMap<Fence, Written>>);

struct Written {
    /// Cancelled when another stream takes over.
    stream: CancellationToken,
    names: BTreeSet<String>,
}

impl Allowance {
    /// Checks what a blob is called and how large it is.
    ///
    /// # Errors
    /// A status that says what is allowed.
    pub fn check(&self, name: &str, size: u64) -> Result<(), Status> {
        let step = name.strip_prefix("checkpoint-").and_then(|step| step.parse::<u64>().ok());
        let most = match (name, step) {
            ("logits", _) => self.logits,
            ("weights", _) if self.weights => MAX_CHECKPOINT,
            (_, Some(_)) => MAX_CHECKPOINT,
            _ => {
                let message = "a worker writes \"logits\", \"checkpoint-STEP\" and, where the audit keeps them, \"weights\"";
                return Err(bad_field("name", message));
            }
        };
        if size > most {
            let message = format!("{name:.40} has {size} bytes, a pack's can have {most}");
            return Err(refuse(Reason::TooLarge, message));
        }
        Ok(())
    }
}

impl Writes {
    /// Begins a stream under a fence and ends the one before: its sender is gone, or it would not begin
    /// another. The token is cancelled when a later one takes over.
    ///
    /// # Errors
    /// A status once more blobs were written than the pack can have.
    pub fn begin(&self, fence: Fence, name: &str, most: u64) -> Result<CancellationToken, Status> {
        let mut fences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fences.len() >= REMEMBERED && !fences.contains_key(&fence) {
            fences.pop_first();
        }
        let new = || Written { stream: CancellationToken::new(), names: BTreeSet::new() };
        let written = fences.entry(fence).or_insert_with(new);
        if !written.names.contains(name) {
            if written.names.len() as u64 >= most {
                let message =
                    format!("{most} blobs were written under fence {fence}, as many as its pack can have");
                return Err(refuse(Reason::TooLarge, message));
            }
            written.names.insert(name.to_owned());
        }
        written.stream.cancel();
        written.stream = CancellationToken::new();
        Ok(written.stream.clone())
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::ids::{AuditId, PackIndex};

    use super::*;

    #[test]
    fn names_and_sizes_are_those_of_a_pack() {
        let pack = PackId { audit: AuditId::try_new("a-1").unwrap(), pack: PackIndex(0) };
        let allowance = Allowance { pack, logits: 1000, weights: false, blobs: 3 };
        let reason =
            |name: &str, size| allowance.check(name, size).err().and_then(|status| Reason::of(&status));
        assert_eq!(reason("logits", 1000), None);
        assert_eq!(reason("logits", 1001), Some(Reason::TooLarge));
        assert_eq!(reason("checkpoint-500", MAX_CHECKPOINT), None);
        assert_eq!(reason("checkpoint-500", MAX_CHECKPOINT + 1), Some(Reason::TooLarge));
        for name in
            ["", "notes", "weights", "checkpoint-", "checkpoint-x", "checkpoint--1", "logits/x", "../logits"]
        {
            assert_eq!(reason(name, 1), Some(Reason::InvalidArgument), "{name}");
        }
        let keeps = Allowance { weights: true, ..allowance.clone() };
        assert!(keeps.check("weights", MAX_CHECKPOINT).is_ok());
        assert!(keeps.check("weights", MAX_CHECKPOINT + 1).is_err());
    }

    #[test]
    fn the_latest_stream_of_a_fence_goes_on_and_blobs_are_counted_once() {
        let writes = Writes::default();
        let first = writes.begin(Fence(1), "logits", 2).unwrap();
        let other = writes.begin(Fence(2), "logits", 2).unwrap();
        let second = writes.begin(Fence(1), "logits", 2).unwrap();
        assert!(first.is_cancelled() && !second.is_cancelled() && !other.is_cancelled());
        writes.begin(Fence(1), "checkpoint-1", 2).unwrap();
        let refused = writes.begin(Fence(1), "checkpoint-2", 2).unwrap_err();
        assert_eq!(Reason::of(&refused), Some(Reason::TooLarge));
        writes.begin(Fence(1), "checkpoint-1", 2).unwrap();
    }
}
