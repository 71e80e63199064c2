//! The scores of all (target, record) pairs of an attack.

use std::ops::Range;

/// The scores of one attack, `[shadow][record]`, NaN where absent.
#[derive(Debug, Clone)]
pub(crate) struct ScoreMatrix {
    records: usize,
    values: Vec<f64>,
}

impl ScoreMatrix {
    pub fn new(shadows: usize, records: usize) -> Self {
        Self { records, values: vec![f64::NAN; shadows * records] }
    }

    /// Takes the scores `[shadow][record of the tile]` of a tile.
    pub fn put(&mut self, tile: Range<usize>, scores: &[f64]) {
        let rows = self.values.chunks_exact_mut(self.records);
        for (row, part) in rows.zip(scores.chunks_exact(tile.len())) {
            row[tile.clone()].copy_from_slice(part);
        }
    }

    /// `[shadow][record]`.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The scores of one shadow as the target, per record.
    pub fn row(&self, shadow: usize) -> &[f64] {
        &self.values[shadow * self.records..(shadow + 1) * self.records]
    }
}
