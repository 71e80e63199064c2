//! Audits begin, end, and are forgotten, a bounded number of records at a time.

use std::collections::BTreeMap;

use super::audit::Audit;
use super::out::Out;
use super::timers::Due;
use super::{Action, AuditDemand, AuditRecord, Cluster, Existing};
use crate::fault::Fault;
use crate::ids::{AuditId, PackId, PackIndex};
use crate::lifecycle::AuditState;

impl Cluster {
    /// A new audit; one that is known is left alone.
    pub(super) fn submit(
        &mut self,
        id: AuditId,
        demand: AuditDemand,
        existing: BTreeMap<PackIndex, Existing>,
        out: &mut Out,
    ) {
        if self.audits.contains_key(&id) {
            return;
        }
        let sequence = self.record.next_sequence;
        self.record.next_sequence += 1;
        let state = AuditState::Running;
        let record = AuditRecord { id: id.clone(), state, demand, sequence, fault: None, deleting: false };
        let audit = Audit::new(record, [], existing);
        if !audit.adopting().is_empty() {
            self.chores.insert(id.clone());
        }
        self.audits.insert(id.clone(), audit);
        out.touch_cluster();
        out.touch_audit(&id);
        self.finish_if_complete(&id, out);
        self.relist(&id);
    }

    /// Somebody wants an audit to stop: its record says so, and its workers are told.
    pub(super) fn cancel(&mut self, id: &AuditId, out: &mut Out) {
        if self.audits.get(id).is_some_and(|audit| !audit.record.state.is_terminal()) {
            self.end_audit(id, AuditState::Cancelled, None, out);
        }
    }

    /// An audit that ended is to be forgotten. Its record goes last, so that a restart goes on with it.
    pub(super) fn delete(&mut self, id: &AuditId, out: &mut Out) {
        let Some(audit) = self.audits.get_mut(id) else { return };
        if audit.record.state.is_terminal() && !audit.record.deleting {
            audit.record.deleting = true;
            self.chores.insert(id.clone());
            out.touch_audit(id);
        }
    }

    /// An audit whose every pack is done goes to the statistics.
    pub(super) fn finish_if_complete(&mut self, id: &AuditId, out: &mut Out) {
        let Some(audit) = self.audits.get_mut(id) else { return };
        if audit.is_running() && audit.is_complete() {
            audit.record.state = AuditState::Analysing;
            out.touch_audit(id);
            out.act(Action::Finish { audit: id.clone() });
        }
    }

    /// An audit reaches a terminal state. Only its own record is written now; the records of packs that
    /// nobody needs any more are swept up later.
    pub(super) fn end_audit(&mut self, id: &AuditId, state: AuditState, fault: Option<Fault>, out: &mut Out) {
        let Some(audit) = self.audits.get_mut(id) else { return };
        debug_assert!(audit.record.state.may_become(state), "{:?} to {state:?}", audit.record.state);
        audit.record.state = state;
        audit.record.fault = fault;
        for (until, pack) in audit.queue().later() {
            self.timers.clear(*until, Due::Retry(PackId { audit: id.clone(), pack: *pack }));
        }
        audit.stop_waiting();
        if state == AuditState::Succeeded {
            self.chores.remove(id);
        } else {
            self.chores.insert(id.clone());
        }
        out.touch_audit(id);
        self.stop_leases(id, out);
        self.relist(id);
    }

    /// Goes on with what does not fit one step: what exists to take over, records to sweep up or delete.
    pub(super) fn do_chores(&mut self, out: &mut Out) {
        while let Some(id) = self.chores.first().cloned() {
            let finished = self.do_chore(&id, out);
            if !finished {
                break;
            }
            self.chores.remove(&id);
        }
    }

    /// Works on one audit's chore within this step's bound; true when nothing is left of it.
    fn do_chore(&mut self, id: &AuditId, out: &mut Out) -> bool {
        let Some(audit) = self.audits.get_mut(id) else { return true };
        if audit.record.deleting {
            while out.room() > 1 {
                let Some(pack) = audit.drop_next() else {
                    out.touch_audit(id);
                    self.audits.remove(id);
                    return true;
                };
                out.touch_pack(&pack);
            }
            return false;
        }
        if audit.record.state.is_terminal() {
            let (swept, finished) = audit.sweep(out.room());
            swept.iter().for_each(|pack| out.touch_pack(pack));
            return finished;
        }
        while out.room() > 1 {
            let Some(pack) = audit.adopt_next() else { break };
            out.touch_pack(&pack);
        }
        let finished = audit.adopting().is_empty();
        if finished {
            self.finish_if_complete(id, out);
        }
        self.relist(id);
        finished
    }
}
