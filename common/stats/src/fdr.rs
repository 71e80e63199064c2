//! The false discovery rate.

/// Values that are sorted into the others at once.
const BUFFERED: usize = 1 << 16;

/// How often each value occurs. Few distinct values (p values come from few tables) take little room,
/// however many there are in all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Distinct values, ascending, and their numbers.
    sorted: Vec<(f64, u64)>,
    buffer: Vec<f64>,
    total: u64,
}

impl Tally {
    pub fn add(&mut self, value: f64) {
        self.total += 1;
        self.buffer.push(value);
        if self.buffer.len() == BUFFERED {
            self.merge();
        }
    }

    fn merge(&mut self) {
        self.buffer.sort_unstable_by(f64::total_cmp);
        let mut merged: Vec<(f64, u64)> = Vec::with_capacity(self.sorted.len());
        let mut old = self.sorted.drain(..).peekable();
        for group in self.buffer.chunk_by(|a, b| a == b) {
            while let Some(entry) = old.next_if(|entry| entry.0 < group[0]) {
                merged.push(entry);
            }
            let before = old.next_if(|entry| entry.0 == group[0]).map_or(0, |entry| entry.1);
            merged.push((group[0], before + group.len() as u64));
        }
        merged.extend(old);
        self.buffer.clear();
        self.sorted = merged;
    }

    /// Adjusts p values after `looks` looks (Benjamini and Hochberg 1995,
    /// doi 10.1111/j.2517-6161.1995.tb02031.x, on p values times the looks, at most 1).
    pub fn adjusted(mut self, looks: u32) -> Adjusted {
        self.merge();
        let (n, mut rank, mut least) = (self.total as f64, self.total, 1.0f64);
        let mut levels = self.sorted;
        let mut ranks = Vec::with_capacity(levels.len());
        for (p, entry) in levels.iter_mut().rev().map(|(p, count)| (*p, count)) {
            let corrected = (p * f64::from(looks)).min(1.0);
            // Divided first: q is never below p.
            least = least.min(corrected * (n / rank as f64));
            ranks.push(rank);
            rank -= std::mem::replace(entry, least.to_bits());
        }
        ranks.reverse();
        Adjusted { levels: levels.into_iter().map(|(p, q)| (p, f64::from_bits(q))).collect(), ranks }
    }

    /// How many are rejected of values that are logarithms of e-values: the largest k of which the k-th
    /// largest is at least n / (rate k) (Wang and Ramdas 2022, doi 10.1111/rssb.12489).
    pub fn rejected_by_e(mut self, rate: f64) -> u64 {
        self.merge();
        let (mut k, mut rejected) = (0, 0);
        for (ln_e, count) in self.sorted.iter().rev() {
            k += count;
            if *ln_e >= libm::log(self.total as f64 / (rate * k as f64)) {
                rejected = k;
            }
        }
        rejected
    }
}

/// p values with their adjusted ones.
pub(crate) struct Adjusted {
    /// (p, q), ascending.
    levels: Vec<(f64, f64)>,
    /// How many p values are at most that of the level.
    ranks: Vec<u64>,
}

impl Adjusted {
    /// How many are rejected at a false discovery rate.
    pub fn rejected(&self, rate: f64) -> u64 {
        let levels = self.levels.partition_point(|level| level.1 <= rate);
        levels.checked_sub(1).map_or(0, |last| self.ranks[last])
    }

    /// The adjusted value of a p value that was tallied: the smallest false discovery rate at which it is
    /// rejected.
    pub fn q(&self, p: f64) -> f64 {
        let at = self.levels.partition_point(|level| level.0 < p);
        self.levels.get(at).map_or(1.0, |level| level.1)
    }
}

/// Adjusted p values (q values) in the order given: the smallest false discovery rate at which each is
/// rejected (Benjamini and Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x).
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut tally = Tally::default();
    p.iter().for_each(|&p| tally.add(p));
    let adjusted = tally.adjusted(1);
    p.iter().map(|&p| adjusted.q(p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scipy 1.17.1, stats.false_discovery_control.
    #[test]
    fn adjusted_values_are_those_of_scipy() {
        let q = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005, 0.5, 0.03, 0.9]);
        let expected = [0.035, 0.056, 0.0525, 0.035, 0.5833333333333334, 0.0525, 0.9];
        assert!(q.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{q:?}");
    }

    #[test]
    fn many_values_are_merged_in_runs() {
        let mut tally = Tally::default();
        // 1/8 .. 8/8 in turn, 40,000 times each; twice looked at.
        (0..320_000).for_each(|i| tally.add(f64::from(i % 8 + 1) / 8.0));
        let adjusted = tally.adjusted(2);
        assert_eq!(adjusted.levels.len(), 8);
        assert!(adjusted.levels.iter().all(|&(_, q)| q == 1.0));
        // Ten tests, e = 250, 90, 60 and nothing: at 5 % the thresholds are 200, 100, 66.7.
        let mut tally = Tally::default();
        for e in [250.0, 90.0, 60.0] {
            tally.add(libm::log(e));
        }
        (0..7).for_each(|_| tally.add(f64::NEG_INFINITY));
        assert_eq!(tally.clone().rejected_by_e(0.05), 1);
        tally.add(libm::log(130.0));
        // Eleven tests: 220, 110, 73.3, 55: 250, 130, 90, 60.
        assert_eq!(tally.rejected_by_e(0.05), 4);
    }
}
