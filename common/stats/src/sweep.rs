//! One pass over all tiles: mapped in parallel, taken in order.
//!
//! Sums over records are formed in strips of [`STRIP`] records, counted from the first record, and the
//! strips added up one after the other. Tiles are whole strips, so no sum depends on the tile size or on
//! the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::{SourceError, StatsError};
use crate::inputs::Checked;
use crate::source::Tile;

/// Records whose contributions to a sum are added up before they join the total.
pub(crate) const STRIP: usize = 64;

/// The default size of a tile in bytes.
const TILE_BYTES: usize = 4 << 20;

/// The records of a tile: whole strips.
pub(crate) fn tile_records(checked: &Checked<'_>, asked: Option<usize>) -> usize {
    let fitting = TILE_BYTES / (checked.shape.per_record() * size_of::<f32>());
    let records = asked.unwrap_or(fitting).min(checked.shape.records).max(1);
    records.div_ceil(STRIP) * STRIP
}

/// Reads every tile, maps it (in parallel, any order) and takes the results in record order on the
/// calling thread.
pub(crate) fn for_each_tile<T: Send>(
    checked: &Checked<'_>,
    tile_records: usize,
    map: impl Fn(Range<usize>, &Tile) -> T + Sync,
    mut take: impl FnMut(Range<usize>, T) -> Result<(), StatsError>,
) -> Result<(), StatsError> {
    let records = checked.shape.records;
    let tiles: Vec<Range<usize>> = (0..records.div_ceil(tile_records))
        .map(|tile| tile * tile_records..((tile + 1) * tile_records).min(records))
        .collect();
    // Bounds what is in flight; two tiles a thread hide the taking of the ones before.
    for wave in tiles.chunks(2 * rayon::current_num_threads()) {
        let mapped: Vec<Result<T, SourceError>> = wave
            .par_iter()
            .map_init(Tile::new, |buffer, tile| {
                checked.source.read(tile.clone(), buffer)?;
                let expected = tile.len() * checked.shape.per_record();
                if buffer.values().len() != expected {
                    return Err(SourceError::new(format!(
                        "the source gave {} logits for a tile of {expected}",
                        buffer.values().len()
                    )));
                }
                Ok(map(tile.clone(), buffer))
            })
            .collect();
        for (tile, result) in wave.iter().zip(mapped) {
            let value =
                result.map_err(|source| StatsError::Source { start: tile.start, end: tile.end, source })?;
            take(tile.clone(), value)?;
        }
    }
    Ok(())
}

/// Sums over the records of a tile, strip by strip.
#[derive(Debug, Clone)]
pub(crate) struct StripSums {
    width: usize,
    values: Vec<f64>,
}

impl StripSums {
    /// Zeroes for `records` records, `width` sums a strip.
    pub fn new(records: usize, width: usize) -> Self {
        Self { width, values: vec![0.0; records.div_ceil(STRIP) * width] }
    }

    /// The sums that the record at `index` of the tile adds to.
    pub fn of(&mut self, index: usize) -> &mut [f64] {
        let strip = index / STRIP;
        &mut self.values[strip * self.width..(strip + 1) * self.width]
    }

    /// Adds the strips to totals, one after the other; the totals together are as wide as a strip.
    pub fn add_to(&self, totals: &mut [&mut [f64]]) {
        if self.width > 0 {
            for strip in self.values.chunks_exact(self.width) {
                let total = totals.iter_mut().flat_map(|total| total.iter_mut());
                total.zip(strip).for_each(|(sum, &part)| *sum += part);
            }
        }
    }
}
