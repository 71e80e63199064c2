//! Which waiting pack starts next, and where.

use super::Cluster;
use super::out::Out;
use crate::ids::{PackId, WorkerId};

impl Cluster {
    /// Places waiting packs on free slots, as many as this step may.
    pub(super) fn place(&mut self, out: &mut Out) {
        // One placement touches the pack and the cluster's next fence.
        while out.room() >= 2 {
            let Some((pack, worker)) = self.choose() else { break };
            self.assign(pack, &worker, out);
        }
    }

    /// The next placement: of all audits that could start a pack on a free slot, the first in fair
    /// order. A few steps down search trees for each numerics class; classes are few.
    pub(super) fn choose(&self) -> Option<(PackId, WorkerId)> {
        let mut best = None;
        for class in self.classes.values().filter(|class| !class.free.is_empty()) {
            for key in &class.ready {
                if best.as_ref().is_some_and(|(first, _, _)| *first <= key) {
                    break;
                }
                // Rarely none: every free worker just failed all that this audit has waiting.
                let picked = self.audits.get(&key.audit).and_then(|audit| audit.pick(class));
                if let Some((pack, worker)) = picked {
                    best = Some((key, pack, worker));
                    break;
                }
            }
        }
        best.map(|(key, pack, worker)| (PackId { audit: key.audit.clone(), pack }, worker.clone()))
    }
}
