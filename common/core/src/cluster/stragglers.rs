//! Packs that would be done much sooner elsewhere are moved there, from their last checkpoint.
//!
//! A slot may be slow for reasons nobody tells: a shared machine, a throttled device, a disk that fails.
//! While everything is busy that is a slot's bad luck; once slots are idle, the last packs of an audit hang
//! on the slowest. A move takes a checkpoint and a release, which a worker does on being asked, so it costs
//! no work, and it spends neither failures nor losses.

use super::out::Out;
use super::size::Size;
use super::worker::Duty;
use super::{Action, Cluster, RevokeReason, Steps};
use crate::ids::{Fence, PackId, WorkerId};

/// How many times as long a pack would have to take where it is.
const FACTOR: u64 = 2;

/// How many of the fastest kinds of slots are looked at.
const LOOKS: usize = 16;

impl Cluster {
    /// Takes in how far a lease's pack is, and asks for it if it should go on elsewhere.
    pub(super) fn pace(&mut self, fence: Fence, steps: Steps, out: &mut Out) {
        let Some(lease) = self.leases.get_mut(&fence) else { return };
        let Some(speed) = lease.pace.note(self.now, steps.done, self.config.pace_window_ms) else { return };
        let (pack, slot, moves) = (lease.pack.clone(), lease.slot.clone(), lease.moves_to.is_some());
        let Some(worker) = self.workers.get(&slot.worker).filter(|worker| worker.duty() == Duty::On) else {
            return;
        };
        let size = worker.size(slot.slot);
        let Some(audit) = self.audits.get_mut(&pack.audit) else { return };
        audit.speeds.note(&slot.worker, size, speed);
        let moved = audit.moved.get(&pack.pack);
        if moves || moved.is_some_and(|at| self.now < at.plus(self.config.move_every_ms)) {
            return;
        }
        let here = speed.time(steps.left);
        let Some(target) = self.faster(&pack, (&slot.worker, size), steps, here) else { return };
        // Whoever waits goes first.
        if self.choose().is_some() {
            return;
        }
        if let Some(lease) = self.leases.get_mut(&fence) {
            lease.moves_to = Some(target);
        }
        if let Some(audit) = self.audits.get_mut(&pack.audit) {
            audit.moved.insert(pack.pack, self.now);
        }
        out.act(Action::Revoke { worker: slot.worker, pack, fence, reason: RevokeReason::Moving });
    }

    /// The fastest idle slot, if the rest of a pack and what came since its checkpoint would take so much less
    /// time there than the rest takes here that the move is worth it.
    fn faster(
        &self,
        pack: &PackId,
        at: (&WorkerId, Size),
        steps: Steps,
        here: u64,
    ) -> Option<(WorkerId, Size)> {
        let audit = self.audits.get(&pack.audit)?;
        let class = self.classes.get(&audit.record.demand.numerics)?;
        class.fitting(audit.need()).next()?;
        let kept = audit.pack(pack.pack).and_then(|record| record.checkpoint.as_ref());
        let again = steps.done.saturating_sub(kept.map_or(0, |checkpoint| checkpoint.step));
        let looks = audit.speeds.fastest().take(LOOKS);
        let mut idle =
            looks.filter(|(_, worker, size)| (*worker, *size) != at && self.is_idle(pack, worker, *size));
        let (speed, worker, size) = idle.next()?;
        let there = speed.time(steps.left.saturating_add(again));
        let gain = here.saturating_sub(there);
        let worth = here > there.saturating_mul(FACTOR) && gain >= self.config.lease_ms;
        worth.then(|| (worker.clone(), size))
    }

    /// Whether a worker has a free slot of this size that a pack may have.
    pub(super) fn is_idle(&self, pack: &PackId, worker: &WorkerId, size: Size) -> bool {
        let (Some(audit), Some(worker)) = (self.audits.get(&pack.audit), self.workers.get(worker)) else {
            return false;
        };
        worker.duty() == Duty::On
            && worker.numerics.contains(&audit.record.demand.numerics)
            && size >= audit.need().least()
            && worker.free().contains_key(&size)
    }
}
