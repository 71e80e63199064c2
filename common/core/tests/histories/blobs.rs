//! A model blob store that knows who wrote every key. P1: no two fences write the same key.

use std::collections::BTreeMap;

use umbra_core::cluster::{Checkpoint, PackResult};
use umbra_core::digest::Digest;
use umbra_core::ids::{Fence, PackId};

use crate::machine::digest_of;

#[derive(Debug, Default)]
pub struct Blobs {
    authors: BTreeMap<String, u64>,
    next_author: u64,
}

impl Blobs {
    pub fn new_author(&mut self) -> u64 {
        self.next_author += 1;
        self.next_author
    }

    fn write(&mut self, key: &str, author: u64) -> Digest {
        let first = *self.authors.entry(key.to_owned()).or_insert(author);
        assert_eq!(first, author, "P1: two assignments wrote {key}");
        digest_of(key)
    }

    pub fn write_checkpoint(&mut self, pack: &PackId, fence: Fence, step: u64, author: u64) -> Checkpoint {
        let key = format!("{pack}/{fence}/checkpoint-{step}");
        let digest = self.write(&key, author);
        Checkpoint { step, fence, key, digest, bytes: 9 }
    }

    pub fn write_result(&mut self, pack: &PackId, fence: Fence, author: u64) -> (String, Digest) {
        let key = format!("{pack}/{fence}/logits");
        let digest = self.write(&key, author);
        (key, digest)
    }

    /// A result of an earlier audit.
    pub fn write_old_result(&mut self, pack: &PackId, submission: u64) -> PackResult {
        let author = self.new_author();
        let key = format!("{pack}/before-{submission}/logits");
        let digest = self.write(&key, author);
        PackResult { key, digest, bytes: 1, lost: vec![], weights: None }
    }

    /// The weights that an earlier audit kept: a checkpoint from before any fence.
    pub fn write_old_weights(&mut self, pack: &PackId) -> Checkpoint {
        let author = self.new_author();
        // Another submission of the audit may be given other ones.
        self.write_checkpoint(pack, Fence(0), author, author)
    }

    /// The step of a checkpoint, which must exist and be the pack's.
    pub fn read_checkpoint(&self, pack: &PackId, checkpoint: &Checkpoint) -> u64 {
        assert!(self.authors.contains_key(&checkpoint.key), "checkpoint {} does not exist", checkpoint.key);
        assert!(
            checkpoint.key.starts_with(&format!("{pack}/{}/", checkpoint.fence)),
            "{checkpoint:?} is not {pack}'s"
        );
        checkpoint.step
    }

    /// A result, which must exist, be the pack's, and carry the fence that reported it.
    pub fn read_result(&self, pack: &PackId, fence: Option<Fence>, result: &PackResult) {
        assert!(self.authors.contains_key(&result.key), "result {} does not exist", result.key);
        assert_eq!(result.digest, digest_of(&result.key));
        let fence = fence.map_or("before-".to_owned(), |fence| format!("{fence}/"));
        assert!(
            result.key.starts_with(&format!("{pack}/{fence}")),
            "{result:?} is not {pack}'s under {fence}"
        );
    }
}
