//! One worker: its session and its slots.

use std::collections::{BTreeMap, BTreeSet};

use super::size::Size;
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
    /// It failed everything of late.
    Quarantined,
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

/// What a worker says of its slots when a session begins.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub(super) slots: u32,
    pub(super) numerics: Vec<String>,
    pub(super) lost: BTreeSet<u32>,
    /// Bytes of each slot, in order.
    pub(super) memory: Vec<u64>,
}

/// A worker. Each of its slots `0..slots` is free, held or lost, or lost and still held; while it is gone,
/// held slots beyond may exist.
#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    connected: bool,
    draining: bool,
    silent: bool,
    quarantined: bool,
    pub(super) slots: u32,
    pub(super) numerics: BTreeSet<String>,
    /// Free slots by their size; no set is empty.
    free: BTreeMap<Size, BTreeSet<u32>>,
    held: BTreeMap<u32, Held>,
    /// Slots without a device: they are never free again in this session.
    pub(super) lost: BTreeSet<u32>,
    /// The sizes of the slots `0..`; those beyond are not known.
    sizes: Vec<Size>,
    /// The stale fences that this session was told about.
    refused: BTreeSet<Fence>,
}

impl Worker {
    pub(super) fn duty(&self) -> Duty {
        match self {
            Self { connected: false, .. } => Duty::Gone,
            Self { draining: true, .. } => Duty::Draining,
            Self { silent: true, .. } => Duty::Silent,
            Self { quarantined: true, .. } => Duty::Quarantined,
            _ => Duty::On,
        }
    }

    /// The size of a slot.
    pub(super) fn size(&self, slot: u32) -> Size {
        self.sizes.get(slot as usize).copied().unwrap_or(Size::UNKNOWN)
    }

    /// How many slots of each size have a device, free or held.
    pub(super) fn supply(&self) -> BTreeMap<Size, u32> {
        let mut supply = BTreeMap::new();
        for slot in (0..self.slots).filter(|slot| !self.lost.contains(slot)) {
            *supply.entry(self.size(slot)).or_default() += 1;
        }
        supply
    }

    pub(super) fn busy(&self) -> u32 {
        self.held.len() as u32
    }

    /// Slots that have a device, free or held.
    pub(super) fn usable(&self) -> u32 {
        self.slots.saturating_sub(self.lost.len() as u32)
    }

    pub(super) fn free(&self) -> &BTreeMap<Size, BTreeSet<u32>> {
        &self.free
    }

    fn set_free(&mut self, slot: u32) {
        self.free.entry(self.size(slot)).or_default().insert(slot);
    }

    fn set_taken(&mut self, slot: u32) {
        let size = self.size(slot);
        if let Some(slots) = self.free.get_mut(&size) {
            slots.remove(&slot);
            if slots.is_empty() {
                self.free.remove(&size);
            }
        }
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
    pub(super) fn connect(&mut self, session: Session) {
        let Session { slots, numerics, lost, memory } = session;
        self.connected = true;
        self.draining = false;
        self.silent = false;
        self.refused.clear();
        self.numerics = numerics.into_iter().take(MAX_NUMERICS).collect();
        self.slots = slots;
        self.lost = lost.into_iter().filter(|slot| *slot < slots).collect();
        self.sizes = memory.into_iter().take(slots as usize).map(Size::told).collect();
        self.free.clear();
        for slot in 0..slots {
            if !self.held.contains_key(&slot) && !self.lost.contains(&slot) {
                self.set_free(slot);
            }
        }
    }

    /// Takes slots out for the rest of the session; what holds one keeps it until it is vacated.
    pub(super) fn lose_slots(&mut self, slots: &BTreeSet<u32>) {
        for &slot in slots.range(..self.slots) {
            self.set_taken(slot);
            self.lost.insert(slot);
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = false;
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
    }

    pub(super) fn set_quarantined(&mut self, quarantined: bool) {
        self.quarantined = quarantined;
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    pub(super) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// Takes the lowest free slot of a size.
    pub(super) fn take(&mut self, size: Size, held: Held) -> Option<u32> {
        let slot = *self.free.get(&size)?.first()?;
        self.set_taken(slot);
        self.held.insert(slot, held);
        Some(slot)
    }

    /// Occupies a given slot, free or not known to exist yet. False if something else holds it.
    pub(super) fn occupy(&mut self, slot: u32, held: Held) -> bool {
        if self.held.contains_key(&slot) {
            return false;
        }
        self.set_taken(slot);
        self.held.insert(slot, held);
        true
    }

    /// Gives a slot back, unless it is lost. Whatever held it is returned, once.
    pub(super) fn vacate(&mut self, slot: u32) -> Option<Held> {
        let held = self.held.remove(&slot)?;
        if slot < self.slots && !self.lost.contains(&slot) {
            self.set_free(slot);
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
