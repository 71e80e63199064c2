//! The logits of many packs as one matrix, read tile by tile.

use std::ops::Range;

use umbra_stats::{Shape, SourceError, Tile, TileSource};

use super::packs::PackReader;

/// The packs of an audit side by side: `[record][query][class][shadow]` over all their shadows.
pub struct PackedLogits {
    packs: Vec<PackReader>,
    shape: Shape,
}

impl PackedLogits {
    /// Of packs that follow one another from shadow 0 on.
    pub fn new(packs: Vec<PackReader>, records: usize, classes: usize) -> Self {
        let shadows = packs.iter().map(|pack| pack.shadows as usize).sum();
        Self { packs, shape: Shape { shadows, records, queries: 1, classes } }
    }
}

impl TileSource for PackedLogits {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        out.reset(&self.shape, records.len());
        let mut scratch = Vec::new();
        for pack in &self.packs {
            let width = pack.shadows as usize;
            let rows = records.len() * self.shape.queries * self.shape.classes;
            scratch.resize(rows * width, 0.0);
            let range = records.start as u64..records.end as u64;
            pack.logits.read(range, &mut scratch).map_err(SourceError::new)?;
            let first = pack.first as usize;
            let targets = out.values_mut().chunks_exact_mut(self.shape.shadows);
            for (target, values) in targets.zip(scratch.chunks_exact(width)) {
                target[first..first + width].copy_from_slice(values);
            }
        }
        Ok(())
    }
}

/// Some records of a matrix, for running figures.
pub struct Sampled<'a> {
    /// The whole matrix.
    pub whole: &'a PackedLogits,
    /// The records, ascending.
    pub records: &'a [u32],
}

impl TileSource for Sampled<'_> {
    fn shape(&self) -> Shape {
        Shape { records: self.records.len(), ..self.whole.shape }
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        let rows = self.records.get(records.clone()).unwrap_or_default();
        let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else {
            out.reset(&self.shape(), 0);
            return Ok(());
        };
        let mut tile = Tile::new();
        self.whole.read(first as usize..last as usize + 1, &mut tile)?;
        out.reset(&self.shape(), rows.len());
        let size = self.whole.shape.queries * self.whole.shape.classes * self.whole.shape.shadows;
        for (target, &row) in out.values_mut().chunks_exact_mut(size).zip(rows) {
            let start = (row - first) as usize * size;
            target.copy_from_slice(&tile.values()[start..start + size]);
        }
        Ok(())
    }
}
