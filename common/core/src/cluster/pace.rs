//! How fast slots take steps: what tells a straggler from a pack that is merely large.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::size::Size;
use crate::ids::{Millis, WorkerId};

/// The most kinds of slots whose speeds an audit remembers.
const MOST: usize = 10_000;

/// Steps in a million milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Speed(u64);

impl Speed {
    fn of(steps: u64, milliseconds: u64) -> Self {
        let speed = u128::from(steps) * 1_000_000 / u128::from(milliseconds.max(1));
        Self(u64::try_from(speed).unwrap_or(u64::MAX))
    }

    /// Milliseconds that so many steps take; for ever at no speed.
    pub(super) fn time(self, steps: u64) -> u64 {
        // A pack that has taken its last step and puts its queries takes no more, at any speed.
        if steps == 0 {
            return 0;
        }
        let time = (u128::from(steps) * 1_000_000).checked_div(u128::from(self.0));
        time.and_then(|time| u64::try_from(time).ok()).unwrap_or(u64::MAX)
    }
}

/// The speed of one lease, over the latest one to two windows of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// Two marks of time and steps: what is measured from, and what will be.
    marks: Option<[(Millis, u64); 2]>,
}

impl Pace {
    /// Takes in how many steps are done by now; the speed, once it is measured over a window.
    pub(super) fn note(&mut self, now: Millis, done: u64, window_ms: u64) -> Option<Speed> {
        let mark = (now, done);
        let marks = self.marks.get_or_insert([mark; 2]);
        if done < marks[1].1 {
            *marks = [mark; 2];
        }
        if now >= marks[1].0.plus(window_ms) {
            *marks = [marks[1], mark];
        }
        let (since, before) = marks[0];
        let time = now.0.saturating_sub(since.0);
        (time >= window_ms.max(1)).then(|| Speed::of(done.saturating_sub(before), time))
    }
}

/// The latest speeds of an audit's packs, by worker and size of slot: slots that are alike.
#[derive(Debug, Clone, Default)]
pub(super) struct Speeds {
    by_slot: BTreeMap<(WorkerId, Size), Speed>,
    order: BTreeSet<(Reverse<Speed>, WorkerId, Size)>,
}

impl Speeds {
    pub(super) fn note(&mut self, worker: &WorkerId, size: Size, speed: Speed) {
        let key = (worker.clone(), size);
        if self.by_slot.len() >= MOST && !self.by_slot.contains_key(&key) {
            return;
        }
        if let Some(old) = self.by_slot.insert(key, speed) {
            self.order.remove(&(Reverse(old), worker.clone(), size));
        }
        self.order.insert((Reverse(speed), worker.clone(), size));
    }

    /// The fastest first.
    pub(super) fn fastest(&self) -> impl Iterator<Item = (Speed, &WorkerId, Size)> {
        self.order.iter().map(|(speed, worker, size)| (speed.0, worker, *size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_measured_over_one_to_two_windows() {
        let mut pace = Pace::default();
        let mut note = |at: u64, done: u64| pace.note(Millis(at), done, 1_000).map(|speed| speed.time(100));
        assert_eq!([note(0, 50), note(999, 149)], [None, None]);
        // 100 steps a second, then 10, of which what is older than two windows says nothing any more.
        assert_eq!(note(1_000, 150), Some(1_000));
        assert_eq!(note(2_000, 160), Some(10_000));
        assert_eq!(note(3_500, 160), Some(u64::MAX), "it stands still");
        assert_eq!(note(3_600, 20), None, "it began anew");
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        assert_eq!(Speed::of(u64::MAX, 0).time(u64::MAX), 1_000_000);
        assert_eq!(Speed::of(1, u64::MAX).time(1), u64::MAX);
        assert_eq!(Speed::of(0, 1).time(0), 0, "nothing is left to do");
    }

    #[test]
    fn the_latest_speed_of_a_slot_is_its_speed() {
        let worker = |name| WorkerId::try_new(name).unwrap();
        let mut speeds = Speeds::default();
        for (name, steps) in [("a", 1), ("b", 2), ("a", 3)] {
            speeds.note(&worker(name), Size::UNKNOWN, Speed::of(steps, 1_000));
        }
        let order: Vec<_> = speeds.fastest().map(|(_, worker, _)| worker.to_string()).collect();
        assert_eq!(order, ["a", "b"]);
    }
}
