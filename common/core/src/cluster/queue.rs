//! The packs of one audit that wait. Untouched ones are a cursor and cost no memory.

use std::collections::{BTreeMap, BTreeSet};

use super::class::Class;
use super::size::{Need, Size};
use crate::ids::{Millis, PackIndex, WorkerId};

/// The waiting packs of one audit, by what they wait for. Untouched packs are those from `fresh` on that
/// have no record; everything else that waits is in exactly one of the sets.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// Were touched before, and may start on any slot.
    again: BTreeSet<PackIndex>,
    /// May start on any worker but the one that failed them.
    avoiding: BTreeMap<WorkerId, BTreeSet<PackIndex>>,
    /// May start at a time to come.
    later: BTreeSet<(Millis, PackIndex)>,
    /// The first untouched pack; the number of packs if there is none.
    pub(super) fresh: u32,
}

impl Queue {
    /// Whether a touched pack could start now.
    pub(super) fn has_touched(&self) -> bool {
        !self.again.is_empty() || !self.avoiding.is_empty()
    }

    /// A pack that may start on any slot.
    pub(super) fn put(&mut self, pack: PackIndex, avoid: Option<&WorkerId>) {
        match avoid {
            None => self.again.insert(pack),
            Some(worker) => self.avoiding.entry(worker.clone()).or_default().insert(pack),
        };
    }

    pub(super) fn remove(&mut self, pack: PackIndex, avoid: Option<&WorkerId>) {
        self.again.remove(&pack);
        if let Some(worker) = avoid
            && let Some(packs) = self.avoiding.get_mut(worker)
        {
            packs.remove(&pack);
            if packs.is_empty() {
                self.avoiding.remove(worker);
            }
        }
    }

    pub(super) fn put_off(&mut self, pack: PackIndex, until: Millis) {
        self.later.insert((until, pack));
    }

    /// Whether the pack was put off until then; it no longer is.
    pub(super) fn take_off(&mut self, pack: PackIndex, until: Millis) -> bool {
        self.later.remove(&(until, pack))
    }

    /// What is put off, soonest first.
    pub(super) fn later(&self) -> &BTreeSet<(Millis, PackIndex)> {
        &self.later
    }

    /// The touched packs that could start now.
    pub(super) fn touched(&self) -> impl Iterator<Item = PackIndex> + '_ {
        self.again.iter().chain(self.avoiding.values().flatten()).copied()
    }

    /// A worker that waiting packs avoid.
    pub(super) fn avoided(&self) -> Option<&WorkerId> {
        self.avoiding.keys().next()
    }

    /// The best match of a touched pack with a free slot that is large enough. A pack takes the worker that
    /// failed it only if no other worker of the class on duty has such a slot.
    pub(super) fn pick<'a>(&self, class: &'a Class, need: Need) -> Option<(PackIndex, Size, &'a WorkerId)> {
        let (size, first) = class.fitting(need).next()?;
        if let Some(pack) = self.again.first() {
            return Some((*pack, size, first));
        }
        // At most two rounds fail: each free worker is avoided by one set only.
        for (avoid, packs) in &self.avoiding {
            let pack = packs.first()?;
            match class.fitting(need).find(|(_, worker)| *worker != avoid) {
                Some((size, worker)) => return Some((*pack, size, worker)),
                None if !class.has_other(need, avoid) => return Some((*pack, size, first)),
                None => {}
            }
        }
        None
    }
}
