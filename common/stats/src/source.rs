//! Logits, read tile by tile.

use std::ops::Range;

use crate::error::SourceError;
use crate::order::Order;

/// The extent of a logit matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Shadow models, lost ones included.
    pub shadows: usize,
    /// Records.
    pub records: usize,
    /// Queries (views) put to every shadow about every record.
    pub queries: usize,
    /// Logits per query: one for a sigmoid, otherwise one a class, or one a label.
    pub classes: usize,
}

impl Shape {
    /// Values of one record.
    pub fn per_record(&self) -> usize {
        self.shadows * self.queries * self.classes
    }
}

/// Logits in the precision they were stored in, `[record][query][class][shadow]`, shadow fastest.
#[derive(Debug, Clone)]
pub enum Logits {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

impl Logits {
    /// All values.
    pub fn values(&self) -> Values<'_> {
        match self {
            Logits::F32(values) => Values::F32(values),
            Logits::F64(values) => Values::F64(values),
        }
    }
}

impl From<Vec<f32>> for Logits {
    fn from(values: Vec<f32>) -> Self {
        Logits::F32(values)
    }
}

impl From<Vec<f64>> for Logits {
    fn from(values: Vec<f64>) -> Self {
        Logits::F64(values)
    }
}

/// Borrowed [`Logits`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
}

impl<'a> Values<'a> {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A run of values; `None` beyond the end.
    pub fn get(&self, range: Range<usize>) -> Option<Values<'a>> {
        match self {
            Values::F32(values) => values.get(range).map(Values::F32),
            Values::F64(values) => values.get(range).map(Values::F64),
        }
    }
}

/// A run of records with all their logits, laid out `[record][query][class][shadow]`, shadow fastest.
///
/// A buffer: [`TileSource::read`] sizes it by [`Tile::reset_f32`] or [`Tile::reset_f64`] and fills what
/// that returns.
#[derive(Debug, Clone, Default)]
pub struct Tile {
    single: Vec<f32>,
    double: Vec<f64>,
    is_double: bool,
}

impl Tile {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for `records` records of `shape` in single precision, to be filled; what was there
    /// before is left over.
    pub fn reset_f32(&mut self, shape: &Shape, records: usize) -> &mut [f32] {
        (self.is_double, self.double) = (false, Vec::new());
        self.single.resize(records * shape.per_record(), f32::NAN);
        &mut self.single
    }

    /// The same in double precision.
    pub fn reset_f64(&mut self, shape: &Shape, records: usize) -> &mut [f64] {
        (self.is_double, self.single) = (true, Vec::new());
        self.double.resize(records * shape.per_record(), f64::NAN);
        &mut self.double
    }

    /// Brings the shadows in order.
    pub(crate) fn sort(&mut self, order: Order, shape: &Shape) {
        match self.is_double {
            true => order.sort_logits(&mut self.double, shape),
            false => order.sort_logits(&mut self.single, shape),
        }
    }

    /// The logits.
    pub fn values(&self) -> Values<'_> {
        if self.is_double { Values::F64(&self.double) } else { Values::F32(&self.single) }
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

    /// What [`TileSource::read`] gives, where it lies; `None` if it does not lie in memory, or not in that
    /// layout.
    fn held(&self, _records: Range<usize>) -> Option<Values<'_>> {
        None
    }
}

/// Logits held in memory, for tests and small matrices.
#[derive(Debug, Clone)]
pub struct MemoryLogits {
    shape: Shape,
    logits: Logits,
}

impl MemoryLogits {
    /// Takes values (`Vec<f32>` or `Vec<f64>`) that are already laid out
    /// `[record][query][class][shadow]`.
    ///
    /// # Errors
    /// If the number of values is not that of the shape.
    pub fn try_new(shape: Shape, values: impl Into<Logits>) -> Result<Self, SourceError> {
        let logits = values.into();
        let expected = shape.records.checked_mul(shape.per_record());
        if expected != Some(logits.values().len()) {
            return Err(SourceError::new(format!(
                "{} logits were given for a matrix of {} shadows x {} records x {} queries x {} classes",
                logits.values().len(),
                shape.shadows,
                shape.records,
                shape.queries,
                shape.classes
            )));
        }
        Ok(Self { shape, logits })
    }

    /// Builds the matrix from a function of (shadow, record, query, class) to `f32` or `f64`.
    pub fn from_fn<T>(shape: Shape, logit: impl Fn(usize, usize, usize, usize) -> T) -> Self
    where
        Vec<T>: Into<Logits>,
    {
        let mut values = Vec::with_capacity(shape.records * shape.per_record());
        for record in 0..shape.records {
            for query in 0..shape.queries {
                for class in 0..shape.classes {
                    values.extend((0..shape.shadows).map(|shadow| logit(shadow, record, query, class)));
                }
            }
        }
        Self { shape, logits: values.into() }
    }
}

impl TileSource for MemoryLogits {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        match self.held(records.clone()) {
            Some(Values::F32(values)) => out.reset_f32(&self.shape, records.len()).copy_from_slice(values),
            Some(Values::F64(values)) => out.reset_f64(&self.shape, records.len()).copy_from_slice(values),
            None => {
                return Err(SourceError::new(format!(
                    "records {} to {} are outside the matrix",
                    records.start, records.end
                )));
            }
        }
        Ok(())
    }

    fn held(&self, records: Range<usize>) -> Option<Values<'_>> {
        let size = self.shape.per_record();
        self.logits.values().get(records.start * size..records.end * size)
    }
}
