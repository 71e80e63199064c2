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
    /// Of packs that follow one another from shadow 0 on, all with the same number of queries.
    pub fn new(packs: Vec<PackReader>, records: usize, classes: usize) -> Self {
        let shadows = packs.iter().map(|pack| pack.shadows as usize).sum();
        let queries = packs.first().map_or(1, |pack| pack.logits.header().queries as usize);
        Self { packs, shape: Shape { shadows, records, queries, classes } }
    }
}

impl TileSource for PackedLogits {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        let values = out.reset_f32(&self.shape, records.len());
        let mut scratch = Vec::new();
        for pack in &self.packs {
            let width = pack.shadows as usize;
            let rows = records.len() * self.shape.queries * self.shape.classes;
            scratch.resize(rows * width, 0.0);
            let range = records.start as u64..records.end as u64;
            pack.logits.read(range, &mut scratch).map_err(SourceError::new)?;
            let first = pack.first as usize;
            let targets = values.chunks_exact_mut(self.shape.shadows);
            for (target, part) in targets.zip(scratch.chunks_exact(width)) {
                target[first..first + width].copy_from_slice(part);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use umbra_data::logits::{LogitsHeader, LogitsReader, encode};
    use umbra_stats::Values;

    use super::*;

    /// Logits that say where they are: 1000 x shadow + record, and half more in the second query.
    fn pack(first: u32, shadows: u32, records: u64) -> PackReader {
        let values =
            |shadow: u32| (0..2 * records).map(move |value| (1000 * shadow) as f32 + value as f32 / 2.0);
        let logits: Vec<Vec<f32>> = (first..first + shadows).map(|shadow| values(shadow).collect()).collect();
        let header =
            LogitsHeader { first_shadow: first, shadows, records, queries: 2, classes: 1, lost: vec![] };
        let bytes = encode(&header, &logits.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let logits = LogitsReader::from_bytes(bytes.into()).unwrap();
        PackReader { first, shadows, logits, _file: None }
    }

    #[test]
    fn packs_lie_side_by_side() {
        let whole = PackedLogits::new(vec![pack(0, 2, 900), pack(2, 1, 900)], 900, 1);
        let mut tile = Tile::new();
        whole.read(700..702, &mut tile).unwrap();
        let expected: Vec<f32> =
            [700.0, 700.5, 701.0, 701.5].iter().flat_map(|at| [*at, 1000.0 + at, 2000.0 + at]).collect();
        assert_eq!(tile.values(), Values::F32(&expected));
    }
}
