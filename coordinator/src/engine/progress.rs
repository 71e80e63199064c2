//! How far running packs are, and how fast. Kept in memory only: no decision depends on it.

use std::collections::{HashMap, VecDeque};

use umbra_core::ids::{AuditId, Fence, Millis, PackId, PackIndex};
use umbra_proto::v1::RunningPack;

/// The span over which a rate is measured.
const WINDOW_MS: u64 = 15_000;

/// The live counters of every audit.
#[derive(Default)]
pub struct Progress {
    audits: HashMap<AuditId, AuditProgress>,
}

#[derive(Default)]
struct AuditProgress {
    packs: HashMap<PackIndex, Counters>,
    /// (time, steps and samples seen until then in this process).
    history: VecDeque<(Millis, Seen)>,
    seen: Seen,
}

#[derive(Clone, Copy)]
struct Counters {
    fence: Fence,
    steps: u64,
    shadows: u32,
    samples: u64,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    steps: u64,
    samples: u64,
}

/// What the packs at work add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Steps taken by packs whose results do not count yet.
    pub steps: u64,
    /// Shadows trained by packs whose results do not count yet.
    pub shadows: u32,
    /// Training records per second.
    pub samples_per_second: f64,
    /// Steps per second.
    pub steps_per_second: f64,
}

impl Progress {
    /// Notes that a pack starts under a fence at a step. Returns how many steps that were seen under an
    /// earlier fence are taken again.
    pub fn assigned(&mut self, pack: &PackId, fence: Fence, step: u64) -> u64 {
        let entry = self.audits.entry(pack.audit.clone()).or_default();
        let counters = Counters { fence, steps: step, shadows: 0, samples: 0 };
        let old = entry.packs.insert(pack.pack, counters);
        old.map_or(0, |old| old.steps.saturating_sub(step))
    }

    /// Notes a heartbeat's word on one pack.
    pub fn note(&mut self, now: Millis, pack: &PackId, fence: Fence, said: &RunningPack) {
        let entry = self.audits.entry(pack.audit.clone()).or_default();
        let new =
            Counters { fence, steps: said.steps_done, shadows: said.shadows_done, samples: said.samples };
        let old = match entry.packs.get(&pack.pack) {
            Some(old) if old.fence > fence => return,
            Some(old) if old.fence == fence => *old,
            // Met for the first time in this process: what it did before is no progress of now.
            _ => new,
        };
        entry.packs.insert(pack.pack, new);
        // What a worker says is not to be trusted with an overflow.
        let Seen { steps, samples } = &mut entry.seen;
        *steps = steps.saturating_add(new.steps.saturating_sub(old.steps));
        *samples = samples.saturating_add(new.samples.saturating_sub(old.samples));
        if entry.history.back().is_none_or(|(time, _)| now.0 >= time.0 + 250) {
            entry.history.push_back((now, entry.seen));
        }
        while entry.history.len() > 2 && entry.history[1].0.0 + WINDOW_MS < now.0 {
            entry.history.pop_front();
        }
    }

    /// Forgets a pack whose result counts from now on.
    pub fn ingested(&mut self, pack: &PackId) {
        if let Some(entry) = self.audits.get_mut(&pack.audit) {
            entry.packs.remove(&pack.pack);
        }
    }

    /// Forgets an audit that has ended.
    pub fn forget(&mut self, audit: &AuditId) {
        self.audits.remove(audit);
    }

    /// What an audit's packs add up to now.
    pub fn totals(&self, audit: &AuditId) -> Totals {
        let Some(entry) = self.audits.get(audit) else { return Totals::default() };
        let mut totals = Totals::default();
        for counters in entry.packs.values() {
            totals.steps = totals.steps.saturating_add(counters.steps);
            totals.shadows = totals.shadows.saturating_add(counters.shadows);
        }
        if let (Some((first, start)), Some((last, end))) = (entry.history.front(), entry.history.back()) {
            let seconds = last.0.saturating_sub(first.0) as f64 / 1000.0;
            if seconds > 0.0 {
                totals.samples_per_second = (end.samples - start.samples) as f64 / seconds;
                totals.steps_per_second = (end.steps - start.steps) as f64 / seconds;
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(steps_done: u64, samples: u64) -> RunningPack {
        RunningPack { steps_done, samples, shadows_done: 1, ..RunningPack::default() }
    }

    #[test]
    fn absurd_words_of_a_worker_overflow_nothing() {
        let audit = AuditId::try_new("a-1").unwrap();
        let mut progress = Progress::default();
        for index in 0..2 {
            let pack = PackId { audit: audit.clone(), pack: PackIndex(index) };
            progress.note(Millis(0), &pack, Fence(1), &said(0, 0));
            let absurd = RunningPack { shadows_done: u32::MAX, ..said(u64::MAX, u64::MAX) };
            progress.note(Millis(1000), &pack, Fence(1), &absurd);
        }
        let totals = progress.totals(&audit);
        assert_eq!((totals.steps, totals.shadows), (u64::MAX, u32::MAX));
    }

    #[test]
    fn rates_come_from_what_was_done_here() {
        let audit = AuditId::try_new("a-1").unwrap();
        let pack = PackId { audit: audit.clone(), pack: PackIndex(0) };
        let mut progress = Progress::default();
        assert_eq!(progress.assigned(&pack, Fence(1), 500), 0);
        progress.note(Millis(0), &pack, Fence(1), &said(500, 0));
        progress.note(Millis(1000), &pack, Fence(1), &said(600, 25_600));
        progress.note(Millis(2000), &pack, Fence(1), &said(700, 51_200));
        let totals = progress.totals(&audit);
        let rates = (totals.samples_per_second, totals.steps_per_second);
        assert_eq!((totals.steps, totals.shadows, rates), (700, 1, (25_600.0, 100.0)));
        // Lost with its worker and resumed at 650: 50 steps are taken again, and a zombie's word is void.
        assert_eq!(progress.assigned(&pack, Fence(2), 650), 50);
        progress.note(Millis(2100), &pack, Fence(1), &said(900, 99_999));
        assert_eq!(progress.totals(&audit).steps, 650);
        progress.ingested(&pack);
        assert_eq!(progress.totals(&audit).steps, 0);
        progress.forget(&audit);
        assert_eq!(progress.totals(&audit), Totals::default());
    }
}
