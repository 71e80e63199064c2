//! Packs come back: done, failed or released; results are verified; audits are analysed.

use super::class::Class;
use super::leases::Standing;
use super::out::Out;
use super::size::{Need, Size};
use super::timers::Due;
use super::worker::{Duty, slot_id};
use super::{Action, Checkpoint, Cluster, Outcome, PackResult};
use crate::fault::{Fault, Retry};
use crate::ids::{AuditId, Fence, PackId, WorkerId};
use crate::lifecycle::{AuditState, PackState};

/// The slot that a live fence held until its report.
struct Freed<'a> {
    worker: &'a WorkerId,
    size: Size,
    /// Where its pack is to go on, if it was asked for.
    moves_to: Option<(WorkerId, Size)>,
}

impl Cluster {
    /// A worker is through with a pack. Whatever the fence is worth, its slot comes back and the worker
    /// may forget the report.
    pub(super) fn reported(
        &mut self,
        id: &WorkerId,
        pack: &PackId,
        fence: Fence,
        outcome: Outcome,
        out: &mut Out,
    ) {
        if !self.hears(id) {
            return;
        }
        let standing = self.standing(id, pack, fence);
        let mut size = Size::UNKNOWN;
        if let Some((slot, at)) = self.workers.get(id).and_then(|worker| {
            let slot = worker.slot_of(pack, fence)?;
            Some((slot, worker.size(slot)))
        }) {
            size = at;
            self.vacate(&slot_id(id, slot));
        }
        // First, since a pack that moves may be given to the very slot.
        out.act(Action::Acknowledge { worker: id.clone(), pack: pack.clone(), fence });
        match standing {
            Standing::Live => {
                let moves_to = self.leases.remove(&fence).and_then(|lease| lease.moves_to);
                let freed = Freed { worker: id, size, moves_to };
                self.close(freed, pack, fence, outcome, out);
            }
            Standing::Settled | Standing::Over => {}
            Standing::Stale => self.refuse(id, pack, fence, out),
        }
    }

    /// A live fence ends with its report.
    fn close(&mut self, freed: Freed<'_>, pack: &PackId, fence: Fence, outcome: Outcome, out: &mut Out) {
        let id = freed.worker;
        match outcome {
            Outcome::Done(result) => self.take_in(id, pack, fence, result, out),
            Outcome::Failed(fault) if fault.retry == Retry::Larger && self.outgrow(pack, freed.size) => {
                self.move_to_larger(pack, id, fault, out);
            }
            Outcome::Failed(fault) => {
                let excused = self.strike(id, pack, &fault, out);
                self.fail_pack(pack, Some(id), fault, excused, out);
            }
            Outcome::Released { checkpoint } => self.release(freed, pack, fence, checkpoint, out),
        }
    }

    /// The record remembers whose result it is: should it turn out unusable, another worker is to try.
    fn take_in(&mut self, id: &WorkerId, pack: &PackId, fence: Fence, result: PackResult, out: &mut Out) {
        let Some(audit) = self.audits.get_mut(&pack.audit) else { return };
        let state = PackState::Reported { fence, result: result.clone() };
        audit.change(pack.pack, |record| {
            record.state = state;
            record.avoid = Some(id.clone());
        });
        out.touch_pack(pack);
        out.act(Action::Ingest { pack: pack.clone(), fence, result });
        self.relist(&pack.audit);
    }

    /// Handing back is no failure. It counts against the pack's bound of losses, unless the worker was
    /// asked to: a pack that is to move goes on at once, if its place is still free.
    fn release(
        &mut self,
        freed: Freed<'_>,
        pack: &PackId,
        fence: Fence,
        checkpoint: Option<Checkpoint>,
        out: &mut Out,
    ) {
        let drained = self.workers.get(freed.worker).is_some_and(|worker| worker.duty() == Duty::Draining);
        self.keep_checkpoint(pack, fence, checkpoint, out);
        self.hand_back(pack, freed.worker, !drained && freed.moves_to.is_none(), out);
        if let Some((worker, size)) = freed.moves_to
            && self.is_idle(pack, &worker, size)
        {
            self.assign(pack.clone(), &worker, size, out);
        }
    }

    /// Notes that a slot was too small for a pack; whether there is a larger one, which is worth waiting for.
    fn outgrow(&mut self, pack: &PackId, size: Size) -> bool {
        let (Some(bytes), Some(audit)) = (size.bytes(), self.audits.get_mut(&pack.audit)) else {
            return false;
        };
        let (name, need) = (&audit.record.demand.numerics, Need::above(bytes));
        let largest = self.classes.get(name).and_then(Class::largest);
        let is_larger = largest.is_some_and(|largest| need.least() <= largest);
        if is_larger {
            audit.outgrow(pack.pack, bytes);
        }
        is_larger
    }

    /// A pack waits for a larger slot. That is no failure: it counts against the bound of losses, as every
    /// move does that a pack cannot help.
    fn move_to_larger(&mut self, pack: &PackId, id: &WorkerId, fault: Fault, out: &mut Out) {
        if let Some(audit) = self.audits.get_mut(&pack.audit) {
            audit.change(pack.pack, |record| record.last_fault = Some(fault));
        }
        self.hand_back(pack, id, true, out);
    }

    /// A pack failed on a worker, or its result could not be verified. It counts as a failure of the pack
    /// or, `excused`, as a loss.
    fn fail_pack(
        &mut self,
        pack: &PackId,
        worker: Option<&WorkerId>,
        fault: Fault,
        excused: bool,
        out: &mut Out,
    ) {
        let (bound, most_losses) = (self.config.max_attempts, self.config.max_losses);
        let Some(audit) = self.audits.get_mut(&pack.audit) else { return };
        let mut attempts = 0;
        let mut is_last = false;
        audit.change(pack.pack, |record| {
            if excused && record.losses < most_losses {
                record.losses += 1;
            } else {
                record.attempts += 1;
            }
            attempts = record.attempts;
            is_last = fault.retry == Retry::Never || attempts >= bound;
            record.state = if is_last { PackState::Failed } else { PackState::Waiting };
            record.avoid = worker.filter(|_| fault.retry.is_elsewhere()).cloned();
            // The last attempt starts from scratch: a bad checkpoint must not end an audit.
            if attempts + 1 >= bound {
                record.checkpoint = None;
            }
            record.last_fault = Some(fault.clone());
        });
        out.touch_pack(pack);
        if is_last {
            self.end_audit(&pack.audit, AuditState::Failed, Some(fault), out);
            return;
        }
        let until = self.now.plus(self.config.backoff(attempts));
        let until = (fault.retry == Retry::Backoff).then_some(until);
        audit.enqueue(pack.pack, until);
        if let Some(until) = until {
            self.timers.set(until, Due::Retry(pack.clone()));
        }
        self.relist(&pack.audit);
    }

    /// A reported result is verified and indexed, or cannot be.
    pub(super) fn ingested(
        &mut self,
        pack: &PackId,
        fence: Fence,
        outcome: Result<(), Fault>,
        out: &mut Out,
    ) {
        let Some(audit) = self.audits.get_mut(&pack.audit) else { return };
        let Some(record) = audit.pack(pack.pack) else { return };
        let PackState::Reported { fence: reported, result } = record.state.clone() else { return };
        let worker = record.avoid.clone();
        if !audit.is_running() || reported != fence {
            return;
        }
        match outcome {
            Ok(()) => {
                audit.change(pack.pack, |record| {
                    record.state = PackState::Done { fence: Some(fence), result };
                    record.checkpoint = None;
                    record.avoid = None;
                });
                out.touch_pack(pack);
                self.finish_if_complete(&pack.audit, out);
                if let Some(worker) = worker {
                    self.acquit(&worker);
                }
            }
            Err(fault) => {
                let strike = |worker: &WorkerId| self.strike(worker, pack, &fault, out);
                let excused = worker.as_ref().is_some_and(strike);
                self.fail_pack(pack, worker.as_ref(), fault, excused, out);
            }
        }
    }

    /// The findings of an audit are there, or it fails.
    pub(super) fn analysed(&mut self, audit: &AuditId, outcome: Result<(), Fault>, out: &mut Out) {
        if self.audits.get(audit).is_none_or(|audit| audit.record.state != AuditState::Analysing) {
            return;
        }
        match outcome {
            Ok(()) => self.end_audit(audit, AuditState::Succeeded, None, out),
            Err(fault) => self.end_audit(audit, AuditState::Failed, Some(fault), out),
        }
    }
}
