//! One audit in memory: its record, the records of its touched packs, and what waits.

use std::collections::BTreeMap;

use super::class::{Class, FairKey};
use super::pace::Speeds;
use super::queue::Queue;
use super::size::{Need, Size};
use super::{AuditRecord, Existing, PackCounts, PackRecord};
use crate::ids::{Millis, PackId, PackIndex, WorkerId};
use crate::lifecycle::{AuditState, PackPhase, PackState};

/// An audit. `packs` holds exactly the pack records that are stored.
#[derive(Debug, Clone)]
pub(super) struct Audit {
    pub(super) record: AuditRecord,
    packs: BTreeMap<PackIndex, PackRecord>,
    /// How many records are in each phase; of waiting packs only the touched ones have a record.
    tally: [u32; 5],
    /// What existed of packs before it was submitted and has no record yet.
    adopt: BTreeMap<PackIndex, Existing>,
    queue: Queue,
    /// What a slot must have for its packs, which are alike: the estimate, or more than was too small.
    need: Need,
    /// Its place in its class, while it has packs that could start.
    pub(super) listed: Option<(Need, FairKey)>,
    /// How fast its packs are, by slot.
    pub(super) speeds: Speeds,
    /// When packs were last asked to move to a faster slot.
    pub(super) moved: BTreeMap<PackIndex, Millis>,
    /// Where the sweep of an ended audit's records has come to.
    swept: u32,
}

impl Audit {
    /// An audit with the pack records and whatever else exists. Records beyond its plan are left out.
    pub(super) fn new(
        record: AuditRecord,
        packs: impl IntoIterator<Item = PackRecord>,
        mut adopt: BTreeMap<PackIndex, Existing>,
    ) -> Self {
        let end = PackIndex(record.demand.packs);
        adopt.split_off(&end);
        let packs: BTreeMap<_, _> = packs
            .into_iter()
            .filter(|pack| pack.id.pack < end && pack.id.audit == record.id)
            .map(|pack| (pack.id.pack, pack))
            .collect();
        let queue = Queue::default();
        let mut need = Need::about(record.demand.memory_bytes);
        for pack in packs.values().filter(|pack| pack.too_small > 0) {
            need = need.max(Need::above(pack.too_small));
        }
        let (speeds, moved) = Default::default();
        let (tally, listed, swept) = ([0; 5], None, 0);
        let mut audit = Self { record, packs, tally, adopt, queue, need, listed, speeds, moved, swept };
        for pack in audit.packs.values() {
            audit.tally[pack.state.phase() as usize] += 1;
        }
        if audit.record.state == AuditState::Running {
            for pack in audit.packs.values().filter(|pack| pack.state == PackState::Waiting) {
                audit.queue.put(pack.id.pack, pack.avoid.as_ref());
            }
        }
        audit.move_cursor();
        audit
    }

    pub(super) fn is_running(&self) -> bool {
        self.record.state == AuditState::Running
    }

    /// Whether every pack is done.
    pub(super) fn is_complete(&self) -> bool {
        self.tally[PackPhase::Done as usize] == self.record.demand.packs
    }

    /// Whether a pack could start now, given a slot.
    pub(super) fn is_ready(&self) -> bool {
        self.is_running() && !self.is_limited() && (self.queue.has_touched() || self.has_fresh())
    }

    /// Whether it uses as many slots as it may.
    pub(super) fn is_limited(&self) -> bool {
        let most = self.record.demand.max_slots;
        most > 0 && self.counts().running >= most
    }

    /// What a slot must have for one of its packs.
    pub(super) fn need(&self) -> Need {
        self.need
    }

    /// A slot of so many bytes was too small for a pack.
    pub(super) fn outgrow(&mut self, pack: PackIndex, bytes: u64) {
        self.change(pack, |record| record.too_small = record.too_small.max(bytes));
        self.need = self.need.max(Need::above(bytes));
    }

    fn has_fresh(&self) -> bool {
        self.queue.fresh < self.record.demand.packs
    }

    pub(super) fn counts(&self) -> PackCounts {
        let of = |phase: PackPhase| self.tally[phase as usize];
        let (done, failed) = (of(PackPhase::Done), of(PackPhase::Failed));
        let (running, reported) =
            if self.is_running() { (of(PackPhase::Leased), of(PackPhase::Reported)) } else { (0, 0) };
        let waiting = self.record.demand.packs - running - reported - done - failed;
        PackCounts { waiting, running, reported, done, failed }
    }

    pub(super) const fn tally(&self) -> [u32; 5] {
        self.tally
    }

    pub(super) fn pack(&self, pack: PackIndex) -> Option<&PackRecord> {
        self.packs.get(&pack)
    }

    pub(super) fn packs(&self) -> &BTreeMap<PackIndex, PackRecord> {
        &self.packs
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(super) fn adopting(&self) -> &BTreeMap<PackIndex, Existing> {
        &self.adopt
    }

    fn id(&self, pack: PackIndex) -> PackId {
        PackId { audit: self.record.id.clone(), pack }
    }

    /// Changes a pack's record; one that says nothing any more is dropped.
    pub(super) fn change(&mut self, pack: PackIndex, change: impl FnOnce(&mut PackRecord)) {
        let id = self.id(pack);
        let known = self.packs.contains_key(&pack);
        let record = self.packs.entry(pack).or_insert_with(|| PackRecord::untouched(id));
        let before = record.state.phase();
        change(record);
        let after = record.state.phase();
        debug_assert!(before == after || before.may_become(after), "pack {pack}: {before:?} to {after:?}");
        if known {
            self.tally[before as usize] -= 1;
        }
        if record.is_untouched() {
            self.packs.remove(&pack);
        } else {
            self.tally[after as usize] += 1;
        }
    }

    /// Has a pack that waits stand in line, from now or from a time to come.
    pub(super) fn enqueue(&mut self, pack: PackIndex, until: Option<Millis>) {
        match (self.packs.get(&pack), until) {
            (_, Some(until)) => self.queue.put_off(pack, until),
            (Some(record), None) => self.queue.put(pack, record.avoid.as_ref()),
            (None, None) if pack.0 < self.queue.fresh => self.queue.put(pack, None),
            // Nothing is known of it and the cursor is still to come by: it is as good as untouched.
            (None, None) => {}
        }
    }

    /// A pack that was put off comes into line. False if it was not put off until then.
    pub(super) fn come_due(&mut self, pack: PackIndex, until: Millis) -> bool {
        let due = self.queue.take_off(pack, until);
        if due {
            self.enqueue(pack, None);
        }
        due
    }

    /// The best match of a waiting pack with a free slot of the class.
    pub(super) fn pick<'a>(&self, class: &'a Class) -> Option<(PackIndex, Size, &'a WorkerId)> {
        self.queue.pick(class, self.need).or_else(|| {
            let (size, worker) = class.fitting(self.need).next()?;
            self.has_fresh().then_some((PackIndex(self.queue.fresh), size, worker))
        })
    }

    /// A waiting pack leaves the line for a slot.
    pub(super) fn lease(&mut self, pack: PackIndex, state: PackState) {
        let avoid = self.packs.get(&pack).and_then(|record| record.avoid.clone());
        self.queue.remove(pack, avoid.as_ref());
        self.change(pack, |record| record.state = state);
        self.move_cursor();
    }

    /// Leaves every line, for good.
    pub(super) fn stop_waiting(&mut self) {
        self.queue = Queue::default();
        self.queue.fresh = self.record.demand.packs;
        self.adopt.clear();
        self.speeds = Speeds::default();
        self.moved.clear();
    }

    /// Takes over what existed of the next pack already.
    pub(super) fn adopt_next(&mut self) -> Option<PackId> {
        let (pack, existing) = self.adopt.pop_first()?;
        match existing {
            Existing::Result(result) => {
                self.change(pack, |record| record.state = PackState::Done { fence: None, result });
            }
            Existing::Weights(checkpoint) => {
                self.change(pack, |record| record.checkpoint = Some(checkpoint));
                self.enqueue(pack, None);
            }
        }
        Some(self.id(pack))
    }

    /// Drops any one record.
    pub(super) fn drop_next(&mut self) -> Option<PackId> {
        let (_, record) = self.packs.pop_first()?;
        self.tally[record.state.phase() as usize] -= 1;
        Some(record.id)
    }

    /// Drops up to `most` records of packs that neither finished nor failed, looking at a bounded number.
    /// True once there are none left.
    pub(super) fn sweep(&mut self, most: usize) -> (Vec<PackId>, bool) {
        const LOOKS: usize = 4096;
        let mut swept = Vec::new();
        for (index, record) in self.packs.range(PackIndex(self.swept)..).take(LOOKS) {
            if swept.len() == most {
                break;
            }
            self.swept = index.0.saturating_add(1);
            if !record.state.phase().is_terminal() {
                swept.push(record.id.clone());
            }
        }
        for id in &swept {
            if let Some(record) = self.packs.remove(&id.pack) {
                self.tally[record.state.phase() as usize] -= 1;
            }
        }
        (swept, self.packs.range(PackIndex(self.swept)..).next().is_none())
    }

    fn move_cursor(&mut self) {
        while self.has_fresh() {
            let next = PackIndex(self.queue.fresh);
            if !self.packs.contains_key(&next) && !self.adopt.contains_key(&next) {
                break;
            }
            self.queue.fresh += 1;
        }
    }
}
