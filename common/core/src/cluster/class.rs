//! One numerics class: the workers that offer it and the audits that want it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Cluster;
use super::audit::Audit;
use super::size::{Need, Size};
use super::worker::{Duty, Worker};
use crate::ids::{AuditId, WorkerId};

/// Supply and demand of one numerics class, kept in the order in which they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Class {
    /// Workers on duty with a free slot, by its size; of each size the least busy first. No set is empty.
    free: BTreeMap<Size, BTreeSet<(u32, WorkerId)>>,
    /// Slots that are not lost, by size, of workers on duty. None is of no worker.
    supply: BTreeMap<Size, Supply>,
    /// Workers on duty with a slot that is not lost.
    pub(super) on_duty: u32,
    /// Workers on duty without such a slot.
    pub(super) unable: u32,
    /// Lost slots of workers on duty.
    pub(super) lost: u32,
    /// Connected workers that drain.
    pub(super) draining: u32,
    /// Connected workers that let a lease run out and have not spoken since.
    pub(super) silent: u32,
    /// Connected workers in quarantine.
    pub(super) quarantined: u32,
    /// Audits with packs that could start now, by what a slot must have for them, in fair order. No set is
    /// empty.
    ready: BTreeMap<Need, BTreeSet<FairKey>>,
}

/// Slots of one size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Supply {
    slots: u32,
    workers: BTreeSet<WorkerId>,
}

impl Class {
    /// Connected workers that offer the class.
    pub(super) const fn connected(&self) -> u32 {
        self.on_duty + self.unable + self.draining + self.silent + self.quarantined
    }

    /// Free slots that are large enough, by size and worker: the smallest first, then the least busy worker.
    pub(super) fn fitting(&self, need: Need) -> impl Iterator<Item = (Size, &WorkerId)> {
        let sizes = self.free.range(need.least()..);
        sizes.flat_map(|(size, workers)| workers.iter().map(|(_, worker)| (*size, worker)))
    }

    /// Whether a worker on duty, but this one, has a slot that is large enough, free or taken.
    pub(super) fn has_other(&self, need: Need, worker: &WorkerId) -> bool {
        self.supply
            .range(need.least()..)
            .any(|(_, supply)| supply.workers.iter().any(|other| other != worker))
    }

    /// Slots that are large enough, free or taken.
    pub(super) fn slots(&self, need: Need) -> u32 {
        self.supply.range(need.least()..).map(|(_, supply)| supply.slots).sum()
    }

    /// The largest slot, free or taken.
    pub(super) fn largest(&self) -> Option<Size> {
        self.supply.last_key_value().map(|(size, _)| *size)
    }

    /// The audits that have packs for a free slot, by need, each in fair order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &BTreeSet<FairKey>> {
        let most = self.free.last_key_value().map(|(size, _)| size.most());
        most.into_iter().flat_map(|most| self.ready.range(..=most).map(|(_, keys)| keys))
    }

    /// How many audits that wait for slots come before this one.
    pub(super) fn ahead(&self, key: &FairKey) -> usize {
        self.ready.values().map(|keys| keys.range(..key).count()).sum()
    }

    pub(super) fn list(&mut self, need: Need, key: FairKey) {
        self.ready.entry(need).or_default().insert(key);
    }

    fn unlist(&mut self, need: Need, key: &FairKey) {
        if let Some(keys) = self.ready.get_mut(&need) {
            keys.remove(key);
            if keys.is_empty() {
                self.ready.remove(&need);
            }
        }
    }

    /// The count that a worker on duty is part of.
    fn fit(&mut self, worker: &Worker) -> &mut u32 {
        if worker.usable() > 0 { &mut self.on_duty } else { &mut self.unable }
    }

    fn is_empty(&self) -> bool {
        self.connected() == 0 && self.ready.is_empty()
    }

    fn add(&mut self, id: &WorkerId, worker: &Worker) {
        match worker.duty() {
            Duty::Gone => {}
            Duty::Draining => self.draining += 1,
            Duty::Silent => self.silent += 1,
            Duty::Quarantined => self.quarantined += 1,
            Duty::On => {
                *self.fit(worker) += 1;
                self.lost += worker.lost.len() as u32;
                for (size, slots) in worker.supply() {
                    let supply = self.supply.entry(size).or_default();
                    supply.slots += slots;
                    supply.workers.insert(id.clone());
                }
                for size in worker.free().keys() {
                    self.free.entry(*size).or_default().insert((worker.busy(), id.clone()));
                }
            }
        }
    }

    fn remove(&mut self, id: &WorkerId, worker: &Worker) {
        match worker.duty() {
            Duty::Gone => {}
            Duty::Draining => self.draining -= 1,
            Duty::Silent => self.silent -= 1,
            Duty::Quarantined => self.quarantined -= 1,
            Duty::On => {
                *self.fit(worker) -= 1;
                self.lost -= worker.lost.len() as u32;
                for (size, slots) in worker.supply() {
                    if let Some(supply) = self.supply.get_mut(&size) {
                        supply.slots -= slots;
                        supply.workers.remove(id);
                        if supply.workers.is_empty() {
                            self.supply.remove(&size);
                        }
                    }
                }
                let at = (worker.busy(), id.clone());
                for size in worker.free().keys() {
                    if let Some(workers) = self.free.get_mut(size) {
                        workers.remove(&at);
                        if workers.is_empty() {
                            self.free.remove(size);
                        }
                    }
                }
            }
        }
    }
}

/// An audit's place in the queue of its class: priority, then the smallest share used, then age.
#[derive(Debug, Clone)]
pub(super) struct FairKey {
    priority: i32,
    running: u32,
    weight: u32,
    sequence: u64,
    pub(super) audit: AuditId,
}

impl FairKey {
    /// The place of an audit that has packs to start, or none.
    pub(super) fn of(audit: &Audit) -> Option<Self> {
        let record = &audit.record;
        audit.is_ready().then(|| Self {
            priority: record.demand.priority,
            running: audit.counts().running,
            weight: record.demand.weight.max(1),
            sequence: record.sequence,
            audit: record.id.clone(),
        })
    }

    /// running / weight of both sides, compared without a division.
    fn cmp_share(&self, other: &Self) -> Ordering {
        let mine = u64::from(self.running) * u64::from(other.weight);
        let theirs = u64::from(other.running) * u64::from(self.weight);
        mine.cmp(&theirs)
    }
}

impl Ord for FairKey {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.priority.cmp(&self.priority))
            .then_with(|| self.cmp_share(other))
            .then_with(|| self.sequence.cmp(&other.sequence))
            .then_with(|| self.audit.cmp(&other.audit))
    }
}

impl PartialOrd for FairKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FairKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for FairKey {}

impl Cluster {
    /// Changes a worker and its places in its classes along with it. Does nothing for an unknown worker.
    pub(super) fn change_worker<R>(
        &mut self,
        id: &WorkerId,
        change: impl FnOnce(&mut Worker) -> R,
    ) -> Option<R> {
        let worker = self.workers.get_mut(id)?;
        for name in &worker.numerics {
            if let Some(class) = self.classes.get_mut(name) {
                class.remove(id, worker);
                if class.is_empty() {
                    self.classes.remove(name);
                }
            }
        }
        let result = change(worker);
        self.list_worker(id);
        Some(result)
    }

    /// Puts a worker that is on no list on those of its classes.
    pub(super) fn list_worker(&mut self, id: &WorkerId) {
        let Some(worker) = self.workers.get(id).filter(|worker| worker.duty() != Duty::Gone) else { return };
        for name in &worker.numerics {
            if !self.classes.contains_key(name) {
                self.classes.insert(name.clone(), Class::default());
            }
            if let Some(class) = self.classes.get_mut(name) {
                class.add(id, worker);
            }
        }
    }

    /// Brings an audit's place in its class up to date.
    pub(super) fn relist(&mut self, id: &AuditId) {
        let Some(audit) = self.audits.get_mut(id) else { return };
        let wanted = FairKey::of(audit);
        if audit.listed.as_ref().map(|(need, key)| (*need, key))
            == wanted.as_ref().map(|key| (audit.need(), key))
        {
            return;
        }
        let need = audit.need();
        let name = &audit.record.demand.numerics;
        if let Some((need, old)) = audit.listed.take()
            && let Some(class) = self.classes.get_mut(name)
        {
            class.unlist(need, &old);
            if class.is_empty() && wanted.is_none() {
                self.classes.remove(name);
            }
        }
        if let Some(key) = wanted {
            audit.listed = Some((need, key.clone()));
            if !self.classes.contains_key(name) {
                self.classes.insert(name.clone(), Class::default());
            }
            if let Some(class) = self.classes.get_mut(name) {
                class.list(need, key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(priority: i32, running: u32, weight: u32, sequence: u64) -> FairKey {
        FairKey { priority, running, weight, sequence, audit: AuditId::try_new("a").unwrap() }
    }

    #[test]
    fn fair_order_is_priority_then_share_then_age() {
        let mut keys = [key(0, 2, 1, 0), key(0, 3, 2, 9), key(0, 3, 2, 8), key(1, 99, 1, 7), key(0, 0, 1, 6)];
        keys.sort();
        assert_eq!(keys.map(|key| key.sequence), [7, 6, 8, 9, 0]);
    }

    #[test]
    fn shares_of_any_size_are_compared_exactly() {
        let (low, high) = (key(0, u32::MAX - 1, u32::MAX, 1), key(0, u32::MAX, u32::MAX, 0));
        assert!(low < high);
        assert_eq!(key(0, 1, 2, 5), key(0, 2, 4, 5));
    }
}
