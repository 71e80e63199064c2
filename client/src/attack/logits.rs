//! Logits from an array, tile by tile.

use std::ops::Range;

use umbra_data::npy::NpyFile;
use umbra_stats::{Shape, SourceError, Tile, TileSource};

/// A matrix of logits `[shadows, records, (queries,) classes]` in a file.
#[derive(Debug)]
pub struct NpyLogits<'a> {
    file: &'a NpyFile,
    shape: Shape,
}

impl<'a> NpyLogits<'a> {
    /// Of a file whose axes are those of `shape`.
    pub fn new(file: &'a NpyFile, shape: Shape) -> Self {
        Self { file, shape }
    }
}

impl TileSource for NpyLogits<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        let (mut raw, count) = (Vec::new(), records.len());
        // Half precision is exact in single precision.
        let read = match self.file.dtype().size {
            8 => self.file.read_floats(records, &mut raw, out.reset_f64(&self.shape, count)),
            _ => self.file.read_floats(records, &mut raw, out.reset_f32(&self.shape, count)),
        };
        read.map_err(SourceError::new)
    }
}
