//! One pass over all tiles: mapped side by side, taken in order.
//!
//! Sums over records are formed in strips of [`STRIP`] records, counted from the first record, and the
//! strips added up one after the other. Tiles are whole strips, so no sum depends on the tile size or on
//! the number of threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::error::{SourceError, StatsError};
use crate::inputs::Checked;
use crate::order::Order;
use crate::pipeline;
use crate::source::{Tile, Values};

/// Records whose contributions to a sum are added up before they join the total.
pub(crate) const STRIP: usize = 64;

/// Logits that a thread reads at once, in bytes, if not less.
const READ_BYTES: usize = 4 << 20;

/// Logits that all threads together hold, in bytes: with many threads each reads less at once.
const READ_BYTES_TOGETHER: usize = 32 << 20;

/// What tiles give, in bytes, from when they are begun until it is taken, over all tiles together.
const RESULT_BYTES: usize = 24 << 20;

/// Scores of one attack that a tile gives, in bytes: they stay in the second cache of a core from when they are
/// made until they are sorted.
const SCORE_BYTES: usize = 1 << 20;

/// Tiles for each thread where there are records enough: the last tiles leave few threads idle for long.
const TILES_PER_THREAD: usize = 8;

/// How a sweep is cut up, so that its memory is bounded whatever the numbers of records and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiling {
    /// Records of a tile: whole strips.
    pub records: usize,
    /// Records read at once; a tile of wide records is read in several goes.
    read: usize,
    /// Tiles begun and not yet taken.
    in_flight: usize,
}

impl Tiling {
    /// For tiles that give `result` bytes for each record, and an attack's scores if they are `scored`; `asked`
    /// is a tile size to be kept to.
    pub fn new(checked: &Checked<'_>, asked: Option<usize>, result: usize, scored: bool) -> Self {
        let (threads, records) = (rayon::current_num_threads(), checked.shape.records);
        let in_flight = 2 * threads;
        let width = checked.shape.per_record() * size_of::<f32>();
        let read = (READ_BYTES.min(READ_BYTES_TOGETHER / threads) / width).max(1);
        let strips = asked.unwrap_or_else(|| {
            let most = if scored { SCORE_BYTES / (checked.shape.shadows * size_of::<f64>()) } else { read };
            let bounded = read.min(most).min(RESULT_BYTES / in_flight / result.max(1));
            // Rounded down to whole strips here, which are at least one in the end.
            bounded.min(records / (TILES_PER_THREAD * threads)) / STRIP * STRIP
        });
        let records = strips.clamp(1, records).div_ceil(STRIP) * STRIP;
        Self { records, read, in_flight }
    }
}

/// The logits of a tile, read piece by piece.
pub(crate) struct Pieces<'a> {
    checked: &'a Checked<'a>,
    /// What is still to be read.
    rest: Range<usize>,
    read: usize,
    buffer: &'a mut Tile,
}

impl Pieces<'_> {
    /// The next records and their logits; `None` after the last.
    ///
    /// # Errors
    /// If the source fails.
    pub fn next(&mut self) -> Result<Option<(Range<usize>, Values<'_>)>, StatsError> {
        let Checked { source, shape, order, .. } = *self.checked;
        let (start, end) = (self.rest.start, self.rest.end.min(self.rest.start + self.read));
        if start == end {
            return Ok(None);
        }
        let failed = |source| StatsError::Source { start, end, source };
        let fits = |values: Values<'_>| {
            let (found, expected) = (values.len(), (end - start) * shape.per_record());
            let sentence = || format!("the source gave {found} logits for a tile of {expected}");
            if found == expected { Ok(()) } else { Err(failed(SourceError::new(sentence()))) }
        };
        self.rest.start = end;
        // What lies in memory is looked at where it lies.
        if let Some(held) = source.held(start..end).filter(|_| order == Order::Given) {
            fits(held)?;
            return Ok(Some((start..end, held)));
        }
        source.read(start..end, self.buffer).map_err(failed)?;
        fits(self.buffer.values())?;
        self.buffer.sort(order, &shape);
        Ok(Some((start..end, self.buffer.values())))
    }
}

/// Maps every tile (side by side, in any order) and takes the results in record order on the calling
/// thread, while the other threads go on. `worker` makes what a thread needs for its work; it is used for
/// one tile after the other.
///
/// # Errors
/// The first, in record order, of what `map` and `take` return.
pub(crate) fn for_each_tile<W: Send, T: Send>(
    checked: &Checked<'_>,
    tiling: Tiling,
    worker: impl Fn() -> W + Sync,
    map: impl Fn(&mut W, Range<usize>, Pieces<'_>) -> Result<T, StatsError> + Sync,
    mut take: impl FnMut(Range<usize>, T) -> Result<(), StatsError>,
) -> Result<(), StatsError> {
    let records = checked.shape.records;
    let tiles = (0..records.div_ceil(tiling.records))
        .map(|tile| tile * tiling.records..((tile + 1) * tiling.records).min(records));
    let idle: Mutex<Vec<(W, Tile)>> = Mutex::new(Vec::new());
    let work = |tile: Range<usize>| {
        let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (mut worker, mut buffer) = waiting.unwrap_or_else(|| (worker(), Tile::new()));
        let pieces = Pieces { checked, rest: tile.clone(), read: tiling.read, buffer: &mut buffer };
        let mapped = map(&mut worker, tile.clone(), pieces);
        idle.lock().unwrap_or_else(PoisonError::into_inner).push((worker, buffer));
        (tile, mapped)
    };
    pipeline::ordered(tiles, tiling.in_flight, work, |(tile, mapped)| take(tile, mapped?))
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
