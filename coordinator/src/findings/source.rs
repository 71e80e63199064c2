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

/// The span of records that is read at once for a sample: few sampled records lie far apart, and what lies
/// between them is not worth the memory.
const SPAN: u32 = 256;

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
        out.reset(&self.shape(), rows.len());
        let shape = self.whole.shape;
        let size = shape.queries * shape.classes * shape.shadows;
        let mut targets = out.values_mut().chunks_exact_mut(size);
        let mut tile = Tile::new();
        for near in rows.chunk_by(|a, b| a / SPAN == b / SPAN) {
            let (Some(&first), Some(&last)) = (near.first(), near.last()) else { continue };
            self.whole.read(first as usize..last as usize + 1, &mut tile)?;
            for (&row, target) in near.iter().zip(&mut targets) {
                let start = (row - first) as usize * size;
                target.copy_from_slice(&tile.values()[start..start + size]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use umbra_data::logits::{LogitsHeader, LogitsReader, encode};

    use super::*;

    /// Logits that say where they are: 1000 x shadow + record.
    fn pack(first: u32, shadows: u32, records: u64) -> PackReader {
        let values = |shadow: u32| (0..records).map(move |record| (1000 * shadow) as f32 + record as f32);
        let logits: Vec<Vec<f32>> = (first..first + shadows).map(|shadow| values(shadow).collect()).collect();
        let header =
            LogitsHeader { first_shadow: first, shadows, records, queries: 1, classes: 1, lost: vec![] };
        let bytes = encode(&header, &logits.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let logits = LogitsReader::from_bytes(bytes.into()).unwrap();
        PackReader { first, shadows, logits }
    }

    #[test]
    fn a_sample_has_the_values_of_its_records() {
        let whole = PackedLogits::new(vec![pack(0, 2, 900), pack(2, 1, 900)], 900, 1);
        let records = [0, 3, 255, 256, 700, 899];
        let sampled = Sampled { whole: &whole, records: &records };
        assert_eq!(sampled.shape(), Shape { shadows: 3, records: 6, queries: 1, classes: 1 });
        let mut tile = Tile::new();
        sampled.read(1..6, &mut tile).unwrap();
        let expected: Vec<f32> =
            records[1..].iter().flat_map(|&r| [0, 1000, 2000].map(|shadow| (shadow + r) as f32)).collect();
        assert_eq!(tile.values(), expected);
    }
}
