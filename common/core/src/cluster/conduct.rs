//! Workers that fail everything take no packs for a while: the quarantine.
//!
//! A worker that fails several packs in a row through its own fault (its device, its process, its disk), two
//! different ones among them and no success between, is taken to be what is broken, not the packs. It gets
//! no more of them for a while, which doubles each time; a single failure is enough while none succeeded
//! since. The failures that led there are then no longer the packs' own: they move from the packs' bound of
//! failures to their bound of losses, so that a broken worker ends no audit, and a fleet of them, or a
//! recipe that breaks everything it runs on, still does.
//!
//! All of this is in memory only: a new leader learns it anew, at the price of as many failures. It is kept
//! by the worker's id, so a worker that says hello again is still in quarantine, and one that starts again,
//! under a new id, is not.

use std::collections::BTreeSet;

use super::Cluster;
use super::out::Out;
use super::timers::Due;
use crate::fault::{Domain, Fault, Retry};
use crate::ids::{Millis, PackId, WorkerId};

/// The most workers whose conduct is remembered; it is forgotten an hour after the latest failure.
const MOST: usize = 10_000;

/// What is held against a worker: its failures since its last success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conduct {
    /// How many, in a row.
    row: u32,
    /// The packs of those that no quarantine excused yet, the oldest first.
    charged: Vec<PackId>,
    /// Whether at least two different packs are among them all, and the last one.
    last: PackId,
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
        if !its_own || matches!(fault.retry, Retry::Larger | Retry::Never) || self.config.quarantine_after == 0 {
            return false;
        }
        let Some(mut conduct) = self.conducts.remove(id).or_else(|| self.clean(pack, fault)) else { return false };
        self.timers.clear(conduct.due, Due::Conduct(id.clone()));
        conduct.row = conduct.row.saturating_add(1);
        conduct.several |= conduct.last != *pack;
        conduct.last = pack.clone();
        conduct.fault = fault.clone();
        let mut excused = conduct.until.is_some();
        if excused {
            // What it had when it got there.
        } else if conduct.row >= self.config.quarantine_after && conduct.several {
            let length = self.config.quarantine(conduct.times);
            conduct.times = conduct.times.saturating_add(1);
            conduct.until = Some(self.now.plus(length));
            conduct.due = self.now.plus(length);
            excused = true;
            for charged in std::mem::take(&mut conduct.charged) {
                self.excuse(&charged, out);
            }
        } else {
            conduct.charged.push(pack.clone());
            conduct.due = self.now.plus(self.config.max_quarantine_ms);
        }
        self.timers.set(conduct.due, Due::Conduct(id.clone()));
        let quarantined = conduct.until.is_some();
        self.conducts.insert(id.clone(), conduct);
        self.change_worker(id, |worker| worker.set_quarantined(quarantined));
        excused
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

    /// The quarantine of the class that ends first, and how many workers are in one.
    pub(super) fn quarantines(&self, numerics: &str) -> Option<(&Conduct, BTreeSet<&WorkerId>)> {
        let offers = |id: &WorkerId| {
            self.workers.get(id).is_some_and(|worker| {
                worker.duty() == super::worker::Duty::Quarantined && worker.numerics.contains(numerics)
            })
        };
        let all: Vec<_> =
            self.conducts.iter().filter(|(id, conduct)| conduct.until.is_some() && offers(id)).collect();
        let (_, first) = all.iter().min_by_key(|(_, conduct)| conduct.until)?;
        Some((first, all.iter().map(|(id, _)| *id).collect()))
    }
}
