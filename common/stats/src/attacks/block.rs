//! The scores of a tile: made record by record, kept shadow by shadow.

use std::sync::{Mutex, PoisonError};

use super::Attack;
use crate::lanes::{Kernel, LANES, Vector, dispatch};

/// Records that are turned over together: as many as scores fill a cache line.
pub(super) const ROWS: usize = 8;

/// The scores of one attack on a tile, `[shadow][record]`, NaN where absent.
#[derive(Debug, Default)]
pub(crate) struct ScoreBlocks {
    shadows: usize,
    records: usize,
    values: Vec<f64>,
    /// Records that are in `values`.
    kept: usize,
    /// Up to [`ROWS`] further records, `[record][shadow]`.
    rows: Vec<f64>,
    /// Records in `rows`.
    waiting: usize,
    /// Scores in which the variance floor acted.
    pub floored: u64,
}

impl ScoreBlocks {
    /// Makes room for a tile; values left over from another are overwritten as records come.
    fn reset(&mut self, shadows: usize, records: usize) {
        self.values.resize(shadows * records, f64::NAN);
        self.rows.resize(shadows * ROWS, f64::NAN);
        (self.shadows, self.records) = (shadows, records);
        (self.kept, self.waiting, self.floored) = (0, 0, 0);
    }

    /// The scores of the next record, one per shadow, to be filled before [`Self::keep`].
    pub fn row(&mut self) -> &mut [f64] {
        &mut self.rows[self.waiting * self.shadows..(self.waiting + 1) * self.shadows]
    }

    /// Keeps what was filled in, anything not finite being absent; the floor acted in `floored` of it.
    pub fn keep(&mut self, floored: u64) {
        self.floored += floored;
        self.waiting += 1;
        if self.waiting < ROWS && self.kept + self.waiting < self.records {
            return;
        }
        for (shadow, line) in self.values.chunks_exact_mut(self.records).enumerate() {
            let line = &mut line[self.kept..self.kept + self.waiting];
            for (score, row) in line.iter_mut().zip(self.rows.chunks_exact(self.shadows)) {
                *score = finite(row[shadow]);
            }
        }
        self.kept += self.waiting;
        self.waiting = 0;
    }

    /// Keeps the scores of the record at `place`, which need not be the next one: all of a tile are kept
    /// like this or by [`Self::place_strip`], or none.
    pub fn place(&mut self, place: usize, scores: &[f64], floored: u64) {
        self.kept += 1;
        self.replace(place, scores, floored);
    }

    /// Puts other scores in place of those that were kept of a record.
    pub fn replace(&mut self, place: usize, scores: &[f64], floored: u64) {
        self.floored += floored;
        for (line, &score) in self.values.chunks_exact_mut(self.records).zip(scores) {
            line[place] = finite(score);
        }
    }

    /// Keeps the scores of the records at ascending `places`, which come eight by eight,
    /// `[eight][shadow][lane]`.
    pub fn place_strip(&mut self, places: &[usize], scores: &[[f64; LANES]]) {
        let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return };
        self.kept += places.len();
        if last + 1 - first == places.len() {
            let Self { shadows, records, ref mut values, .. } = *self;
            return dispatch(PlaceNeighbours { shadows, records, values, first, last, scores });
        }
        for (shadow, line) in self.values.chunks_exact_mut(self.records).enumerate() {
            let eights = scores.iter().skip(shadow).step_by(self.shadows);
            let found = places.chunks(LANES).zip(eights).flat_map(|(places, lanes)| places.iter().zip(lanes));
            found.for_each(|(&place, &score)| line[place] = score);
        }
    }

    /// Has the scores of every target finished, once every record of the tile was kept.
    pub fn finish(&mut self, attack: &dyn Attack) {
        for (target, scores) in self.values.chunks_exact_mut(self.records).enumerate() {
            attack.finish(target, scores);
        }
    }

    /// The scores of a few records, `[record][shadow]`, from that at `first` of the tile on.
    pub fn turned(&self, first: usize, rows: &mut Vec<f64>) {
        let records = ROWS.min(self.records - first);
        rows.resize(records * self.shadows, f64::NAN);
        for (shadow, line) in self.values.chunks_exact(self.records).enumerate() {
            let column = rows.iter_mut().skip(shadow).step_by(self.shadows);
            column.zip(&line[first..first + records]).for_each(|(turned, &score)| *turned = score);
        }
    }

    /// `[shadow][record]`, once every record of the tile was kept.
    pub fn values(&self) -> &[f64] {
        debug_assert_eq!(self.kept, self.records);
        &self.values
    }
}

/// Keeps scores `[eight][shadow][lane]` of records from `first` to `last`.
struct PlaceNeighbours<'a> {
    shadows: usize,
    records: usize,
    values: &'a mut [f64],
    first: usize,
    last: usize,
    scores: &'a [[f64; LANES]],
}

impl Kernel for PlaceNeighbours<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { shadows, records, values, first, last, scores } = self;
        for (shadow, line) in values.chunks_exact_mut(records).enumerate() {
            let (whole, rest) = line[first..=last].as_chunks_mut();
            for (eight, to) in whole.iter_mut().enumerate() {
                V::load(&scores[eight * shadows + shadow]).store(to);
            }
            if !rest.is_empty() {
                rest.copy_from_slice(&scores[whole.len() * shadows + shadow][..rest.len()]);
            }
        }
    }
}

/// A score, NaN if it is not finite.
fn finite(score: f64) -> f64 {
    if score.is_finite() { score } else { f64::NAN }
}

/// Buffers that were used and wait for the next tile.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Vec<ScoreBlocks>>);

impl Spare {
    /// A buffer for the scores of a tile.
    pub fn blocks(&self, shadows: usize, records: usize) -> ScoreBlocks {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut blocks = waiting.unwrap_or_default();
        blocks.reset(shadows, records);
        blocks
    }

    /// Takes a buffer back.
    pub fn give(&self, blocks: ScoreBlocks) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
    }
}
