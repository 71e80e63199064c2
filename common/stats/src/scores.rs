//! Where the scores of all (target, record) pairs go, for callers who want them.

use std::ops::Range;

use crate::config::AttackKind;
use crate::error::SourceError;

/// Takes scores tile by tile, on the caller's thread: per attack in ascending record order, no record
/// twice.
pub trait ScoreSink {
    /// Takes the scores `[shadow][record of the tile]` of one attack; absent scores are NaN.
    ///
    /// # Errors
    /// If the scores cannot be kept; the analysis stops with that error.
    fn tile(&mut self, attack: AttackKind, records: Range<usize>, scores: &[f64]) -> Result<(), SourceError>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoScores;

impl ScoreSink for NoScores {
    fn tile(&mut self, _: AttackKind, _: Range<usize>, _: &[f64]) -> Result<(), SourceError> {
        Ok(())
    }
}

/// Keeps every score in memory.
#[derive(Debug, Clone)]
pub struct MemoryScores {
    shadows: usize,
    records: usize,
    attacks: Vec<(AttackKind, ScoreMatrix)>,
}

impl MemoryScores {
    /// Room for the scores of `shadows` targets on `records` records.
    pub fn new(shadows: usize, records: usize) -> Self {
        Self { shadows, records, attacks: Vec::new() }
    }

    /// The scores of an attack, `[shadows][records]`, NaN where absent; `None` if it was not computed.
    pub fn of(&self, attack: AttackKind) -> Option<&[f64]> {
        self.attacks.iter().find(|(kind, _)| *kind == attack).map(|(_, scores)| &scores.values[..])
    }
}

impl ScoreSink for MemoryScores {
    fn tile(&mut self, attack: AttackKind, records: Range<usize>, scores: &[f64]) -> Result<(), SourceError> {
        let index = self.attacks.iter().position(|(kind, _)| *kind == attack).unwrap_or_else(|| {
            self.attacks.push((attack, ScoreMatrix::new(self.shadows, self.records)));
            self.attacks.len() - 1
        });
        self.attacks[index].1.put(records, scores);
        Ok(())
    }
}

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

    /// The scores of one shadow as the target, per record.
    pub fn row(&self, shadow: usize) -> &[f64] {
        &self.values[shadow * self.records..(shadow + 1) * self.records]
    }
}
