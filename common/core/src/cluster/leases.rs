//! Leases: how a fence becomes live, and how it ends without a report.

use super::out::Out;
use super::pace::Pace;
use super::size::Size;
use super::timers::Due;
use super::worker::{Duty, Held, slot_id};
use super::{Action, Cluster, RevokeReason};
use crate::fault::{Domain, Fault, Retry};
use crate::ids::{AuditId, Fence, PackId, PackIndex, SlotId, WorkerId};
use crate::lifecycle::{AuditState, PackState};

/// A live fence: the pack and the slot it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) pack: PackId,
    pub(super) slot: SlotId,
    pub(super) pace: Pace,
    /// Where it is to go on, once its worker has handed it back as it was asked to.
    pub(super) moves_to: Option<(WorkerId, Size)>,
}

impl Lease {
    pub(super) fn new(pack: PackId, slot: SlotId) -> Self {
        Self { pack, slot, pace: Pace::default(), moves_to: None }
    }
}

/// A lease that ended with its worker; its pack's record still says leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) fence: Fence,
    pub(super) worker: WorkerId,
    /// Whether it counts against the pack's bound; it does not when the worker was asked to drain.
    pub(super) counts: bool,
}

/// What a fence is worth when a worker speaks in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the pack's live fence, and this worker's.
    Live,
    /// It reported the pack, and that was taken in.
    Settled,
    /// Its audit ended without it.
    Over,
    /// The pack went on without it.
    Stale,
}

impl Cluster {
    pub(super) fn standing(&self, worker: &WorkerId, pack: &PackId, fence: Fence) -> Standing {
        if self.leases.get(&fence).is_some_and(|lease| lease.pack == *pack && lease.slot.worker == *worker) {
            return Standing::Live;
        }
        let held = self.workers.get(worker).and_then(|worker| worker.holder(pack, fence));
        if held.is_some_and(|held| held.over) {
            return Standing::Over;
        }
        let Some(audit) = self.audits.get(&pack.audit) else { return Standing::Stale };
        match (audit.pack(pack.pack).map(|record| &record.state), audit.record.state) {
            (Some(PackState::Reported { fence: reported, .. }), _) if *reported == fence => Standing::Settled,
            (Some(PackState::Done { fence: reported, .. }), _) if *reported == Some(fence) => {
                Standing::Settled
            }
            (_, AuditState::Cancelled | AuditState::Failed) => Standing::Over,
            _ => Standing::Stale,
        }
    }

    /// Gives a pack that waits to a free slot of a worker, of this size, under a new fence.
    pub(super) fn assign(&mut self, pack: PackId, worker: &WorkerId, size: Size, out: &mut Out) {
        let fence = self.record.next_fence;
        let deadline = self.now.plus(self.config.lease_ms);
        let held = Held { pack: pack.clone(), fence, deadline: Some(deadline), over: false };
        let Some(Some(slot)) = self.change_worker(worker, |worker| worker.take(size, held)) else { return };
        let slot = slot_id(worker, slot);
        let Some(audit) = self.audits.get_mut(&pack.audit) else { return };
        self.record.next_fence = Fence(fence.0 + 1);
        audit.lease(pack.pack, PackState::Leased { fence, slot: slot.clone() });
        let resume_from = audit.pack(pack.pack).and_then(|record| record.checkpoint.clone());
        self.leases.insert(fence, Lease::new(pack.clone(), slot.clone()));
        self.timers.set(deadline, Due::Lease(slot.clone()));
        self.relist(&pack.audit);
        out.touch_cluster();
        out.touch_pack(&pack);
        out.act(Action::Assign { slot, pack, fence, resume_from });
    }

    /// The lease of what holds a slot goes on from now.
    pub(super) fn renew(&mut self, slot: &SlotId) {
        let deadline = self.now.plus(self.config.lease_ms);
        let Some(worker) = self.workers.get_mut(&slot.worker) else { return };
        let Some(held) = worker.held_at(slot.slot) else { return };
        if let Some(old) = held.deadline.replace(deadline) {
            self.timers.clear(old, Due::Lease(slot.clone()));
        }
        self.timers.set(deadline, Due::Lease(slot.clone()));
    }

    /// Gives a slot back. A worker that is gone and holds nothing more is forgotten.
    pub(super) fn vacate(&mut self, slot: &SlotId) {
        let Some(Some(held)) = self.change_worker(&slot.worker, |worker| worker.vacate(slot.slot)) else {
            return;
        };
        if let Some(deadline) = held.deadline {
            self.timers.clear(deadline, Due::Lease(slot.clone()));
        }
        self.forget_if_gone(&slot.worker);
    }

    /// Forgets a worker that is gone and holds nothing.
    pub(super) fn forget_if_gone(&mut self, worker: &WorkerId) {
        if self.workers.get(worker).is_some_and(|w| w.duty() == Duty::Gone && w.held().is_empty()) {
            self.workers.remove(worker);
        }
    }

    /// Whether a slot's holder is live there. A worker may claim a fence that is live somewhere else.
    pub(super) fn is_live_at(&self, worker: &WorkerId, slot: u32, fence: Fence) -> bool {
        let lease = self.leases.get(&fence);
        lease.is_some_and(|lease| lease.slot.worker == *worker && lease.slot.slot == slot)
    }

    /// Ends the live fence of a slot that will not report it: its pack is to wait again. False if the
    /// slot's holder is not live.
    pub(super) fn lose(&mut self, worker: &WorkerId, slot: u32, fence: Fence, counts: bool) -> bool {
        if !self.is_live_at(worker, slot, fence) {
            return false;
        }
        let Some(lease) = self.leases.remove(&fence) else { return false };
        self.lost.insert(lease.pack, Loss { fence, worker: lease.slot.worker, counts });
        true
    }

    /// Takes in everything that is due by now.
    pub(super) fn expire(&mut self) {
        while let Some((at, due)) = self.timers.pop(self.now) {
            match due {
                Due::Lease(slot) => self.run_out(&slot),
                Due::Conduct(worker) => self.conduct_due(&worker),
                Due::Retry(pack) => {
                    if let Some(audit) = self.audits.get_mut(&pack.audit)
                        && audit.come_due(pack.pack, at)
                    {
                        self.relist(&pack.audit);
                    }
                }
            }
        }
    }

    /// A lease ran out. A connected worker keeps the slot until it says what became of it; a worker
    /// that is gone has lost it.
    fn run_out(&mut self, slot: &SlotId) {
        let Some(worker) = self.workers.get_mut(&slot.worker) else { return };
        let connected = worker.duty() != Duty::Gone;
        let Some(held) = worker.held_at(slot.slot) else { return };
        held.deadline = None;
        let fence = held.fence;
        let was_live = self.lose(&slot.worker, slot.slot, fence, true);
        if !connected {
            self.vacate(slot);
        } else if was_live {
            self.change_worker(&slot.worker, |worker| worker.set_silent(true));
        }
    }

    /// Writes losses to their packs' records, as many as this step may.
    pub(super) fn settle_losses(&mut self, out: &mut Out) {
        // One loss touches its pack and, when it was one too many, its audit.
        while out.room() >= 2 {
            let Some((pack, loss)) = self.lost.pop_first() else { break };
            self.hand_back(&pack, &loss.worker, loss.counts, out);
        }
    }

    /// A leased pack waits again, unless it was lost too often.
    pub(super) fn hand_back(&mut self, pack: &PackId, worker: &WorkerId, counts: bool, out: &mut Out) {
        let bound = self.config.max_losses;
        let Some(audit) = self.audits.get_mut(&pack.audit) else { return };
        let mut too_often = None;
        audit.change(pack.pack, |record| {
            record.losses += u32::from(counts);
            record.state = PackState::Waiting;
            if record.losses > bound {
                record.state = PackState::Failed;
                too_often = Some(too_many_losses(pack.pack, record.losses, worker));
                record.last_fault.clone_from(&too_often);
            }
        });
        out.touch_pack(pack);
        match too_often {
            Some(fault) => self.end_audit(&pack.audit, AuditState::Failed, Some(fault), out),
            None => {
                audit.enqueue(pack.pack, None);
                self.relist(&pack.audit);
            }
        }
    }

    /// Ends every lease of an audit: what runs is told to stop, and its slots come back when it says so.
    pub(super) fn stop_leases(&mut self, audit: &AuditId, out: &mut Out) {
        self.lost.retain(|pack, _| pack.audit != *audit);
        let of_audit = self.leases.iter().filter(|(_, lease)| lease.pack.audit == *audit);
        let fences: Vec<_> = of_audit.map(|(fence, _)| *fence).collect();
        for fence in fences {
            let Some(Lease { pack, slot, .. }) = self.leases.remove(&fence) else { continue };
            let Some(worker) = self.workers.get_mut(&slot.worker) else { continue };
            if let Some(held) = worker.held_at(slot.slot) {
                held.over = true;
            }
            if worker.duty() != Duty::Gone {
                out.act(Action::Revoke { worker: slot.worker, pack, fence, reason: RevokeReason::Cancelled });
            }
        }
    }
}

fn too_many_losses(pack: PackIndex, losses: u32, worker: &WorkerId) -> Fault {
    let message = format!(
        "pack {pack} was lost or handed back {losses} times, the last time by worker {worker}: \
         look at the workers' logs for crashes or evictions, then submit the audit again"
    );
    Fault::new(Domain::Worker, Retry::Never, message)
}
