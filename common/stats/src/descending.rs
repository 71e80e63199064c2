//! Shadows by the value that a unit has on them.

use crate::lanes::sort_few;
use crate::sort_key::key;

/// Shadows with a finite value, from the highest value down; of equal ones the later first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Descending {
    pub shadows: Vec<u32>,
    /// By place, as they are sorted: [`key`]s turned over, the lowest bits of which make room for the shadow.
    words: Vec<u64>,
    /// Lowest bits of a word that are the shadow's.
    bits: u32,
    /// Whether neighbours agree in all that their words hold of the keys.
    close: bool,
}

impl Descending {
    /// Sorts the shadows that have these values.
    pub fn sort(&mut self, values: &[f64]) {
        self.bits = usize::BITS - values.len().leading_zeros();
        let (bits, mask) = (self.bits, (1 << self.bits) - 1);
        self.words.clear();
        let there = (0u64..).zip(values).filter(|(_, value)| value.is_finite());
        self.words.extend(there.map(|(shadow, &value)| !(key(value) & !mask | shadow)));
        sort_few(&mut self.words);
        self.close = self.words.windows(2).fold(false, |any, pair| any | ((pair[0] ^ pair[1]) >> bits == 0));
        let shadow = |word: u64| (!word & mask) as usize;
        if self.close {
            for close in self.words.chunk_by_mut(|a, b| (a ^ b) >> bits == 0) {
                close.sort_unstable_by_key(|&word| {
                    !(u128::from(key(values[shadow(word)])) << 64 | u128::from(!word))
                });
            }
        }
        self.shadows.clear();
        self.shadows.extend(self.words.iter().map(|&word| shadow(word) as u32));
    }

    /// Whether all words differ beyond the shadow, so that no two values are equal.
    pub fn are_distinct(&self) -> bool {
        !self.close
    }

    /// One past the last of those that are equal to the one at `place`.
    #[inline(always)]
    pub fn end_of_equal(&self, place: usize, values: &[f64]) -> usize {
        let first = values[self.shadows[place] as usize];
        let equal = |&&shadow: &&u32| values[shadow as usize] == first;
        if self.close { place + self.shadows[place..].iter().take_while(equal).count() } else { place + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_core::seed::{Purpose, Seed};

    /// Against a stable sort of the values themselves: far apart, a few last digits apart, equal, absent.
    #[test]
    fn shadows_descend_by_every_digit() {
        let mut stream = Seed::new(3).stream(Purpose::Simulation, &[]);
        for trial in 0..200 {
            let mut draw = || match (trial % 4, stream.below(12)) {
                (_, 0) => f64::NAN,
                (0, _) => stream.normal_f64(),
                (1, step) => f64::from_bits(1.0f64.to_bits() + step),
                (2, step) => -f64::from_bits(3.0f64.to_bits() + 7 * step),
                (_, step) => [0.0, -0.0, 5e-324, -5e-324][step as usize % 4],
            };
            let values: Vec<f64> = (0..1 + trial).map(|_| draw()).collect();
            let mut expected: Vec<u32> =
                (0..values.len() as u32).filter(|&s| values[s as usize].is_finite()).rev().collect();
            expected.sort_by(|&a, &b| values[b as usize].partial_cmp(&values[a as usize]).unwrap());
            let mut order = Descending::default();
            order.sort(&values);
            assert_eq!(order.shadows, expected);
            let mut place = 0;
            for equal in expected.chunk_by(|&a, &b| values[a as usize] == values[b as usize]) {
                assert_eq!(order.end_of_equal(place, &values), place + equal.len());
                place += equal.len();
            }
        }
    }
}
