//! The scores of a tile, sorted by cell: the part of collecting that threads do side by side.

use std::sync::OnceLock;

use super::cells::Cells;
use super::key::{Layout, key, pack};
use crate::lanes::{Kernel, Vector, dispatch};
use crate::membership::Membership;

/// Scores that a tile has for each cell, at least: fewer are not worth the cells.
const LEAST_PER_CELL: usize = 32;

/// Scores as packed words, cell by cell.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(super) words: Vec<u64>,
    /// Ascending by cell.
    pub(super) runs: Vec<Run>,
    /// Scores by tag (without group).
    pub(super) totals: Vec<u64>,
}

/// Words of one cell, from the end of the run before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub cell: u32,
    /// One past its last word.
    pub end: u32,
}

/// Sorts the tiles of one collector.
pub(crate) struct Sorter {
    layout: Layout,
    wanted: usize,
    /// As the scores of the first tile are distributed.
    cells: OnceLock<Cells>,
}

impl Sorter {
    /// Into about so many cells.
    pub fn new(layout: Layout, cells: usize) -> Self {
        Self { layout, wanted: cells, cells: OnceLock::new() }
    }

    /// Sorts the scores `[row][column]` of a tile, anything not finite left out. `row` gives, for a row, the
    /// tags of its columns, which may differ within the row in the lowest two bits and the group only.
    pub fn sort<T: Iterator<Item = u64>>(
        &self,
        scores: &[f64],
        columns: usize,
        row: impl Fn(usize) -> T,
    ) -> Sorted {
        let wanted = || self.wanted.min(scores.len() / LEAST_PER_CELL);
        let cells = self.cells.get_or_init(|| Cells::cut(scores, wanted()));
        dispatch(Distribute { layout: self.layout, cells, scores, columns, row })
    }
}

struct Distribute<'a, R> {
    layout: Layout,
    cells: &'a Cells,
    scores: &'a [f64],
    columns: usize,
    row: R,
}

impl<T: Iterator<Item = u64>, R: Fn(usize) -> T> Kernel for Distribute<'_, R> {
    type Output = Sorted;

    #[inline(always)]
    fn run<V: Vector>(self) -> Sorted {
        let Self { layout, cells, scores, columns, row } = self;
        let absent = cells.absent() as usize;
        let mut places = vec![0u32; absent + 1];
        let mut totals = vec![0u64; layout.tags()];
        let (mut cell_of, mut word_of) = (vec![0u32; columns], vec![0u64; columns]);
        for (index, scores) in scores.chunks_exact(columns).enumerate() {
            for (cell, &score) in cell_of.iter_mut().zip(scores) {
                *cell = cells.of(key(score));
            }
            for &cell in &cell_of {
                places[cell as usize] += 1;
            }
            count(layout, scores, row(index), &mut totals);
        }
        let runs = runs(&mut places[..absent]);
        let finite = runs.last().map_or(0, |run| run.end);
        places[absent] = finite;
        let mut words = vec![0u64; scores.len()];
        for (index, scores) in scores.chunks_exact(columns).enumerate() {
            let tags = row(index);
            for (((cell, word), &score), tag) in cell_of.iter_mut().zip(&mut word_of).zip(scores).zip(tags) {
                let key = key(score);
                *cell = cells.of(key);
                *word = pack(key, tag);
            }
            for (&cell, &word) in cell_of.iter().zip(&word_of) {
                let place = &mut places[cell as usize];
                words[*place as usize] = word;
                *place += 1;
            }
        }
        words.truncate(finite as usize);
        Sorted { words, runs, totals }
    }
}

/// Turns counts by cell into where the cells begin.
#[inline(always)]
fn runs(places: &mut [u32]) -> Vec<Run> {
    /// Counts looked at together: most are zero.
    const GROUP: usize = 32;
    let (mut runs, mut end) = (Vec::new(), 0);
    for (group, places) in places.chunks_mut(GROUP).enumerate() {
        if places.iter().fold(0, |all, count| all | count) == 0 {
            continue;
        }
        for (index, place) in places.iter_mut().enumerate().filter(|(_, place)| **place > 0) {
            let begin = end;
            end += *place;
            *place = begin;
            runs.push(Run { cell: (group * GROUP + index) as u32, end });
        }
    }
    runs
}

/// Counts the scores of a row by tag.
#[inline(always)]
fn count(layout: Layout, scores: &[f64], tags: impl Iterator<Item = u64>, totals: &mut [u64]) {
    // Counts of finite scores, of those with the lowest bit set, the second, both.
    let [mut all, mut first, mut second, mut both] = [0u64; 4];
    let mut any = 0;
    for (&score, tag) in scores.iter().zip(tags) {
        let finite = u64::from(score.is_finite());
        all += finite;
        first += tag & finite;
        second += tag >> 1 & finite;
        both += tag & tag >> 1 & finite;
        any |= tag;
    }
    let base = layout.tag(any) & !3;
    for (low, count) in
        [all + both - first - second, first - both, second - both, both].into_iter().enumerate()
    {
        if count > 0 {
            totals[base | low] += count;
        }
    }
}

/// Membership of the records of a tile, transposed for reading along a shadow's row.
pub(crate) struct TileMembers {
    records: usize,
    /// `[word of 64 shadows][record]`.
    words: Vec<u64>,
}

impl TileMembers {
    /// `units` are those of the tile's records.
    pub fn new(membership: &Membership<'_>, units: &[u32]) -> Self {
        let records = units.len();
        let mut words = vec![0; membership.shadows().div_ceil(64) * records];
        for (record, &unit) in units.iter().enumerate() {
            for (word, &bits) in membership.column(unit as usize).iter().enumerate() {
                words[word * records + record] = bits;
            }
        }
        Self { records, words }
    }

    /// Per record of the tile, whether the shadow was trained on it, as 0 or 1.
    pub fn of(&self, shadow: usize) -> impl Iterator<Item = u64> {
        let (word, bit) = (shadow / 64, shadow % 64);
        let row = &self.words[word * self.records..(word + 1) * self.records];
        row.iter().map(move |word| word >> bit & 1)
    }
}
