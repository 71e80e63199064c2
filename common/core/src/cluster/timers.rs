//! When something is due, and which wake-up the shell was asked for.

use std::collections::BTreeSet;

use crate::ids::{Millis, PackId, SlotId, WorkerId};

/// What is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The lease of whatever holds this slot runs out.
    Lease(SlotId),
    /// A failed pack may be tried again.
    Retry(PackId),
    /// A worker's quarantine ends, or its failures are forgotten.
    Conduct(WorkerId),
}

/// Everything that is due at some time, soonest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Millis, Due)>,
    announced: Option<Millis>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Millis, due: Due) {
        self.due.insert((at, due));
    }

    pub(super) fn clear(&mut self, at: Millis, due: Due) {
        self.due.remove(&(at, due));
    }

    pub(super) fn contains(&self, at: Millis, due: Due) -> bool {
        self.due.contains(&(at, due))
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Takes the first thing that is due by `now`.
    pub(super) fn pop(&mut self, now: Millis) -> Option<(Millis, Due)> {
        if self.soonest()? > now { None } else { self.due.pop_first() }
    }

    pub(super) fn soonest(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The wake-up that the shell was asked for and has not given yet.
    pub(super) fn announced(&self) -> Option<Millis> {
        self.announced
    }

    /// The wake-up to ask for, unless one as early is on its way. `at_once`: there is work right now.
    pub(super) fn announce(&mut self, now: Millis, at_once: bool) -> Option<Millis> {
        // A wake-up that was asked for by now is spent, whichever event this step was for.
        self.announced = self.announced.filter(|at| *at > now);
        let wanted = if at_once { Some(now) } else { self.soonest() }?;
        if self.announced.is_some_and(|at| at <= wanted) {
            return None;
        }
        self.announced = Some(wanted);
        self.announced
    }
}
