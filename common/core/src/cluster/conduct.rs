//! Workers that fail everything take no packs for a while: the quarantine.
//!
//! A worker that fails several packs in a row through its own fault (its device, its process, its disk), two
//! different ones among them and no success between, is taken to be what is broken, not the packs. It gets
//! no more of them for a while, which doubles each time; a single failure is enough while none succeeded
//! since. The failures that led there are then no longer the packs' own: they move from the packs' bound of
//! failures to their bound of losses, so that a broken worker ends no audit, and a fleet of them, or a
//! recipe that breaks everything it runs on, still does. The last worker on duty that could do the work is
//! never put in quarantine: its failures are the audit's, which fails fast where nobody is left to try.
//!
//! All of this is in memory only: a new leader learns it anew, at the price of as many failures. It is kept
//! by the worker's id, so a worker that says hello again is still in quarantine, and one that starts again,
//! under a new id, is not.

use super::Cluster;
use super::out::Out;
use super::size::Need;
use super::timers::Due;
use super::worker::Duty;
use crate::fault::{Domain, Fault, Retry};
use crate::ids::{Millis, PackId, WorkerId};

/// The most workers whose conduct is remembered.
const MOST: usize = 10_000;

/// The most failures that one quarantine excuses.
const MOST_CHARGED: usize = 32;

/// What is held against a worker: its failures since its last success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conduct {
    /// How many, in a row.
    row: u32,
    /// The packs of those that no quarantine excused yet, the oldest first.
    charged: Vec<PackId>,
    /// The pack of the latest.
    last: PackId,
    /// Whether they are of different packs.
    several: bool,
    /// How often it was in quarantine.
    times: u32,
    /// The latest failure.
    pub(super) fault: Fault,
    /// Until when it is in quarantine, while it is.
    pub(super) until: Option<Millis>,
    /// When the quarantine ends or, without one, when all of this is forgotten.
    pub(super) due: Millis,
}

impl Cluster {
    /// A worker failed a pack, or its result is of no use. True if that is not to be held against the pack.
    pub(super) fn strike(&mut self, id: &WorkerId, pack: &PackId, fault: &Fault, out: &mut Out) -> bool {
        let its_own = matches!(fault.domain, Domain::Device | Domain::Worker);
        // Too little memory is the device's size, and what fails everywhere is the pack's.
        if !its_own
            || matches!(fault.retry, Retry::Larger | Retry::Never)
            || self.config.quarantine_after == 0
        {
            return false;
        }
        let Some(mut conduct) = self.conducts.remove(id).or_else(|| self.clean(pack, fault)) else {
            return false;
        };
        self.timers.clear(conduct.due, Due::Conduct(id.clone()));
        conduct.row = conduct.row.saturating_add(1);
        conduct.several |= conduct.last != *pack;
        conduct.last = pack.clone();
        conduct.fault = fault.clone();
        let mut excused = conduct.until.is_some();
        if excused {
            // It was at work on this when it got there, and stays for as long as it had to.
        } else if conduct.row >= self.config.quarantine_after && conduct.several && self.has_other(id, pack) {
            let length = self.config.quarantine(conduct.times);
            conduct.times = conduct.times.saturating_add(1);
            conduct.until = Some(self.now.plus(length));
            conduct.due = self.now.plus(length);
            excused = true;
            for charged in std::mem::take(&mut conduct.charged) {
                self.excuse(&charged, out);
            }
        } else {
            if conduct.charged.len() < MOST_CHARGED {
                conduct.charged.push(pack.clone());
            }
            conduct.due = self.now.plus(self.config.max_quarantine_ms);
        }
        self.timers.set(conduct.due, Due::Conduct(id.clone()));
        let quarantined = conduct.until.is_some();
        self.conducts.insert(id.clone(), conduct);
        self.change_worker(id, |worker| worker.set_quarantined(quarantined));
        excused
    }

    /// Whether another worker could do what this one fails.
    fn has_other(&self, id: &WorkerId, pack: &PackId) -> bool {
        let Some(audit) = self.audits.get(&pack.audit) else { return false };
        let class = self.classes.get(&audit.record.demand.numerics);
        class.is_some_and(|class| class.has_other(audit.need(), id))
    }

    /// The first failure; none where too many workers have some.
    fn clean(&self, pack: &PackId, fault: &Fault) -> Option<Conduct> {
        (self.conducts.len() < MOST).then(|| Conduct {
            row: 0,
            charged: Vec::new(),
            last: pack.clone(),
            several: false,
            times: 0,
            fault: fault.clone(),
            until: None,
            due: self.now,
        })
    }

    /// A failure that was counted against a pack was its worker's: it becomes a loss, if there is room for one.
    fn excuse(&mut self, pack: &PackId, out: &mut Out) {
        let bound = self.config.max_losses;
        let Some(audit) = self.audits.get_mut(&pack.audit).filter(|audit| audit.is_running()) else { return };
        let Some(record) = audit.pack(pack.pack) else { return };
        if record.state.phase().is_terminal() || record.attempts == 0 || record.losses >= bound {
            return;
        }
        audit.change(pack.pack, |record| {
            record.attempts -= 1;
            record.losses += 1;
        });
        out.touch_pack(pack);
    }

    /// A result of a worker is verified: nothing is held against it any more.
    pub(super) fn acquit(&mut self, id: &WorkerId) {
        if let Some(conduct) = self.conducts.remove(id) {
            self.timers.clear(conduct.due, Due::Conduct(id.clone()));
            self.change_worker(id, |worker| worker.set_quarantined(false));
        }
    }

    /// A quarantine is over, or failures are long enough ago to be forgotten.
    pub(super) fn conduct_due(&mut self, id: &WorkerId) {
        let Some(conduct) = self.conducts.get_mut(id) else { return };
        if conduct.until.take().is_none() {
            self.conducts.remove(id);
            return;
        }
        conduct.due = self.now.plus(self.config.max_quarantine_ms);
        self.timers.set(conduct.due, Due::Conduct(id.clone()));
        self.change_worker(id, |worker| worker.set_quarantined(false));
    }

    /// Whether a worker is in quarantine.
    pub(super) fn is_quarantined(&self, id: &WorkerId) -> bool {
        self.conducts.get(id).is_some_and(|conduct| conduct.until.is_some())
    }

    /// Of the workers in quarantine that offer a class and have a slot that is large enough, the one that is out
    /// first.
    pub(super) fn first_released(&self, numerics: &str, need: Need) -> Option<(&WorkerId, &Conduct)> {
        let offers = |id: &WorkerId| {
            let worker = self.workers.get(id);
            worker.is_some_and(|w| {
                let fits = w.supply().last_key_value().is_some_and(|(size, _)| *size >= need.least());
                w.duty() == Duty::Quarantined && w.numerics.contains(numerics) && fits
            })
        };
        self.conducts.iter().filter(|(id, _)| offers(id)).min_by_key(|(_, conduct)| conduct.until)
    }
}
