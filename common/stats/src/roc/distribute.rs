//! The scores of a tile, sorted by cell: the part of collecting that threads do side by side.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::cells::Cells;
use super::key::{Layout, pack};
use crate::lanes::{Kernel, Vector, dispatch};
use crate::membership::Membership;
use crate::sort_key::key;

/// Words that are distributed at once: they and where they go lie close to a core.
const PART: usize = 1 << 15;

/// Scores that a part has for each cell, at least: fewer are not worth the cells.
const LEAST_PER_CELL: usize = 32;

/// The scores of a tile.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(super) parts: Vec<Part>,
    /// Scores by tag (without group).
    pub(super) totals: Vec<u64>,
    /// Where the parts' buffers are wanted back.
    pub(super) spare: Arc<Spare>,
}

/// Buffers of words that were used and wait for the next part: what one thread fills and another empties would
/// else lie about in the allocator.
#[derive(Default)]
pub(super) struct Spare(Mutex<Vec<Vec<u64>>>);

impl Spare {
    /// A buffer of so many words, whatever they are.
    pub fn words(&self, count: usize) -> Vec<u64> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // New memory is all zeroes, and need not be written to.
        let Some(mut words) = waiting else { return vec![0; count] };
        words.resize(count, 0);
        words
    }

    /// Takes the buffer of a part back.
    pub fn give(&self, part: Part) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(part.words);
    }
}

/// Scores as packed words, cell by cell.
#[derive(Default)]
pub(super) struct Part {
    pub words: Vec<u64>,
    /// Ascending by cell.
    pub runs: Vec<Run>,
}

/// Words of one cell, from `begin` to one before `end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub cell: u32,
    pub begin: u32,
    pub end: u32,
}

/// Sorts the tiles of one collector.
pub(crate) struct Sorter {
    layout: Layout,
    wanted: usize,
    /// As the scores of the first tile are distributed.
    cells: OnceLock<Cells>,
    spare: Arc<Spare>,
}

impl Sorter {
    /// Into about so many cells.
    pub fn new(layout: Layout, cells: usize) -> Self {
        Self { layout, wanted: cells, cells: OnceLock::new(), spare: Arc::default() }
    }

    /// Sorts the scores `[row][column]` of a tile, anything not finite left out. `row` gives, for a row, the
    /// tags of its columns, which may differ within the row in the lowest two bits and the group only.
    pub fn sort<T: Iterator<Item = u64>>(
        &self,
        scores: &[f64],
        columns: usize,
        row: impl Fn(usize) -> T,
    ) -> Sorted {
        let rows = (PART / columns).max(1);
        let wanted = || self.wanted.min(rows * columns / LEAST_PER_CELL);
        let cells = self.cells.get_or_init(|| Cells::cut(scores, wanted()));
        let mut sorted =
            Sorted { parts: Vec::new(), totals: vec![0; self.layout.tags()], spare: Arc::clone(&self.spare) };
        let mut places = vec![0; PART.max(columns).min(scores.len())];
        for (index, scores) in scores.chunks(rows * columns).enumerate() {
            let (totals, row) = (&mut sorted.totals, |part_row: usize| row(index * rows + part_row));
            let (layout, places) = (self.layout, &mut places[..scores.len()]);
            let words = self.spare.words(scores.len());
            let work = Distribute { layout, cells, scores, columns, row, totals, places, words };
            sorted.parts.push(dispatch(work));
        }
        sorted
    }
}

struct Distribute<'a, R> {
    layout: Layout,
    cells: &'a Cells,
    scores: &'a [f64],
    columns: usize,
    row: R,
    totals: &'a mut [u64],
    /// Room for a place each.
    places: &'a mut [u32],
    words: Vec<u64>,
}

impl<T: Iterator<Item = u64>, R: Fn(usize) -> T> Kernel for Distribute<'_, R> {
    type Output = Part;

    #[inline(always)]
    fn run<V: Vector>(self) -> Part {
        let Self { layout, cells, scores, columns, row, totals, places, mut words } = self;
        let mut next = vec![0u32; cells.absent() + 1];
        for (index, (places, scores)) in
            places.chunks_exact_mut(columns).zip(scores.chunks_exact(columns)).enumerate()
        {
            cells.find(scores, places);
            for &place in &*places {
                next[place as usize] += 1;
            }
            count(layout, scores, row(index), totals);
        }
        let (mut runs, mut end) = (Vec::with_capacity(cells.absent()), 0);
        for (place, next) in next.iter_mut().enumerate() {
            let begin = end;
            end += *next;
            *next = begin;
            if end > begin && place < cells.astray() {
                runs.push(Run { cell: cells.number(place), begin, end });
            }
        }
        let finite = next[cells.absent()] as usize;
        let astray = next[cells.astray()] as usize..finite;
        let mut row_words = vec![0u64; columns];
        for (index, (places, scores)) in
            places.chunks_exact(columns).zip(scores.chunks_exact(columns)).enumerate()
        {
            for ((word, &score), tag) in row_words.iter_mut().zip(scores).zip(row(index)) {
                *word = pack(key(score), tag);
            }
            for (&place, &word) in places.iter().zip(&row_words) {
                let next = &mut next[place as usize];
                words[*next as usize] = word;
                *next += 1;
            }
        }
        words.truncate(finite);
        if !astray.is_empty() {
            let strays = places.iter().zip(scores).filter(|(place, _)| **place as usize == cells.astray());
            let numbers = strays.map(|(_, &score)| Cells::number_astray(key(score)));
            gather_strays(numbers, &mut words, astray.start, &mut runs);
        }
        Part { words, runs }
    }
}

/// Sorts the words from `begin` on by the numbers of their cells, and adds their runs.
fn gather_strays(numbers: impl Iterator<Item = u32>, words: &mut [u64], begin: usize, runs: &mut Vec<Run>) {
    let mut strays: Vec<(u32, u64)> = numbers.zip(words[begin..].iter().copied()).collect();
    strays.sort_unstable();
    let mut begin = begin as u32;
    for cell in strays.chunk_by(|a, b| a.0 == b.0) {
        let end = begin + cell.len() as u32;
        words[begin as usize..].iter_mut().zip(cell).for_each(|(word, stray)| *word = stray.1);
        runs.push(Run { cell: cell[0].0, begin, end });
        begin = end;
    }
    // Two ascending runs of runs, which this sort merges.
    runs.sort_by_key(|run| run.cell);
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
        let mut room = Vec::new();
        for (record, &unit) in units.iter().enumerate() {
            for (word, &bits) in membership.column(unit as usize, &mut room).iter().enumerate() {
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
