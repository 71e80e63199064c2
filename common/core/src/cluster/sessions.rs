//! Workers come, go, drain, and say that they are still there.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{MAX_SLOTS, StillRunning};
use super::leases::Standing;
use super::out::Out;
use super::timers::Due;
use super::worker::{Duty, Held, Session, Worker, slot_id};
use super::{Action, Checkpoint, Cluster, RevokeReason, Steps};
use crate::ids::{Fence, PackId, WorkerId};

/// What a joining worker says it is at work on, by slot.
type Claims = BTreeMap<u32, (PackId, Fence)>;

impl Cluster {
    /// A session begins. What the worker claims is compared with what it was given: packs it does not
    /// know any more are lost, fences that are not live any more are told so, the rest goes on.
    pub(super) fn join(&mut self, id: WorkerId, session: Session, running: Vec<StillRunning>, out: &mut Out) {
        let slots = session.slots.min(MAX_SLOTS);
        let mut claims = Claims::new();
        let mut unplaced = Vec::new();
        for StillRunning { slot, pack, fence } in running {
            let claimed_twice = claims.values().any(|(_, other)| *other == fence);
            if claimed_twice {
                continue;
            }
            if slot < slots && !claims.contains_key(&slot) {
                claims.insert(slot, (pack, fence));
            } else {
                unplaced.push((pack, fence));
            }
        }
        self.workers.entry(id.clone()).or_default();
        self.end_unclaimed(&id, &claims);
        let quarantined = self.is_quarantined(&id);
        self.change_worker(&id, |worker| {
            worker.connect(Session { slots, ..session });
            worker.set_quarantined(quarantined);
        });
        for (slot, (pack, fence)) in &claims {
            self.resume(&id, *slot, pack, *fence, out);
        }
        for (pack, fence) in &unplaced {
            self.answer(&id, pack, *fence, out);
        }
    }

    /// Gives back every slot whose holder the worker does not claim; live ones are lost.
    fn end_unclaimed(&mut self, id: &WorkerId, claims: &Claims) {
        let Some(worker) = self.workers.get(id) else { return };
        let claimed = |slot: &u32, held: &Held| {
            claims.get(slot).is_some_and(|(pack, fence)| *pack == held.pack && *fence == held.fence)
        };
        let unclaimed: Vec<_> = worker
            .held()
            .iter()
            .filter(|(slot, held)| !claimed(slot, held))
            .map(|(slot, held)| (*slot, held.fence, held.deadline))
            .collect();
        for (slot, fence, deadline) in unclaimed {
            self.lose(id, slot, fence, true);
            if let Some(deadline) = deadline {
                self.timers.clear(deadline, Due::Lease(slot_id(id, slot)));
            }
            self.change_worker(id, |worker| worker.vacate(slot));
        }
    }

    /// Takes up one claim of a worker that joined.
    fn resume(&mut self, id: &WorkerId, slot: u32, pack: &PackId, fence: Fence, out: &mut Out) {
        match self.standing(id, pack, fence) {
            Standing::Live => {
                self.renew(&slot_id(id, slot));
                // It may not have heard.
                if self.leases.get(&fence).is_some_and(|lease| lease.moves_to.is_some()) {
                    let (worker, pack, reason) = (id.clone(), pack.clone(), RevokeReason::Moving);
                    out.act(Action::Revoke { worker, pack, fence, reason });
                }
            }
            Standing::Settled => self.answer(id, pack, fence, out),
            standing @ (Standing::Over | Standing::Stale) => {
                let over = standing == Standing::Over;
                let held = Held { pack: pack.clone(), fence, deadline: None, over };
                self.change_worker(id, |worker| worker.occupy(slot, held));
                self.answer(id, pack, fence, out);
            }
        }
    }

    /// Answers a worker that speaks in the name of a fence as if it were still at work under it.
    fn answer(&mut self, id: &WorkerId, pack: &PackId, fence: Fence, out: &mut Out) {
        let reason = match self.standing(id, pack, fence) {
            Standing::Live => return,
            Standing::Settled => {
                out.act(Action::Acknowledge { worker: id.clone(), pack: pack.clone(), fence });
                return;
            }
            Standing::Over => RevokeReason::Cancelled,
            Standing::Stale => {
                self.refuse(id, pack, fence, out);
                RevokeReason::Stale
            }
        };
        out.act(Action::Revoke { worker: id.clone(), pack: pack.clone(), fence, reason });
    }

    /// Tells a session, once, that a fence is stale.
    pub(super) fn refuse(&mut self, id: &WorkerId, pack: &PackId, fence: Fence, out: &mut Out) {
        if self.workers.get_mut(id).is_some_and(|worker| worker.refuse(fence)) {
            out.act(Action::Refuse { worker: id.clone(), pack: pack.clone(), fence });
        }
    }

    /// Whether a worker has a session; if it was silent it no longer is.
    pub(super) fn hears(&mut self, id: &WorkerId) -> bool {
        match self.workers.get(id).map(|worker| worker.duty()) {
            None | Some(Duty::Gone) => false,
            Some(Duty::Silent) => {
                self.change_worker(id, |worker| worker.set_silent(false));
                true
            }
            Some(Duty::On | Duty::Draining | Duty::Quarantined) => true,
        }
    }

    /// Slots of a worker lost their device: they are not used again in its session.
    pub(super) fn slots_lost(&mut self, id: &WorkerId, slots: &BTreeSet<u32>) {
        if self.hears(id) {
            self.change_worker(id, |worker| worker.lose_slots(slots));
        }
    }

    /// A worker's sign of life for one pack.
    pub(super) fn progress(
        &mut self,
        id: &WorkerId,
        pack: &PackId,
        fence: Fence,
        (steps, checkpoint): (Option<Steps>, Option<Checkpoint>),
        out: &mut Out,
    ) {
        if !self.hears(id) {
            return;
        }
        let slot = self.leases.get(&fence).map(|lease| lease.slot.clone());
        match (self.standing(id, pack, fence), slot) {
            (Standing::Live, Some(slot)) => {
                self.renew(&slot);
                self.keep_checkpoint(pack, fence, checkpoint, out);
                if let Some(steps) = steps {
                    self.pace(fence, steps, out);
                }
            }
            // The report is ahead of this word; its acknowledgement is on its way.
            (Standing::Live | Standing::Settled, _) => {}
            (Standing::Over | Standing::Stale, _) => self.answer(id, pack, fence, out),
        }
    }

    /// Remembers a checkpoint that a live fence wrote, if it is the better one.
    pub(super) fn keep_checkpoint(
        &mut self,
        pack: &PackId,
        fence: Fence,
        checkpoint: Option<Checkpoint>,
        out: &mut Out,
    ) {
        let Some(checkpoint) = checkpoint.filter(|new| new.fence == fence) else { return };
        let Some(audit) = self.audits.get_mut(&pack.audit) else { return };
        let Some(record) = audit.pack(pack.pack) else { return };
        if checkpoint.supersedes(record.checkpoint.as_ref()) {
            audit.change(pack.pack, |record| record.checkpoint = Some(checkpoint));
            out.touch_pack(pack);
        }
    }

    /// The connection is lost. Leases go on; what has none any more is given back.
    pub(super) fn gone(&mut self, id: &WorkerId) {
        self.change_worker(id, Worker::disconnect);
        let Some(worker) = self.workers.get(id) else { return };
        let ended: Vec<_> =
            worker.held().iter().filter(|(_, held)| held.deadline.is_none()).map(|(slot, _)| *slot).collect();
        for slot in ended {
            self.vacate(&slot_id(id, slot));
        }
        self.forget_if_gone(id);
    }

    /// A worker said goodbye: its slots are gone. Packs it did not hand back wait again; that counts as
    /// a loss unless it was asked to drain.
    pub(super) fn left(&mut self, id: &WorkerId) {
        let Some(counts) = self.workers.get(id).map(|worker| worker.duty() != Duty::Draining) else { return };
        self.change_worker(id, Worker::disconnect);
        let Some(worker) = self.workers.remove(id) else { return };
        for (slot, held) in worker.held() {
            self.lose(id, *slot, held.fence, counts);
            if let Some(deadline) = held.deadline {
                self.timers.clear(deadline, Due::Lease(slot_id(id, *slot)));
            }
        }
    }

    /// A worker gets no more work and is asked for what it has. Its fences stay live: a result that is
    /// ready before the checkpoint counts.
    pub(super) fn drain(&mut self, id: &WorkerId, out: &mut Out) {
        let Some(worker) = self.workers.get(id) else { return };
        if matches!(worker.duty(), Duty::Gone | Duty::Draining) {
            return;
        }
        for (_, held) in worker.held().iter().filter(|(slot, held)| self.is_live_at(id, **slot, held.fence)) {
            let (worker, pack) = (id.clone(), held.pack.clone());
            out.act(Action::Revoke { worker, pack, fence: held.fence, reason: RevokeReason::Draining });
        }
        self.change_worker(id, Worker::drain);
    }
}
