//! What a collection of garbage asks of the leader: which blobs its records name, and whether some may go.

use std::collections::BTreeSet;

use umbra_core::ids::{PackId, PackIndex};
use umbra_core::lifecycle::PackState;
use umbra_core::places;

use super::term::{Term, TermEnd};
use crate::gc::Kept;
use crate::store::{Entry, Op};

impl Term {
    /// The blobs that audits name or are about to name; findings and data sets are in records of their own.
    pub(super) fn kept(&self) -> Kept {
        let mut kept = Kept { keys: self.named(), ..Kept::default() };
        for (audit, entry) in &self.audits {
            let facts = &entry.task.facts;
            kept.keys.insert(facts.dataset.key.clone());
            for pack in 0..facts.plan.packs.len() as u32 {
                let id = PackId { audit: audit.clone(), pack: PackIndex(pack) };
                let Some(record) = self.cluster.pack(&id) else { continue };
                match &record.state {
                    PackState::Leased { fence, .. } | PackState::Reported { fence, .. } => {
                        kept.folders.insert(places::pack_blob(&id, *fence, ""));
                    }
                    PackState::Waiting | PackState::Done { .. } | PackState::Failed => {}
                }
            }
        }
        kept
    }

    /// Those of the blobs that no record has come to name since they were listed. Proves first that this
    /// coordinator still leads: another one's records may name them.
    pub(super) async fn collect(&mut self, candidates: Vec<String>) -> Result<BTreeSet<String>, TermEnd> {
        self.prove_lead().await?;
        let kept = self.kept();
        Ok(candidates.into_iter().filter(|key| !kept.has(key)).collect())
    }

    /// Forgets entries of the index of results that are still as they were read; how many.
    pub(super) async fn forget(&mut self, entries: Vec<Entry>) -> Result<u64, TermEnd> {
        let mut ops = Vec::new();
        for Entry { key, value } in entries {
            // Only this engine writes the index: it cannot change before the commit.
            let now = self.read(&key).await?;
            if now.is_some_and(|now| now.bytes == value.bytes) {
                ops.push(Op::Delete { key });
            }
        }
        let forgotten = ops.len() as u64;
        self.commit(ops).await?;
        Ok(forgotten)
    }
}
