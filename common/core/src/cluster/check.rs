//! The invariants, as functions over the whole state. They cost a walk over everything: tests call
//! [`Cluster::check`] after every step, production code does not.

use std::collections::{BTreeMap, BTreeSet};

use super::class::FairKey;
use super::size::Need;
use super::timers::Due;
use super::worker::{Duty, slot_id};
use super::{Cluster, Record, WaitingReason};
use crate::ids::{AuditId, Fence, PackId, PackIndex, SlotId};
use crate::lifecycle::{AuditState, PackState};

/// What outlives the process: two clusters with the same lasting state differ in what is connected, in
/// lease and retry times, and in nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasting {
    /// Every record.
    pub records: Vec<Record>,
    /// Every lease, live or ended and not yet written.
    pub leased: BTreeMap<Fence, PackId>,
    /// Every pack that waits, for whatever reason.
    pub waiting: BTreeSet<PackId>,
    /// Audits with records that are to go.
    pub ending: BTreeSet<AuditId>,
}

/// Says what is broken, if anything is.
type Invariant = fn(&Cluster) -> Result<(), String>;

fn ensure(holds: bool, says: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(says()) }
}

impl Cluster {
    /// Checks every invariant.
    ///
    /// # Errors
    /// The first that is broken, by name, and where.
    pub fn check(&self) -> Result<(), String> {
        let invariants: [(&str, Invariant); 11] = [
            ("S1", Self::s1_a_pack_has_at_most_one_live_fence),
            ("S2", Self::s2_a_stale_fence_owns_nothing),
            ("S3", Self::s3_a_slot_is_free_or_lost_or_holds_one_pack),
            ("S4", Self::s4_what_ended_has_nothing_going_on),
            ("S5", Self::s5_an_audit_ends_with_its_packs),
            ("S6", Self::s6_failures_and_losses_have_their_own_bounds),
            ("S8", Self::s8_nothing_waits_without_a_wake_up_or_a_reason),
            ("tallies", Self::tallies_are_sums),
            ("queues", Self::queues_hold_what_waits),
            ("classes", Self::classes_list_supply_and_demand),
            ("timers", Self::timers_are_the_deadlines),
        ];
        let first = invariants.iter().find_map(|(name, holds)| Some((name, holds(self).err()?)));
        first.map_or(Ok(()), |(name, broken)| Err(format!("{name}: {broken}")))
    }

    /// The state that a restart keeps.
    pub fn lasting(&self) -> Lasting {
        let leases = self.leases.iter().map(|(fence, lease)| (*fence, lease.pack.clone()));
        let lost = self.lost.iter().map(|(pack, loss)| (loss.fence, pack.clone()));
        let mut waiting = BTreeSet::new();
        let mut ending = BTreeSet::new();
        for (id, audit) in &self.audits {
            if audit.is_running() {
                let packs = (0..audit.record.demand.packs).map(PackIndex);
                let idle =
                    packs.filter(|pack| audit.pack(*pack).is_none_or(|r| r.state == PackState::Waiting));
                waiting.extend(idle.map(|pack| PackId { audit: id.clone(), pack }));
            } else if audit.record.deleting
                || audit.packs().values().any(|pack| !pack.state.phase().is_terminal())
            {
                ending.insert(id.clone());
            }
        }
        Lasting { records: self.records(), leased: leases.chain(lost).collect(), waiting, ending }
    }

    fn s1_a_pack_has_at_most_one_live_fence(&self) -> Result<(), String> {
        for (fence, lease) in &self.leases {
            let state = self.pack(&lease.pack).map(|record| &record.state);
            let wanted = PackState::Leased { fence: *fence, slot: lease.slot.clone() };
            ensure(state == Some(&wanted), || {
                format!("fence {fence} is live for pack {}, which is {state:?}", lease.pack)
            })?;
            ensure(*fence < self.record.next_fence, || format!("fence {fence} was never given"))?;
        }
        let running = self.audits.values().filter(|audit| audit.is_running());
        for record in running.flat_map(|audit| audit.packs().values()) {
            let PackState::Leased { fence, .. } = &record.state else { continue };
            let is_live = self.leases.get(fence).is_some_and(|lease| lease.pack == record.id);
            let is_lost = self.lost.get(&record.id).is_some_and(|loss| loss.fence == *fence);
            ensure(is_live != is_lost, || {
                format!("pack {} is leased to fence {fence}: live {is_live}, lost {is_lost}", record.id)
            })?;
        }
        Ok(())
    }

    pub(super) fn s2_a_stale_fence_owns_nothing(&self) -> Result<(), String> {
        for (id, worker) in &self.workers {
            for (slot, held) in worker.held() {
                let slot = slot_id(id, *slot);
                let Some(record) = self.pack(&held.pack) else { continue };
                let named = record.state == PackState::Leased { fence: held.fence, slot: slot.clone() };
                let runs = self.audits.get(&held.pack.audit).is_some_and(|audit| audit.is_running());
                let owns = self.is_live_at(id, slot.slot, held.fence) || self.lost.contains_key(&held.pack);
                ensure(!named || !runs || owns, || {
                    format!(
                        "slot {slot} holds the stale fence {}, which pack {} names",
                        held.fence, held.pack
                    )
                })?;
            }
        }
        Ok(())
    }

    fn s3_a_slot_is_free_or_lost_or_holds_one_pack(&self) -> Result<(), String> {
        for (id, worker) in &self.workers {
            let connected = worker.duty() != Duty::Gone;
            ensure(connected || !worker.held().is_empty(), || format!("worker {id} is gone and remembered"))?;
            if !connected {
                continue;
            }
            let empty = worker.lost.iter().filter(|slot| !worker.held().contains_key(slot));
            let free = worker.free().values().flatten();
            let slots = free.clone().chain(worker.held().keys()).chain(empty);
            let all: BTreeSet<_> = slots.clone().copied().collect();
            let exact = slots.count() == all.len() && all.iter().copied().eq(0..worker.slots);
            let both = free.clone().find(|slot| worker.lost.contains(slot));
            let sized = worker.free().iter().all(|(size, slots)| {
                !slots.is_empty() && slots.iter().all(|slot| worker.size(*slot) == *size)
            });
            ensure(exact && both.is_none() && sized, || {
                format!(
                    "worker {id} has {} slots, free {:?}, held {:?}, lost {:?}",
                    worker.slots,
                    worker.free(),
                    worker.held().keys(),
                    worker.lost
                )
            })?;
        }
        let mut slots = BTreeSet::new();
        for (fence, lease) in &self.leases {
            let SlotId { worker, slot } = &lease.slot;
            let held = self.workers.get(worker).and_then(|worker| worker.held().get(slot));
            ensure(held.is_some_and(|held| held.fence == *fence && held.pack == lease.pack), || {
                format!("fence {fence} is live in slot {}, which holds {held:?}", lease.slot)
            })?;
            ensure(slots.insert(&lease.slot), || format!("slot {} has two live fences", lease.slot))?;
        }
        Ok(())
    }

    fn s4_what_ended_has_nothing_going_on(&self) -> Result<(), String> {
        for (id, audit) in &self.audits {
            let state = audit.record.state;
            let failed = state == AuditState::Failed;
            ensure(audit.record.fault.is_some() == failed, || {
                format!("audit {id} is {state:?} with the fault {:?}", audit.record.fault)
            })?;
            ensure(state.is_terminal() || !audit.record.deleting, || {
                format!("audit {id} is being deleted while it is {state:?}")
            })?;
            if audit.is_running() {
                continue;
            }
            let queue = audit.queue();
            let idle = queue.later().is_empty() && !queue.has_touched() && audit.adopting().is_empty();
            ensure(idle && audit.listed.is_none(), || {
                format!("audit {id} is {state:?} and has packs in line")
            })?;
            let going_on = self.leases.values().map(|lease| &lease.pack).chain(self.lost.keys());
            let of_audit = going_on.into_iter().find(|pack| pack.audit == *id);
            ensure(of_audit.is_none(), || {
                format!("audit {id} is {state:?}, but pack {of_audit:?} is leased")
            })?;
        }
        let unknown = self.lost.keys().find(|pack| !self.audits.contains_key(&pack.audit));
        ensure(unknown.is_none(), || format!("pack {unknown:?} of no audit is lost"))
    }

    fn s5_an_audit_ends_with_its_packs(&self) -> Result<(), String> {
        for (id, audit) in &self.audits {
            let (state, complete) = (audit.record.state, audit.is_complete());
            let right = match state {
                AuditState::Running => !complete && audit.counts().failed == 0,
                AuditState::Analysing => complete,
                AuditState::Succeeded => complete || audit.record.deleting,
                AuditState::Failed | AuditState::Cancelled => true,
            };
            ensure(right, || format!("audit {id} is {state:?} with {:?}", audit.counts()))?;
        }
        Ok(())
    }

    fn s6_failures_and_losses_have_their_own_bounds(&self) -> Result<(), String> {
        let running = self.audits.values().filter(|audit| audit.is_running());
        for pack in running.flat_map(|audit| audit.packs().values()) {
            let within =
                pack.attempts < self.config.max_attempts.max(1) && pack.losses <= self.config.max_losses;
            ensure(within, || {
                format!(
                    "pack {} goes on after {} failures and {} losses",
                    pack.id, pack.attempts, pack.losses
                )
            })?;
        }
        Ok(())
    }

    fn s8_nothing_waits_without_a_wake_up_or_a_reason(&self) -> Result<(), String> {
        let soonest = if self.has_work() { Some(self.now) } else { self.timers.soonest() };
        let announced = self.timers.announced();
        ensure(soonest.is_none_or(|at| announced.is_some_and(|wake| wake <= at)), || {
            format!("work is due at {soonest:?}, but the wake-up is at {announced:?}")
        })?;
        for (id, audit) in self.audits.iter().filter(|(_, audit)| audit.is_running()) {
            let counts = audit.counts();
            let reason = self.explain(id);
            ensure((counts.waiting > 0) == reason.is_some(), || {
                format!("audit {id} has {} packs waiting, because {reason:?}", counts.waiting)
            })?;
            let holds = match &reason {
                Some(WaitingReason::Starting) => self.has_work(),
                Some(WaitingReason::BackingOff { until, .. }) => announced.is_some_and(|wake| wake <= *until),
                // Another worker's slot will come free; one without a device never would.
                Some(WaitingReason::Avoiding { worker }) => {
                    let mut others = self.workers.iter().filter(|(id, _)| *id != worker);
                    others.any(|(_, other)| {
                        let largest = other.supply().last_key_value().map(|(size, _)| *size);
                        other.duty() == Duty::On && largest >= Some(audit.need().least())
                    })
                }
                Some(WaitingReason::Quarantined { until, .. }) => {
                    announced.is_some_and(|wake| wake <= *until)
                }
                // One of its own packs will end.
                Some(WaitingReason::Limited { .. }) => counts.running > 0,
                _ => true,
            };
            ensure(holds, || format!("audit {id} waits because {reason:?}, and nothing will wake it"))?;
        }
        Ok(())
    }

    fn tallies_are_sums(&self) -> Result<(), String> {
        for (id, audit) in &self.audits {
            let mut tally = [0; 5];
            for (index, record) in audit.packs() {
                tally[record.state.phase() as usize] += 1;
                ensure(record.id == PackId { audit: id.clone(), pack: *index }, || {
                    format!("the record of pack {} is kept as pack {index} of {id}", record.id)
                })?;
                ensure(!record.is_untouched(), || {
                    format!("pack {} has a record that says nothing", record.id)
                })?;
            }
            ensure(tally == audit.tally(), || {
                format!("audit {id} counts {:?}, not {tally:?}", audit.tally())
            })?;
        }
        Ok(())
    }

    fn queues_hold_what_waits(&self) -> Result<(), String> {
        for (id, audit) in self.audits.iter().filter(|(_, audit)| audit.is_running()) {
            let queue = audit.queue();
            let fresh = (queue.fresh..audit.record.demand.packs).map(PackIndex);
            let fresh =
                fresh.filter(|pack| audit.pack(*pack).is_none() && !audit.adopting().contains_key(pack));
            let later = queue.later().iter().map(|(_, pack)| *pack);
            let mut in_line: Vec<_> =
                queue.touched().chain(later).chain(fresh).chain(audit.adopting().keys().copied()).collect();
            in_line.sort_unstable();
            let packs = (0..audit.record.demand.packs).map(PackIndex);
            let waiting =
                packs.filter(|pack| audit.pack(*pack).is_none_or(|r| r.state == PackState::Waiting));
            ensure(waiting.eq(in_line.iter().copied()), || format!("audit {id} has in line {in_line:?}"))?;
            ensure(audit.adopting().is_empty() || self.chores.contains(id), || {
                format!("audit {id} has results to take over and no chore")
            })?;
        }
        for id in self.lasting().ending {
            ensure(self.chores.contains(&id), || format!("audit {id} has records to remove and no chore"))?;
        }
        Ok(())
    }

    fn classes_list_supply_and_demand(&self) -> Result<(), String> {
        let mut fresh = Self::new(self.now, self.config);
        fresh.workers.clone_from(&self.workers);
        for id in self.workers.keys() {
            fresh.list_worker(id);
        }
        for (id, audit) in &self.audits {
            let needs = audit.packs().values().map(|pack| pack.too_small).filter(|bytes| *bytes > 0);
            let estimate = Need::about(audit.record.demand.memory_bytes);
            let need = needs.map(Need::above).fold(estimate, Need::max);
            ensure(audit.need() == need || !audit.is_running(), || {
                format!("audit {id} needs {:?}, not {need:?}", audit.need())
            })?;
            let wanted = FairKey::of(audit).map(|key| (audit.need(), key));
            ensure(audit.listed == wanted, || {
                format!("audit {id} is listed as {:?}, not {wanted:?}", audit.listed)
            })?;
            if let Some((need, key)) = wanted {
                let name = audit.record.demand.numerics.clone();
                fresh.classes.entry(name).or_default().list(need, key);
            }
        }
        for (id, worker) in &self.workers {
            ensure(worker.is_quarantined() == self.is_quarantined(id), || {
                format!("worker {id} is in quarantine: {}", self.is_quarantined(id))
            })?;
        }
        ensure(fresh.classes == self.classes, || {
            format!("the classes are {:?}, not {:?}", self.classes, fresh.classes)
        })
    }

    fn timers_are_the_deadlines(&self) -> Result<(), String> {
        let mut due = Vec::new();
        for (id, worker) in &self.workers {
            for (slot, held) in worker.held() {
                let live = self.is_live_at(id, *slot, held.fence);
                ensure(held.deadline.is_some() || (!live && worker.duty() != Duty::Gone), || {
                    format!("slot {id}:{slot} is held without a deadline: {held:?}")
                })?;
                due.extend(held.deadline.map(|at| (at, Due::Lease(slot_id(id, *slot)))));
            }
        }
        for (id, audit) in &self.audits {
            let pack = |pack: &PackIndex| PackId { audit: id.clone(), pack: *pack };
            due.extend(audit.queue().later().iter().map(|(at, index)| (*at, Due::Retry(pack(index)))));
        }
        due.extend(self.conducts.iter().map(|(id, conduct)| (conduct.due, Due::Conduct(id.clone()))));
        ensure(due.len() == self.timers.len(), || {
            format!("{} timers run for {} deadlines", self.timers.len(), due.len())
        })?;
        let missing = due.into_iter().find(|(at, due)| !self.timers.contains(*at, due.clone()));
        ensure(missing.is_none(), || format!("no timer runs for {missing:?}"))
    }
}
