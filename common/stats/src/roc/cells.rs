//! Cells: ranges of keys, ascending, cut so that scores fall into them evenly.

use super::key::TOP_BITS;
use crate::sort_key::key;

/// What the highest bits of a key may be.
const TOPS: usize = 1 << TOP_BITS;

/// Bits of an entry that hold a shift; the cell's number is above them.
const SHIFT_BITS: u32 = 6;

/// The shift that leaves nothing of what is below the highest bits of a key.
const WHOLE: u32 = 63;

/// The exponent of what is not finite.
const NOT_FINITE: usize = 0x7ff;

/// Bits of a cell's number that tell it from others of the same highest bits.
const FINE_BITS: u32 = 16;

/// From keys to cells. All keys of a cell agree in their highest bits; where scores are dense, in a few bits
/// more. Whatever the cells, they change no figure.
///
/// A cell has a number, which ascends with its scores. Those that were expected have a place, too, without
/// gaps between; other scores are astray.
pub(super) struct Cells {
    /// By the highest bits of a key: the place of its first cell, and by how much the bits below them are
    /// shifted to tell how many places further on.
    entries: Box<[u32; TOPS]>,
    /// By place.
    numbers: Vec<u32>,
}

impl Cells {
    /// About `wanted` cells for scores that are distributed like these.
    pub fn cut(scores: &[f64], wanted: usize) -> Self {
        let mut counts = vec![0u32; TOPS];
        scores.iter().filter(|score| score.is_finite()).for_each(|&score| counts[top(key(score))] += 1);
        let mut numbers = Vec::new();
        let mut entries = vec![0; TOPS];
        for (top, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = (u64::from(*count) * wanted as u64).div_ceil(scores.len() as u64);
            let bits = share.next_power_of_two().trailing_zeros().min(FINE_BITS - 1);
            entries[top] = (numbers.len() as u32) << SHIFT_BITS | (WHOLE - bits);
            numbers.extend((0..1 << bits).map(|fine| (top as u32) << FINE_BITS | fine));
        }
        let (astray, absent) = (numbers.len() as u32, numbers.len() as u32 + 1);
        for (top, _) in counts.iter().enumerate().filter(|(_, count)| **count == 0) {
            // Keys of negative scores are turned over, and so are their exponents.
            let exponent = if top < TOPS / 2 { !top >> 4 } else { top >> 4 } & NOT_FINITE;
            let place = if exponent == NOT_FINITE { absent } else { astray };
            entries[top] = place << SHIFT_BITS | WHOLE;
        }
        Self { entries: entries.try_into().expect("there are as many as the array has"), numbers }
    }

    /// The places of the cells of as many scores, [`Self::astray`] or [`Self::absent`] among them.
    #[inline(always)]
    pub fn find(&self, scores: &[f64], places: &mut [u32]) {
        // Entries are looked up one by one; all else is vector code.
        for (place, &score) in places.iter_mut().zip(scores) {
            *place = top(key(score)) as u32;
        }
        for place in &mut *places {
            *place = self.entries[usize::from(*place as u16)];
        }
        for (place, &score) in places.iter_mut().zip(scores) {
            let (entry, below) = (*place, key(score) << TOP_BITS >> 1);
            *place = (entry >> SHIFT_BITS) + (below >> (entry & ((1 << SHIFT_BITS) - 1))) as u32;
        }
    }

    /// The number of the cell of a place.
    pub fn number(&self, place: usize) -> u32 {
        self.numbers[place]
    }

    /// The place of all scores whose cells have none: one past the last.
    pub fn astray(&self) -> usize {
        self.numbers.len()
    }

    /// The number of the cell of a key that is astray.
    pub fn number_astray(key: u64) -> u32 {
        (top(key) as u32) << FINE_BITS
    }

    /// The place of what is not finite: the next one.
    pub fn absent(&self) -> usize {
        self.numbers.len() + 1
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
        let place = |cells: &Cells, score: f64| {
            let mut place = [0];
            cells.find(&[score], &mut place);
            place[0] as usize
        };
        let number = |&score: &f64| match place(&cells, score) {
            place if place < cells.astray() => cells.number(place),
            place => {
                assert_eq!(place, cells.astray(), "{score} is finite");
                Cells::number_astray(key(score))
            }
        };
        let found: Vec<u32> = scores.iter().map(number).collect();
        assert!(found.is_sorted());
        for pair in scores.windows(2).zip(found.windows(2)) {
            let top = |score: f64| (score + 0.0).to_bits() >> 48;
            assert!(
                pair.1[0] < pair.1[1] || top(pair.0[0]) == top(pair.0[1]),
                "one cell, one head: {pair:?}"
            );
        }
        let most = found.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap();
        assert!(most <= 60, "20 scores a cell are wanted, not {most}");
        for cells in [cells, Cells::cut(&[], 1000), Cells::cut(&[f64::NAN, f64::INFINITY], 2)] {
            for absent in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(place(&cells, absent), cells.absent());
            }
        }
    }
}
