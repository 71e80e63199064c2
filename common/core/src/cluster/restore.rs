//! A cluster from its records: what a new leader does first.

use std::collections::BTreeMap;

use super::audit::Audit;
use super::leases::{Lease, Loss};
use super::out::Out;
use super::timers::Due;
use super::worker::Held;
use super::{Action, AuditRecord, Cluster, ClusterConfig, PackRecord, Record};
use crate::ids::{AuditId, Fence, Millis, PackId, SlotId};
use crate::lifecycle::{AuditState, PackState};

impl Cluster {
    /// The cluster that these records describe, and what its shell has to do again: results that were
    /// reported are verified, audits whose packs are done are analysed. No worker is connected; every
    /// lease starts afresh, so that workers have one lease's time to come back with their packs.
    ///
    /// The order of the records is free. A pack's record without its audit's, or beyond its plan, is
    /// passed over.
    pub fn restore(
        now: Millis,
        config: ClusterConfig,
        records: impl IntoIterator<Item = Record>,
    ) -> (Self, Vec<Action>) {
        let mut cluster = Self::new(now, config);
        let mut audits = Vec::new();
        let mut packs: BTreeMap<AuditId, Vec<PackRecord>> = BTreeMap::new();
        for record in records {
            match record {
                Record::Cluster(record) => cluster.record = record,
                Record::Audit(record) => audits.push(record),
                Record::Pack(record) => packs.entry(record.id.audit.clone()).or_default().push(record),
            }
        }
        let mut out = Out::default();
        for audit in audits {
            let packs = packs.remove(&audit.id).unwrap_or_default();
            cluster.restore_audit(audit, packs, &mut out);
        }
        cluster.wake(&mut out);
        let actions = out.into_actions(&cluster);
        (cluster, actions)
    }

    fn restore_audit(&mut self, record: AuditRecord, packs: Vec<PackRecord>, out: &mut Out) {
        let id = record.id.clone();
        let state = record.state;
        self.record.next_sequence = self.record.next_sequence.max(record.sequence.saturating_add(1));
        let mut audit = Audit::new(record, packs, BTreeMap::new());
        for pack in audit.packs().values() {
            if let Some(Fence(fence)) = pack.state.fence() {
                self.record.next_fence = self.record.next_fence.max(Fence(fence.saturating_add(1)));
            }
            if state == AuditState::Running {
                self.restore_pack(pack, out);
            }
        }
        match state {
            AuditState::Running => {}
            AuditState::Analysing => out.act(Action::Finish { audit: id.clone() }),
            AuditState::Succeeded | AuditState::Failed | AuditState::Cancelled => audit.stop_waiting(),
        }
        let unfinished = audit.packs().values().any(|pack| !pack.state.phase().is_terminal());
        if audit.record.deleting || (state.is_terminal() && unfinished) {
            self.chores.insert(id.clone());
        }
        self.audits.insert(id.clone(), audit);
        self.finish_if_complete(&id, out);
        self.relist(&id);
    }

    fn restore_pack(&mut self, pack: &PackRecord, out: &mut Out) {
        match &pack.state {
            PackState::Leased { fence, slot } => self.restore_lease(pack.id.clone(), *fence, slot),
            PackState::Reported { fence, result } => {
                let (pack, result) = (pack.id.clone(), result.clone());
                out.act(Action::Ingest { pack, fence: *fence, result });
            }
            PackState::Waiting | PackState::Done { .. } | PackState::Failed => {}
        }
    }

    fn restore_lease(&mut self, pack: PackId, fence: Fence, slot: &SlotId) {
        let deadline = self.now.plus(self.config.lease_ms);
        let held = Held { pack: pack.clone(), fence, deadline: Some(deadline), over: false };
        let worker = self.workers.entry(slot.worker.clone()).or_default();
        if worker.occupy(slot.slot, held) && !self.leases.contains_key(&fence) {
            self.timers.set(deadline, Due::Lease(slot.clone()));
            self.leases.insert(fence, Lease::new(pack, slot.clone()));
        } else {
            // Two leases of one slot were never written; of damaged records one pack starts again.
            self.lost.insert(pack, Loss { fence, worker: slot.worker.clone(), counts: false });
        }
    }

    /// Every record as it should be stored now: what [`restore`](Self::restore) needs.
    pub fn records(&self) -> Vec<Record> {
        let audits = self.audits.values().map(|audit| Record::Audit(audit.record.clone()));
        let packs = self.audits.values().flat_map(|audit| audit.packs().values());
        let is_new = self.record == super::ClusterRecord::default();
        let cluster = (!is_new).then_some(Record::Cluster(self.record));
        cluster.into_iter().chain(audits).chain(packs.cloned().map(Record::Pack)).collect()
    }
}
