//! Logits, read tile by tile.

use std::ops::Range;

use crate::error::SourceError;

/// The extent of a logit matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Shadow models, lost ones included.
    pub shadows: usize,
    /// Records.
    pub records: usize,
    /// Queries (views) put to every shadow about every record.
    pub queries: usize,
    /// Logits per query: one for a sigmoid, otherwise one a class.
    pub classes: usize,
}

impl Shape {
    /// Values of one record.
    pub fn per_record(&self) -> usize {
        self.shadows * self.queries * self.classes
    }
}

/// A run of records with all their logits, laid out `[record][query][class][shadow]`, shadow fastest.
///
/// A buffer: [`TileSource::read`] sizes it by [`Tile::reset`] and fills [`Tile::values_mut`].
#[derive(Debug, Default, Clone)]
pub struct Tile {
    values: Vec<f32>,
}

impl Tile {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for `records` records of `shape`; what was there before is left over, to be overwritten.
    pub fn reset(&mut self, shape: &Shape, records: usize) {
        self.values.resize(records * shape.per_record(), f32::NAN);
    }

    /// The logits.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The logits, to be filled.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

/// Where logits come from: blobs of an audit, NPY files, memory.
///
/// Tiles are read by several threads at once, in any order, and more than once.
pub trait TileSource: Sync {
    /// The extent of the whole matrix.
    fn shape(&self) -> Shape;

    /// Fills `out` with the logits of `records`: `[record][query][class][shadow]`. Non-finite logits are
    /// allowed and make that signal absent; a lost shadow is a column of NaN.
    ///
    /// # Errors
    /// If the tile cannot be read; the analysis stops with that error.
    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError>;
}

/// Logits held in memory, for tests and small matrices.
#[derive(Debug, Clone)]
pub struct MemoryLogits {
    shape: Shape,
    values: Vec<f32>,
}

impl MemoryLogits {
    /// Takes values that are already laid out `[record][query][class][shadow]`.
    ///
    /// # Errors
    /// If the number of values is not that of the shape.
    pub fn try_new(shape: Shape, values: Vec<f32>) -> Result<Self, SourceError> {
        let expected = shape.records.checked_mul(shape.per_record());
        if expected != Some(values.len()) {
            return Err(SourceError::new(format!(
                "{} logits were given for a matrix of {} shadows x {} records x {} queries x {} classes",
                values.len(),
                shape.shadows,
                shape.records,
                shape.queries,
                shape.classes
            )));
        }
        Ok(Self { shape, values })
    }

    /// Builds the matrix from a function of (shadow, record, query, class).
    pub fn from_fn(shape: Shape, logit: impl Fn(usize, usize, usize, usize) -> f32) -> Self {
        let mut values = Vec::with_capacity(shape.records * shape.per_record());
        for record in 0..shape.records {
            for query in 0..shape.queries {
                for class in 0..shape.classes {
                    values.extend((0..shape.shadows).map(|shadow| logit(shadow, record, query, class)));
                }
            }
        }
        Self { shape, values }
    }
}

impl TileSource for MemoryLogits {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        let size = self.shape.per_record();
        let values = self.values.get(records.start * size..records.end * size).ok_or_else(|| {
            SourceError::new(format!("records {} to {} are outside the matrix", records.start, records.end))
        })?;
        out.reset(&self.shape, records.len());
        out.values_mut().copy_from_slice(values);
        Ok(())
    }
}
