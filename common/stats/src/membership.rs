//! Which units each shadow was trained on.

use std::ops::Range;

use crate::order::Order;

/// The bit matrix shadows x units, borrowed: for every unit in turn `ceil(shadows / 64)` words, the bit of
/// shadow `s` being bit `s % 64` of word `s / 64`.
#[derive(Debug, Clone, Copy)]
pub struct Membership<'a> {
    shadows: usize,
    units: usize,
    words: &'a [u64],
    order: Order,
}

impl<'a> Membership<'a> {
    /// Takes the packed words; `None` if their number is not `units * ceil(shadows / 64)`.
    pub fn new(shadows: usize, units: usize, words: &'a [u64]) -> Option<Self> {
        let expected = shadows.div_ceil(64).checked_mul(units)?;
        (words.len() == expected).then_some(Self { shadows, units, words, order: Order::Given })
    }

    /// The same with its shadows in another order.
    pub(crate) fn in_order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Shadows, lost ones included.
    pub fn shadows(&self) -> usize {
        self.shadows
    }

    /// Units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Whether `shadow` was trained on `unit`.
    pub fn is_in(&self, shadow: usize, unit: usize) -> bool {
        debug_assert!(shadow < self.shadows);
        let shadow = self.order.given(shadow, self.shadows);
        self.words(unit)[shadow / 64] >> (shadow % 64) & 1 == 1
    }

    /// Whether no shadow was trained on the unit: a reserved population, or nothing but chance.
    pub fn is_reserved(&self, unit: usize) -> bool {
        self.words(unit).iter().all(|&bits| bits == 0)
    }

    /// The packed column of a unit, one bit a shadow; `room` is taken for it where the words are not at
    /// hand in that order.
    pub fn column<'r>(&self, unit: usize, room: &'r mut Vec<u64>) -> &'r [u64]
    where
        'a: 'r,
    {
        self.order.sorted_bits(self.words(unit), self.shadows, room)
    }

    /// The words of a unit, its shadows as they were given.
    pub(crate) fn words(&self, unit: usize) -> &'a [u64] {
        let words = self.shadows.div_ceil(64);
        &self.words[unit * words..(unit + 1) * words]
    }
}

/// In how many of some shadows the unit of a packed column is.
pub(crate) fn inside(column: &[u64], shadows: Range<usize>) -> usize {
    let (first, last) = (shadows.start / 64, shadows.end.div_ceil(64));
    let words = column.iter().enumerate().take(last).skip(first);
    words
        .map(|(word, &bits)| {
            // The bits from `start` on, and those below `end`.
            let from = shadows.start.saturating_sub(word * 64) as u32;
            let to = (shadows.end - word * 64).min(64) as u32;
            let kept = u64::MAX.checked_shl(from).unwrap_or(0) & u64::MAX.checked_shr(64 - to).unwrap_or(0);
            (bits & kept).count_ones() as usize
        })
        .sum()
}

/// Whether a packed column is IN exactly half of every block of `size` shadows, an even number: word by word
/// where blocks are a power of two that a word holds whole, and else block by block.
pub(crate) fn half_of_each(column: &[u64], shadows: usize, size: usize) -> bool {
    if !64usize.is_multiple_of(size) {
        return (0..shadows).step_by(size).all(|first| 2 * inside(column, first..first + size) == size);
    }
    let lowest = LOWEST[size.ilog2() as usize];
    column.iter().zip((0..shadows).step_by(64)).all(|(&bits, first)| {
        let there = u64::MAX >> (64 - (shadows - first).min(64));
        counts(bits & there, size) == (lowest & there) * (size as u64 / 2)
    })
}

/// By the logarithm of their size to the base 2, the lowest bit of every block.
const LOWEST: [u64; 7] = {
    let (mut all, mut log) = ([0; 7], 0);
    while log < all.len() {
        all[log] = u64::MAX / (u64::MAX >> (64 - (1 << log)));
        log += 1;
    }
    all
};

/// By the logarithm of their width, the lower of every two fields side by side.
const LOWER: [u64; 6] = {
    let (mut all, mut log) = ([0; 6], 0);
    while log < all.len() {
        all[log] = u64::MAX / ((1 << (1 << log)) + 1);
        log += 1;
    }
    all
};

/// The numbers of bits set in every `size` of them, a power of two, in their place (Warren 2012, Hacker's
/// Delight, section 5-1).
fn counts(bits: u64, size: usize) -> u64 {
    let steps = LOWER.iter().enumerate().take(size.ilog2() as usize);
    steps.fold(bits, |counts, (log, lower)| (counts & lower) + (counts >> (1 << log) & lower))
}

/// A bit matrix shadows x units that owns its words.
#[derive(Debug, Clone)]
pub struct MembershipMatrix {
    shadows: usize,
    units: usize,
    words: Vec<u64>,
}

impl MembershipMatrix {
    /// Builds the matrix from a function of (shadow, unit).
    pub fn from_fn(shadows: usize, units: usize, is_in: impl Fn(usize, usize) -> bool) -> Self {
        let per_unit = shadows.div_ceil(64);
        let mut words = vec![0; per_unit * units];
        for unit in 0..units {
            for shadow in (0..shadows).filter(|&shadow| is_in(shadow, unit)) {
                words[unit * per_unit + shadow / 64] |= 1 << (shadow % 64);
            }
        }
        Self { shadows, units, words }
    }

    /// The view that the statistics read.
    pub fn view(&self) -> Membership<'_> {
        Membership { shadows: self.shadows, units: self.units, words: &self.words, order: Order::Given }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shadows_are_counted_across_words() {
        let matrix = MembershipMatrix::from_fn(200, 3, |shadow, unit| unit > 0 && shadow % (unit + 1) == 0);
        let view = matrix.view();
        for range in [0..200, 0..0, 63..65, 64..128, 10..20, 130..200, 199..200] {
            for unit in 0..3 {
                let expected = range.clone().filter(|&shadow| view.is_in(shadow, unit)).count();
                assert_eq!(inside(view.words(unit), range.clone()), expected, "{range:?} {unit}");
            }
        }
        assert!(view.is_reserved(0) && !view.is_reserved(1));
    }

    #[test]
    fn bits_are_counted_across_words() {
        let column = [u64::MAX << 60, 0b1011, u64::MAX];
        for (start, end, expected) in [(0, 60, 0), (60, 64, 4), (58, 66, 6), (64, 128, 3), (62, 192, 69)] {
            assert_eq!(inside(&column, start..end), expected, "{start}..{end}");
        }
    }

    /// Against counting block by block.
    #[test]
    fn halves_are_told_from_the_rest() {
        let even: u64 = 0x5a96_6996_a55a_9669;
        let sizes: [(usize, usize); 8] =
            [(6, 2), (72, 8), (64, 64), (128, 16), (96, 32), (80, 10), (256, 128), (4, 4)];
        for (shadows, size) in sizes {
            let words = shadows.div_ceil(64);
            // Bits beyond the last shadow do not count.
            for flip in (0..shadows).map(Some).chain([None]) {
                let mut column = vec![even; words];
                if let Some(bit) = flip {
                    column[bit / 64] ^= 1 << (bit % 64);
                }
                let count = |first: usize| inside(&column, first..first + size);
                let right = (0..shadows).step_by(size).all(|first| 2 * count(first) == size);
                assert_eq!(half_of_each(&column, shadows, size), right, "{shadows} {size} {flip:?}");
                assert!(right == flip.is_none() || size == 10, "{shadows} {size} {flip:?}");
            }
        }
    }
}
