//! Which waiting pack starts next, and where.

use std::collections::BTreeSet;

use super::Cluster;
use super::class::{Class, FairKey};
use super::out::Out;
use super::size::Size;
use crate::ids::{PackId, PackIndex, WorkerId};

/// An audit, a pack of it, and a free slot for that.
type Match<'a> = (&'a FairKey, PackIndex, Size, &'a WorkerId);

impl Cluster {
    /// Places waiting packs on free slots, as many as this step may.
    pub(super) fn place(&mut self, out: &mut Out) {
        // One placement touches the pack and the cluster's next fence.
        while out.room() >= 2 {
            let Some((pack, size, worker)) = self.choose() else { break };
            self.assign(pack, &worker, size, out);
        }
    }

    /// The next placement: of all audits that could start a pack on a free slot, the first in fair order;
    /// of the free slots that are large enough, the smallest. A few steps down search trees for each numerics
    /// class and each need of memory; both are few.
    pub(super) fn choose(&self) -> Option<(PackId, Size, WorkerId)> {
        let mut best: Option<Match<'_>> = None;
        for class in self.classes.values() {
            for found in class.waiting().filter_map(|keys| self.first_placed(class, keys)) {
                if best.as_ref().is_none_or(|(first, ..)| found.0 < *first) {
                    best = Some(found);
                }
            }
        }
        best.map(|(key, pack, size, worker)| {
            (PackId { audit: key.audit.clone(), pack }, size, worker.clone())
        })
    }

    /// The first of these audits that can start a pack. Rarely not the very first: every free worker just
    /// failed all that it has waiting.
    fn first_placed<'a>(&self, class: &'a Class, keys: &'a BTreeSet<FairKey>) -> Option<Match<'a>> {
        keys.iter().find_map(|key| {
            let (pack, size, worker) = self.audits.get(&key.audit)?.pick(class)?;
            Some((key, pack, size, worker))
        })
    }
}
