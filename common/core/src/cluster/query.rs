//! What the shell may ask.

use std::collections::BTreeSet;

use super::size::{Need, Size};
use super::worker::Duty;
use super::{
    AuditStatus, Checkpoint, Cluster, ClusterConfig, PackCounts, PackRecord, PackResult, QuarantineStatus,
    RunningPack, SlotStatus, WaitingReason, WorkerStatus,
};
use crate::ids::{AuditId, Fence, PackId, PackIndex, WorkerId};
use crate::lifecycle::PackState;

impl Cluster {
    /// The numbers it works with.
    pub const fn config(&self) -> ClusterConfig {
        self.config
    }

    /// An audit at a glance.
    pub fn audit(&self, id: &AuditId) -> Option<AuditStatus> {
        let audit = self.audits.get(id)?;
        Some(AuditStatus {
            id: id.clone(),
            state: audit.record.state,
            counts: audit.counts(),
            fault: audit.record.fault.clone(),
            waiting: self.explain(id),
            deleting: audit.record.deleting,
        })
    }

    /// Every audit, by name.
    pub fn audits(&self) -> impl Iterator<Item = AuditStatus> + '_ {
        self.audits.keys().filter_map(|id| self.audit(id))
    }

    /// Where the packs of an audit that has not ended stand.
    pub fn unfinished(&self, id: &AuditId) -> Option<PackCounts> {
        let audit = self.audits.get(id).filter(|audit| !audit.record.state.is_terminal())?;
        Some(audit.counts())
    }

    /// How many audits of its class come before an audit in the fair order, while it has packs that wait for
    /// a slot and for nothing else.
    pub fn queue_position(&self, id: &AuditId) -> Option<u32> {
        let audit = self.audits.get(id)?;
        let (_, key) = audit.listed.as_ref()?;
        let class = self.classes.get(&audit.record.demand.numerics)?;
        Some(class.ahead(key) as u32)
    }

    /// A pack's record; none while there is nothing to remember about it.
    pub fn pack(&self, id: &PackId) -> Option<&PackRecord> {
        self.audits.get(&id.audit)?.pack(id.pack)
    }

    /// The results of an audit that count, by pack: all of them when it is to be analysed.
    pub fn results(&self, id: &AuditId) -> impl Iterator<Item = (PackIndex, &PackResult)> + '_ {
        let packs = self.audits.get(id).into_iter().flat_map(|audit| audit.packs());
        packs.filter_map(|(index, record)| match &record.state {
            PackState::Done { result, .. } => Some((*index, result)),
            _ => None,
        })
    }

    /// What the packs of an audit would go on from.
    pub fn checkpoints(&self, id: &AuditId) -> impl Iterator<Item = &Checkpoint> + '_ {
        let packs = self.audits.get(id).into_iter().flat_map(|audit| audit.packs().values());
        packs.filter_map(|record| record.checkpoint.as_ref())
    }

    /// The packs of an audit that are at work, in order of their fences.
    pub fn running(&self, id: &AuditId) -> Vec<RunningPack> {
        let of_audit = self.leases.iter().filter(|(_, lease)| lease.pack.audit == *id);
        of_audit
            .map(|(fence, lease)| RunningPack {
                pack: lease.pack.pack,
                slot: lease.slot.clone(),
                fence: *fence,
            })
            .collect()
    }

    /// The pack and the worker of a fence, while it is live.
    pub fn live_fence(&self, fence: Fence) -> Option<(PackId, WorkerId)> {
        self.leases.get(&fence).map(|lease| (lease.pack.clone(), lease.slot.worker.clone()))
    }

    /// Every worker that is connected or still holds a lease, by name.
    pub fn workers(&self) -> impl Iterator<Item = WorkerStatus> + '_ {
        self.workers.keys().filter_map(|id| self.worker(id))
    }

    /// A worker at a glance.
    pub fn worker(&self, id: &WorkerId) -> Option<WorkerStatus> {
        let worker = self.workers.get(id)?;
        Some(WorkerStatus {
            id: id.clone(),
            connected: worker.duty() != Duty::Gone,
            draining: worker.duty() == Duty::Draining,
            slots: worker.slots,
            busy: worker.busy(),
            lost: worker.lost.len() as u32,
            quarantine: self.quarantine(id),
            numerics: worker.numerics.iter().cloned().collect(),
        })
    }

    fn quarantine(&self, id: &WorkerId) -> Option<QuarantineStatus> {
        let conduct = self.conducts.get(id)?;
        let wait_ms = conduct.until?.0.saturating_sub(self.now.0);
        Some(QuarantineStatus { wait_ms, fault: conduct.fault.clone() })
    }

    /// What the slots `0..slots` of a connected worker are doing; none for another worker.
    pub fn slots(&self, id: &WorkerId) -> Vec<SlotStatus> {
        let Some(worker) = self.workers.get(id).filter(|worker| worker.duty() != Duty::Gone) else {
            return Vec::new();
        };
        let status = |slot| SlotStatus {
            pack: worker.held().get(&slot).map(|held| held.pack.clone()),
            lost: worker.lost.contains(&slot),
        };
        (0..worker.slots).map(status).collect()
    }

    /// Why packs of an audit wait. None if none does, or there is no such audit.
    pub fn explain(&self, id: &AuditId) -> Option<WaitingReason> {
        let audit = self.audits.get(id).filter(|audit| audit.is_running())?;
        if audit.counts().waiting == 0 {
            return None;
        }
        if !self.workers.values().any(|worker| worker.duty() != Duty::Gone) {
            return Some(WaitingReason::NoWorker);
        }
        let wanted = &audit.record.demand.numerics;
        let Some(class) = self.classes.get(wanted).filter(|class| class.connected() > 0) else {
            return Some(WaitingReason::NoNumerics { wanted: wanted.clone(), offered: self.offered() });
        };
        if class.on_duty == 0 {
            return Some(if class.silent > 0 {
                WaitingReason::Silent { workers: class.silent }
            } else if let Some(reason) = self.quarantined(wanted, Need::default()) {
                reason
            } else if class.lost > 0 {
                WaitingReason::Lost { slots: class.lost }
            } else if class.unable == 0 && class.draining > 0 {
                WaitingReason::Draining { workers: class.draining }
            } else {
                WaitingReason::Busy { slots: 0 }
            });
        }
        let (need, largest) = (audit.need(), class.largest());
        if largest.is_some_and(|largest| largest < need.least()) {
            let largest_bytes = largest.and_then(Size::bytes).unwrap_or(0);
            let too_small = WaitingReason::TooSmall { needed_bytes: need.bytes(), largest_bytes };
            return Some(self.quarantined(wanted, need).unwrap_or(too_small));
        }
        if audit.is_limited() {
            return Some(WaitingReason::Limited { slots: audit.record.demand.max_slots });
        }
        if !audit.is_ready() {
            return Some(match audit.queue().later().first() {
                Some((until, pack)) => WaitingReason::BackingOff {
                    until: *until,
                    wait_ms: until.0.saturating_sub(self.now.0),
                    fault: audit.pack(*pack).and_then(|record| record.last_fault.clone()),
                },
                None => WaitingReason::Starting,
            });
        }
        if class.fitting(need).next().is_none() {
            return Some(WaitingReason::Busy { slots: class.slots(need) });
        }
        match (audit.pick(class), audit.queue().avoided()) {
            (None, Some(worker)) => Some(WaitingReason::Avoiding { worker: worker.clone() }),
            _ => Some(WaitingReason::Starting),
        }
    }

    /// The quarantine that ends first of those that keep a pack waiting.
    fn quarantined(&self, numerics: &str, need: Need) -> Option<WaitingReason> {
        let (worker, conduct) = self.first_released(numerics, need)?;
        let until = conduct.until?;
        let wait_ms = until.0.saturating_sub(self.now.0);
        let (worker, fault) = (worker.clone(), conduct.fault.clone());
        Some(WaitingReason::Quarantined { worker, until, wait_ms, fault })
    }

    /// The classes that connected workers offer.
    fn offered(&self) -> Vec<String> {
        let connected = self.workers.values().filter(|worker| worker.duty() != Duty::Gone);
        let offered: BTreeSet<_> = connected.flat_map(|worker| &worker.numerics).collect();
        offered.into_iter().cloned().collect()
    }
}
