//! Cells: ranges of keys, ascending, cut so that scores fall into them evenly.

use super::key::{TOP_BITS, key};

/// What the highest bits of a key may be.
const TOPS: usize = 1 << TOP_BITS;

/// Bits of an entry that hold a shift; the cell's number is above them.
const SHIFT_BITS: u32 = 6;

/// The shift that leaves nothing of what is below the highest bits of a key.
const WHOLE: u32 = 63;

/// The exponent of what is not finite.
const NOT_FINITE: usize = 0x7ff;

/// From keys to cells. All keys of a cell agree in their highest bits; where scores are dense, in a few bits
/// more. Whatever the cells, they change no figure.
pub(super) struct Cells {
    /// By the highest bits of a key: its first cell, and by how much the bits below them are shifted to tell
    /// how many cells further on.
    entries: Box<[u32; TOPS]>,
    absent: u32,
}

impl Cells {
    /// About `wanted` cells for scores that are distributed like these, and those of keys that do not occur.
    pub fn cut(scores: &[f64], wanted: usize) -> Self {
        let mut counts = vec![0u32; TOPS];
        scores.iter().for_each(|&score| counts[top(key(score))] += 1);
        let mut entries: Box<[u32; TOPS]> =
            vec![0; TOPS].try_into().expect("the vector is as long as the array");
        let mut next = 0;
        let mut not_finite = Vec::new();
        for (top, (entry, &count)) in entries.iter_mut().zip(&counts).enumerate() {
            // Keys of negative scores are turned over, so their exponents are, too.
            let exponent = if top < TOPS / 2 { !top >> 4 } else { top >> 4 } & NOT_FINITE;
            if exponent == NOT_FINITE {
                not_finite.push(top);
                continue;
            }
            let share = (u64::from(count) * wanted as u64).div_ceil(scores.len().max(1) as u64);
            let bits = share.max(1).next_power_of_two().trailing_zeros();
            *entry = next << SHIFT_BITS | (WHOLE - bits);
            next += 1 << bits;
        }
        not_finite.into_iter().for_each(|top| entries[top] = next << SHIFT_BITS | WHOLE);
        Self { entries, absent: next }
    }

    /// The cell of a key: one below [`Self::absent`] if its score is finite.
    #[inline(always)]
    pub fn of(&self, key: u64) -> u32 {
        let entry = self.entries[top(key)];
        let below = key << TOP_BITS >> 1;
        (entry >> SHIFT_BITS) + (below >> (entry & ((1 << SHIFT_BITS) - 1))) as u32
    }

    /// The cell of whatever is not finite, the last one.
    pub fn absent(&self) -> u32 {
        self.absent
    }
}

#[inline(always)]
fn top(key: u64) -> usize {
    (key >> (u64::BITS - TOP_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_core::seed::{Purpose, Seed};

    #[test]
    fn cells_ascend_with_scores_and_split_the_dense_ones() {
        let mut stream = Seed::new(1).stream(Purpose::Simulation, &[]);
        let mut scores: Vec<f64> = (0..20_000).map(|_| stream.normal_f64()).collect();
        let cells = Cells::cut(&scores, 1000);
        for extreme in [f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.0, 1e-300, 1e300] {
            scores.extend([extreme, -extreme]);
        }
        scores.sort_by(f64::total_cmp);
        let found: Vec<u32> = scores.iter().map(|&score| cells.of(key(score))).collect();
        assert!(found.is_sorted() && found.iter().all(|&cell| cell < cells.absent()));
        for pair in scores.windows(2).zip(found.windows(2)) {
            let top = |score: f64| (score + 0.0).to_bits() >> 48;
            assert!(pair.1[0] < pair.1[1] || top(pair.0[0]) == top(pair.0[1]), "one cell, one head: {pair:?}");
        }
        let most = found.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap();
        assert!(most <= 60, "20 scores a cell are wanted, not {most}");
        for absent in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(cells.of(key(absent)), cells.absent());
        }
        let none = Cells::cut(&[], 1000);
        assert!(none.of(key(-1.0)) < none.of(key(1.0)));
    }
}
