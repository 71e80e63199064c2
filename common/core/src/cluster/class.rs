//! One numerics class: the workers that offer it and the audits that want it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::Cluster;
use super::audit::Audit;
use super::worker::{Duty, Worker};
use crate::ids::{AuditId, WorkerId};

/// Supply and demand of one numerics class, kept in the order in which they are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Class {
    /// Workers on duty with a free slot, least busy first.
    pub(super) free: BTreeSet<(u32, WorkerId)>,
    /// Workers on duty with a slot that is not lost.
    pub(super) on_duty: u32,
    /// Their slots that are not lost.
    pub(super) slots: u32,
    /// Workers on duty without such a slot.
    pub(super) unable: u32,
    /// Lost slots of workers on duty.
    pub(super) lost: u32,
    /// Connected workers that drain.
    pub(super) draining: u32,
    /// Connected workers that let a lease run out and have not spoken since.
    pub(super) silent: u32,
    /// Audits with packs that could start now, in fair order.
    pub(super) ready: BTreeSet<FairKey>,
}

impl Class {
    /// Connected workers that offer the class.
    pub(super) const fn connected(&self) -> u32 {
        self.on_duty + self.unable + self.draining + self.silent
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
            Duty::On => {
                *self.fit(worker) += 1;
                self.slots += worker.usable();
                self.lost += worker.lost.len() as u32;
                if worker.has_free_slot() {
                    self.free.insert((worker.busy(), id.clone()));
                }
            }
        }
    }

    fn remove(&mut self, id: &WorkerId, worker: &Worker) {
        match worker.duty() {
            Duty::Gone => {}
            Duty::Draining => self.draining -= 1,
            Duty::Silent => self.silent -= 1,
            Duty::On => {
                *self.fit(worker) -= 1;
                self.slots -= worker.usable();
                self.lost -= worker.lost.len() as u32;
                self.free.remove(&(worker.busy(), id.clone()));
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
        if audit.listed == wanted {
            return;
        }
        let name = &audit.record.demand.numerics;
        if let Some(old) = audit.listed.take()
            && let Some(class) = self.classes.get_mut(name)
        {
            class.ready.remove(&old);
            if class.is_empty() && wanted.is_none() {
                self.classes.remove(name);
            }
        }
        if let Some(key) = wanted {
            audit.listed = Some(key.clone());
            if !self.classes.contains_key(name) {
                self.classes.insert(name.clone(), Class::default());
            }
            if let Some(class) = self.classes.get_mut(name) {
                class.ready.insert(key);
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
