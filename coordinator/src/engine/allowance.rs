//! What may be written under a fence: no more than the plan's pack can have.

use umbra_core::ids::Fence;

use super::term::Term;
use crate::api::Allowance;

/// Bytes of a result beside its logits: header, index, and what compression may add to little.
const BESIDE: u64 = 1 << 20;

impl Term {
    /// What may be written under a fence; none if it is not live.
    pub(super) fn allowance(&self, fence: Fence) -> Option<Allowance> {
        let (pack, _) = self.cluster.live_fence(fence)?;
        let facts = &self.audits.get(&pack.audit)?.task.facts;
        let shadows = facts.plan.packs.get(pack.pack.0 as usize)?.shadows.len() as u64;
        let spec = &facts.spec;
        let row = u64::from(facts.logits()) * u64::from(spec.queries().views()) * shadows;
        let raw = facts.dataset.shape.records.saturating_mul(row).saturating_mul(4);
        // A shadow that diverges is trained once more.
        let steps = facts.plan.steps.saturating_mul(shadows).saturating_mul(2);
        let checkpoints = steps / spec.placement().checkpoint_steps().max(1);
        // What cannot be compressed grows by less than a 64th.
        let logits = raw.saturating_add(raw / 64).saturating_add(BESIDE);
        let weights = spec.placement().keep_weights();
        // Beside the checkpoints: the one it is handed back with, the result, and the weights.
        Some(Allowance { pack, logits, weights, blobs: checkpoints.saturating_add(2 + u64::from(weights)) })
    }
}
