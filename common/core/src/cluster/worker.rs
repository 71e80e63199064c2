//! One worker: its session and its slots.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Fence, Millis, PackId, SlotId, WorkerId};

/// The most stale fences that one session remembers as refused; a worker in its right mind has few.
const MAX_REFUSED: usize = 4096;

/// The most numerics classes of one worker that are used.
const MAX_NUMERICS: usize = 64;

/// Whether a worker can be given work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// It can.
    On,
    /// It hands back what it has.
    Draining,
    /// It let a lease run out and has not spoken since.
    Silent,
    /// It has no session.
    Gone,
}

/// What occupies a slot: the fence that was last sent there, live or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) pack: PackId,
    pub(super) fence: Fence,
    /// When its lease runs out; none once it has.
    pub(super) deadline: Option<Millis>,
    /// Its audit ended, and the worker was told to stop: its release is expected, not stale.
    pub(super) over: bool,
}

/// A worker. Each of its slots `0..slots` is free, held or lost, or lost and still held; while it is gone,
/// held slots beyond may exist.
#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    connected: bool,
    draining: bool,
    silent: bool,
    pub(super) slots: u32,
    pub(super) numerics: BTreeSet<String>,
    free: BTreeSet<u32>,
    held: BTreeMap<u32, Held>,
    /// Slots without a device: they are never free again in this session.
    pub(super) lost: BTreeSet<u32>,
    /// The stale fences that this session was told about.
    refused: BTreeSet<Fence>,
}

impl Worker {
    pub(super) fn duty(&self) -> Duty {
        match self {
            Self { connected: false, .. } => Duty::Gone,
            Self { draining: true, .. } => Duty::Draining,
            Self { silent: true, .. } => Duty::Silent,
            _ => Duty::On,
        }
    }

    pub(super) fn has_free_slot(&self) -> bool {
        !self.free.is_empty()
    }

    pub(super) fn busy(&self) -> u32 {
        self.held.len() as u32
    }

    /// Slots that have a device, free or held.
    pub(super) fn usable(&self) -> u32 {
        self.slots.saturating_sub(self.lost.len() as u32)
    }

    pub(super) fn free(&self) -> &BTreeSet<u32> {
        &self.free
    }

    pub(super) fn held(&self) -> &BTreeMap<u32, Held> {
        &self.held
    }

    pub(super) fn held_at(&mut self, slot: u32) -> Option<&mut Held> {
        self.held.get_mut(&slot)
    }

    /// The slot that a fence occupies.
    pub(super) fn slot_of(&self, pack: &PackId, fence: Fence) -> Option<u32> {
        let found = self.held.iter().find(|(_, held)| held.fence == fence && held.pack == *pack);
        found.map(|(slot, _)| *slot)
    }

    /// What a fence occupies a slot as.
    pub(super) fn holder(&self, pack: &PackId, fence: Fence) -> Option<&Held> {
        self.held.get(&self.slot_of(pack, fence)?)
    }

    /// Begins a session: every slot that is neither held nor lost is free.
    pub(super) fn connect(&mut self, slots: u32, numerics: Vec<String>, lost: BTreeSet<u32>) {
        self.connected = true;
        self.draining = false;
        self.silent = false;
        self.refused.clear();
        self.numerics = numerics.into_iter().take(MAX_NUMERICS).collect();
        self.slots = slots;
        self.lost = lost.into_iter().filter(|slot| *slot < slots).collect();
        let is_free = |slot: &u32| !self.held.contains_key(slot) && !self.lost.contains(slot);
        self.free = (0..slots).filter(is_free).collect();
    }

    /// Takes slots out for the rest of the session; what holds one keeps it until it is vacated.
    pub(super) fn lose_slots(&mut self, slots: &BTreeSet<u32>) {
        for slot in slots.iter().filter(|slot| **slot < self.slots) {
            self.free.remove(slot);
            self.lost.insert(*slot);
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = false;
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
    }

    pub(super) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// Takes the lowest free slot.
    pub(super) fn take(&mut self, held: Held) -> Option<u32> {
        let slot = self.free.pop_first()?;
        self.held.insert(slot, held);
        Some(slot)
    }

    /// Occupies a given slot, free or not known to exist yet. False if something else holds it.
    pub(super) fn occupy(&mut self, slot: u32, held: Held) -> bool {
        if self.held.contains_key(&slot) {
            return false;
        }
        self.free.remove(&slot);
        self.held.insert(slot, held);
        true
    }

    /// Gives a slot back, unless it is lost. Whatever held it is returned, once.
    pub(super) fn vacate(&mut self, slot: u32) -> Option<Held> {
        let held = self.held.remove(&slot)?;
        if slot < self.slots && !self.lost.contains(&slot) {
            self.free.insert(slot);
        }
        Some(held)
    }

    /// Whether this session hears for the first time that `fence` is stale.
    pub(super) fn refuse(&mut self, fence: Fence) -> bool {
        let new = self.refused.insert(fence);
        if self.refused.len() > MAX_REFUSED {
            self.refused.pop_first();
        }
        new
    }
}

/// The name of a worker's slot.
pub(super) fn slot_id(worker: &WorkerId, slot: u32) -> SlotId {
    SlotId { worker: worker.clone(), slot }
}
