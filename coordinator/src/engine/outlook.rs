//! When an audit that waits for slots could be through.

use umbra_core::cluster::Cluster;
use umbra_core::ids::AuditId;

use super::term::Term;
use crate::facts::AuditFacts;

/// An audit's place in the queue, and what it means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Audits that come before it.
    pub position: u32,
    /// Seconds until it could be through; 0 where it cannot be said.
    pub seconds: f64,
}

impl Term {
    /// The outlook of an audit that has packs waiting for slots. Slots are shared, so it is through at the
    /// latest when everything of its class is that has its priority or a higher one; how long that takes
    /// is told from the records that all slots of the class train on at present.
    pub(super) fn outlook(&self, id: &AuditId) -> Option<Outlook> {
        let position = self.cluster.queue_position(id)?;
        // One that runs has a rate of its own.
        if self.cluster.unfinished(id).is_none_or(|counts| counts.running > 0) {
            return Some(Outlook { position, seconds: 0.0 });
        }
        let entry = self.audits.get(id)?;
        let (numerics, priority) = (&entry.task.numerics, entry.task.facts.spec.placement().priority());
        let (mut samples, mut rate) = (0.0, 0.0);
        for (other, entry) in self.audits.iter().filter(|(_, entry)| entry.task.numerics == *numerics) {
            rate += self.progress.totals(other).samples_per_second;
            let facts = &entry.task.facts;
            if facts.spec.placement().priority() >= priority {
                samples += samples_left(&self.cluster, facts);
            }
        }
        let seconds = if rate > 0.0 { samples / rate } else { 0.0 };
        Some(Outlook { position, seconds })
    }
}

/// Training records that an audit's packs still have to see, those at work as if they had just begun.
fn samples_left(cluster: &Cluster, facts: &AuditFacts) -> f64 {
    let Some(counts) = cluster.unfinished(&facts.id) else { return 0.0 };
    let packs = facts.plan.packs.len().max(1) as f64;
    let left = f64::from(counts.waiting + counts.running) / packs;
    let steps = f64::from(facts.spec.shadows().count()) * facts.plan.steps as f64;
    left * steps * f64::from(facts.spec.training().batch())
}
