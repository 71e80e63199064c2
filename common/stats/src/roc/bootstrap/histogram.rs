//! How many scores of every group and cluster lie at which ranks.

use std::sync::{Mutex, PoisonError};

use super::sampling::Sampling;
use crate::roc::key::Layout;

/// Bytes of a histogram at most.
const BYTES: usize = 16 << 20;

/// Bins at most.
const BINS: usize = 512;

/// Bins of equal size, and bins per decade of ranks from the top, where there is room: the first for the
/// area, the second for true positive rates at low false positive rates.
const EQUAL: f64 = 128.0;
const PER_DECADE: f64 = 16.0;

/// Rows are whole multiples of so many cells.
pub(super) const LANES: usize = 8;

/// Counts `[bin][group][cluster][side]`. Bins are ranges of pooled ranks, known before any score is; equal
/// scores fall in one bin, that of the first.
pub(in crate::roc) struct Histogram {
    layout: Layout,
    /// The first rank of each bin, ascending from 0.
    begins: Vec<u64>,
    groups: usize,
    /// Cells of a group.
    width: usize,
    /// By tag without group: the cell within the group.
    cells: Vec<u16>,
    /// Empty until something falls in.
    bins: Vec<Mutex<Vec<u32>>>,
}

impl Histogram {
    /// For so many scores in all.
    pub fn new(sampling: &Sampling, layout: Layout, scores: u64) -> Self {
        let width = (2 * sampling.clusters).next_multiple_of(LANES).max(LANES);
        let groups = sampling.groups.max(1);
        let room = BYTES / (groups * width * size_of::<u32>());
        let begins = bins(scores, room.clamp(2, BINS));
        let cells = (0..layout.tags())
            .map(|tag| 2 * sampling.cluster_of.get(tag >> 1).copied().unwrap_or(0) + (tag & 1) as u16)
            .collect();
        let bins = begins.iter().map(|_| Mutex::default()).collect();
        Self { layout, begins, groups, width, cells, bins }
    }

    /// Begins to count at a rank.
    pub fn tally(&self, rank: u64) -> Tally<'_> {
        Tally { histogram: self, cells: Vec::new(), bin: 0, until: 0, rank }
    }

    /// Number of bins.
    pub(super) fn bins(&self) -> usize {
        self.begins.len()
    }

    /// Cells of a group.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Reads the counts `[group][cluster][side]` of a bin; empty if there are none.
    pub(super) fn read<T>(&self, bin: usize, read: impl FnOnce(&[u32]) -> T) -> T {
        read(&self.bins[bin].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The first ranks of at most `most` bins of `scores` scores.
fn bins(scores: u64, most: usize) -> Vec<u64> {
    let mut share = 1.0;
    loop {
        let equal = (EQUAL * share).max(1.0) as u64;
        let per_decade = PER_DECADE * share;
        let ranks = (0..).map(|step| libm::ceil(libm::pow(10.0, f64::from(step) / per_decade)) as u64);
        let mut begins: Vec<u64> = ranks.take_while(|&rank| rank < scores).collect();
        begins
            .extend((0..equal).map(|bin| (u128::from(scores) * u128::from(bin) / u128::from(equal)) as u64));
        begins.push(0);
        begins.sort_unstable();
        begins.dedup();
        if begins.len() <= most {
            return begins;
        }
        share *= 0.9;
        if share < 1e-3 {
            begins.truncate(most);
            return begins;
        }
    }
}

/// Counts a piece of the scores, from the highest down; joins the histogram when dropped.
pub(in crate::roc) struct Tally<'a> {
    histogram: &'a Histogram,
    cells: Vec<u32>,
    bin: usize,
    /// One past the last rank of the bin.
    until: u64,
    rank: u64,
}

impl Tally<'_> {
    /// The next scores, until the next call, are equal.
    #[inline(always)]
    pub fn begin_vertex(&mut self) {
        if self.rank >= self.until {
            self.enter();
        }
    }

    /// The next score.
    #[inline(always)]
    pub fn add(&mut self, word: u64) {
        let Histogram { layout, width, cells, .. } = self.histogram;
        let cell = layout.group(word) * width + usize::from(cells[layout.tag(word)]);
        self.cells[cell] += 1;
        self.rank += 1;
    }

    /// The next scores, all equal and of one tag.
    pub fn add_many(&mut self, tag: u64, count: u64) {
        if self.cells.is_empty() {
            self.enter();
        }
        let Histogram { layout, width, cells, .. } = self.histogram;
        let cell = &mut self.cells[layout.group(tag) * width + usize::from(cells[layout.tag(tag)])];
        *cell = cell.saturating_add(count.try_into().unwrap_or(u32::MAX));
        self.rank += count;
    }

    #[cold]
    fn enter(&mut self) {
        self.leave();
        let begins = &self.histogram.begins;
        self.bin = begins.partition_point(|&begin| begin <= self.rank) - 1;
        self.until = begins.get(self.bin + 1).copied().unwrap_or(u64::MAX);
        self.cells.resize(self.histogram.groups * self.histogram.width, 0);
    }

    fn leave(&mut self) {
        if self.cells.is_empty() {
            return;
        }
        let mut bin = self.histogram.bins[self.bin].lock().unwrap_or_else(PoisonError::into_inner);
        bin.resize(self.cells.len(), 0);
        for (sum, count) in bin.iter_mut().zip(&mut self.cells) {
            *sum = sum.saturating_add(std::mem::take(count));
        }
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_resolve_the_top_and_keep_within_their_number() {
        for (scores, most) in
            [(0, 512), (1, 512), (1000, 512), (6_400_000, 512), (2_560_000_000, 192), (1 << 33, 2)]
        {
            let begins = bins(scores, most);
            assert!(begins[0] == 0 && begins.len() <= most && begins.is_sorted_by(|a, b| a < b));
            assert!(begins.last().is_some_and(|&last| last < scores.max(1)));
        }
        // The rank of a false positive rate of .0001 among 3.2 million non-members is told from twice that.
        let begins = bins(6_400_000, 512);
        assert!(begins.iter().filter(|&&begin| (320..640).contains(&begin)).count() >= 4);
    }
}
