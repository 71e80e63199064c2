//! Some records of a matrix, as a matrix of their own.

use std::ops::Range;

use crate::error::SourceError;
use crate::source::{Shape, Tile, TileSource, Values};

/// The span of records that is read at once: records of a subset may lie far apart, and what lies between
/// them is not worth the memory.
const SPAN: u32 = 256;

/// Some records of another source: a sample for running figures, or the population that lies among the
/// records of an audit.
#[derive(Clone, Copy)]
pub struct Subset<'a> {
    whole: &'a dyn TileSource,
    records: &'a [u32],
}

impl<'a> Subset<'a> {
    /// Takes the records to show, ascending.
    ///
    /// # Errors
    /// If they do not ascend, or the source has fewer records.
    pub fn try_new(whole: &'a dyn TileSource, records: &'a [u32]) -> Result<Self, SourceError> {
        if let Some(place) = records.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(SourceError::new(format!(
                "record {} of a subset is followed by {}; name records in ascending order",
                records[place],
                records[place + 1]
            )));
        }
        let held = whole.shape().records;
        match records.last() {
            Some(&last) if last as usize >= held => Err(SourceError::new(format!(
                "record {last} of a subset does not exist: there are {held} records"
            ))),
            _ => Ok(Self { whole, records }),
        }
    }
}

impl TileSource for Subset<'_> {
    fn shape(&self) -> Shape {
        Shape { records: self.records.len(), ..self.whole.shape() }
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        let rows = self.records.get(records.clone()).ok_or_else(|| {
            SourceError::new(format!("records {} to {} are outside the subset", records.start, records.end))
        })?;
        let shape = self.shape();
        let size = shape.per_record();
        let mut tile = Tile::new();
        let mut at = 0;
        for near in rows.chunk_by(|a, b| a / SPAN == b / SPAN) {
            let (Some(&first), Some(&last)) = (near.first(), near.last()) else { continue };
            self.whole.read(first as usize..last as usize + 1, &mut tile)?;
            let span = (last - first + 1) as usize * size;
            if tile.values().len() != span {
                return Err(SourceError::new(format!(
                    "the source gave {} logits for a tile of {span}",
                    tile.values().len()
                )));
            }
            // The precision is the whole's; asking for room again keeps what is there.
            match tile.values() {
                Values::F32(values) => pick(values, near, size, &mut out.reset_f32(&shape, rows.len())[at..]),
                Values::F64(values) => pick(values, near, size, &mut out.reset_f64(&shape, rows.len())[at..]),
            }
            at += near.len() * size;
        }
        Ok(())
    }
}

/// Copies the records `near` (the first of which starts `values`) side by side.
fn pick<T: Copy>(values: &[T], near: &[u32], size: usize, out: &mut [T]) {
    for (&row, target) in near.iter().zip(out.chunks_exact_mut(size)) {
        let start = (row - near[0]) as usize * size;
        target.copy_from_slice(&values[start..start + size]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Logits, MemoryLogits};

    fn read<T>(logit: impl Fn(usize, usize) -> T, records: &[u32], range: Range<usize>) -> Tile
    where
        Vec<T>: Into<Logits>,
    {
        let shape = Shape { shadows: 3, records: 900, queries: 1, classes: 1 };
        let whole = MemoryLogits::from_fn(shape, |shadow, record, _, _| logit(shadow, record));
        let subset = Subset::try_new(&whole, records).unwrap();
        assert_eq!(subset.shape(), Shape { records: records.len(), ..shape });
        let mut tile = Tile::new();
        subset.read(range, &mut tile).unwrap();
        tile
    }

    #[test]
    fn a_subset_has_the_values_of_its_records() {
        let records = [0, 3, 255, 256, 700, 899];
        let expected: Vec<f32> =
            records[1..].iter().flat_map(|&r| [0, 1000, 2000].map(|shadow| (shadow + r) as f32)).collect();
        let tile = read(|shadow, record| (1000 * shadow + record) as f32, &records, 1..6);
        assert_eq!(tile.values(), Values::F32(&expected));
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        let tile = read(|shadow, record| (1000 * shadow + record) as f64, &records, 1..6);
        assert_eq!(tile.values(), Values::F64(&expected));
        assert!(read(|_, _| 0.0f32, &records, 2..2).values().is_empty());
    }

    #[test]
    fn records_ascend_and_exist() {
        let shape = Shape { shadows: 1, records: 4, queries: 1, classes: 1 };
        let whole = MemoryLogits::from_fn(shape, |_, _, _, _| 0.0f32);
        for (records, message) in [(&[1, 1][..], "ascending"), (&[2, 4], "there are 4 records")] {
            let error = Subset::try_new(&whole, records).err().unwrap().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
