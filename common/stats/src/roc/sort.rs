//! Sorting of packed words within a core's cache.

use super::key::TAG_BITS;
use crate::lanes::{Kernel, Vector, dispatch};

/// Below this many words a digit's counts cost more than they save.
const SMALL: usize = 32;

/// Up to this many words are sorted by one digit; more by two, each of which has fewer values then.
const ONE_DIGIT: usize = 1 << 12;

/// A digit has at most so many bits: its counts then fit in the nearest cache.
const DIGIT_BITS: u32 = 13;

/// Bits sorted by beyond those that number the words: few of them are then left in disorder.
const SPARE_BITS: u32 = 4;

/// The same for one digit, whose values are gone through for few words.
const SPARE_BITS_OF_ONE: u32 = 2;

/// Words whose order is looked at together.
const LOOK: usize = 32;

/// Buffers of a thread.
#[derive(Default)]
pub(super) struct Buffers {
    /// To be sorted.
    pub words: Vec<u64>,
    other: Vec<u64>,
    counts: Vec<u32>,
}

impl Buffers {
    /// The words of one cell sorted by their keys, ascending; the order among equal keys is any.
    ///
    /// Radix by one or two digits below the highest bit in which any words differ, least significant first;
    /// then each run that agrees in the digits and is not in order for itself.
    pub fn sort(&mut self) -> &[u64] {
        dispatch(Sort(self))
    }
}

struct Sort<'a>(&'a mut Buffers);

impl<'a> Kernel for Sort<'a> {
    type Output = &'a [u64];

    #[inline(always)]
    fn run<V: Vector>(self) -> &'a [u64] {
        let Buffers { words, other, counts } = self.0;
        let Some(&first) = words.first() else { return words };
        let differing = words.iter().fold(0, |bits, word| bits | (word ^ first)) >> TAG_BITS;
        if differing == 0 {
            return words;
        }
        if words.len() < SMALL {
            small(words);
            return words;
        }
        let (bits, number) = (64 - differing.leading_zeros(), words.len().ilog2() + 1);
        let top = bits + TAG_BITS;
        if other.len() < words.len() {
            other.resize(words.len(), 0);
        }
        let (sorted, from) = if words.len() <= ONE_DIGIT {
            let digit = (number + SPARE_BITS_OF_ONE).min(DIGIT_BITS).min(bits);
            counts.clear();
            counts.resize(1 << digit, 0);
            let other = &mut other[..words.len()];
            one_digit(words, other, top - digit, counts);
            (other, top - digit)
        } else {
            let digit = (number + SPARE_BITS).div_ceil(2).min(DIGIT_BITS).min(bits.div_ceil(2));
            two_digits(words, &mut other[..], top, digit, counts);
            // The second digit may reach into the tag.
            (&mut words[..], (top - 2 * digit).max(TAG_BITS))
        };
        if from > TAG_BITS {
            mend(sorted, from);
        }
        sorted
    }
}

/// Sorts by the bits from `low` on, of which `counts` has room for all values that occur.
#[inline(always)]
fn one_digit(words: &[u64], to: &mut [u64], low: u32, counts: &mut [u32]) {
    let mask = counts.len() - 1;
    let digit = |word: u64| (word >> low) as usize & mask;
    words.iter().for_each(|&word| counts[digit(word)] += 1);
    places(counts);
    scatter(words, to, counts, digit);
}

/// Sorts by the two digits of `digit` bits below bit `top`.
#[inline(always)]
fn two_digits(words: &mut [u64], other: &mut [u64], top: u32, digit: u32, counts: &mut Vec<u32>) {
    let mask = (1 << digit) - 1;
    let (high, low) = (top - digit, top - 2 * digit);
    let (high, low) = (|word: u64| (word >> high) as usize & mask, |word: u64| (word >> low) as usize & mask);
    counts.clear();
    counts.resize(2 << digit, 0);
    let (low_places, high_places) = counts.split_at_mut(1 << digit);
    for &word in words.iter() {
        low_places[low(word)] += 1;
        high_places[high(word)] += 1;
    }
    places(low_places);
    places(high_places);
    let other = &mut other[..words.len()];
    scatter(words, other, low_places, low);
    scatter(other, words, high_places, high);
}

/// From counts to where the words of each digit begin.
#[inline(always)]
fn places(counts: &mut [u32]) {
    let mut next = 0;
    for place in counts {
        (*place, next) = (next, next + *place);
    }
}

#[inline(always)]
fn scatter(from: &[u64], to: &mut [u64], places: &mut [u32], digit: impl Fn(u64) -> usize) {
    for &word in from {
        let place = &mut places[digit(word)];
        to[*place as usize] = word;
        *place += 1;
    }
}

/// Sorts words that are in order by the bits from `from` on.
#[inline(always)]
fn mend(words: &mut [u64], from: u32) {
    let mut sorted = 1;
    while sorted < words.len() {
        // A bit for each word below the one before it.
        let end = words.len().min(sorted + LOOK);
        let pairs = words[sorted - 1..end - 1].iter().zip(&words[sorted..end]);
        let below = |(before, word): (&u64, &u64)| u32::from(before >> TAG_BITS > word >> TAG_BITS);
        let mut disorder = pairs.enumerate().fold(0, |bits, (place, pair)| bits | below(pair) << place);
        let begin = sorted;
        sorted = end;
        while disorder != 0 {
            let place = begin + disorder.trailing_zeros() as usize;
            disorder &= disorder - 1;
            let agree = |other: &&u64| (**other ^ words[place]) >> from == 0;
            let first = place - words[..place].iter().rev().take_while(agree).count();
            let end = place + words[place..].iter().take_while(agree).count();
            small(&mut words[first..end]);
            if end > begin {
                // What lies before is in order now.
                disorder &= u32::MAX.checked_shl((end - begin) as u32).unwrap_or(0);
                sorted = sorted.max(end);
            }
        }
    }
}

/// Sorts a few words; many of them, as when scores crowd in one spot, in n log n all the same.
#[inline(always)]
fn small(words: &mut [u64]) {
    if words.len() > 2 * SMALL {
        words.sort_unstable_by_key(|word| word >> TAG_BITS);
        return;
    }
    for i in 1..words.len() {
        let word = words[i];
        let mut place = i;
        while place > 0 && words[place - 1] >> TAG_BITS > word >> TAG_BITS {
            words[place] = words[place - 1];
            place -= 1;
        }
        words[place] = word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::on_every_level;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against the standard library; keys crowded, spread, or of few values; by one digit and by two.
        #[test]
        fn keys_ascend_and_no_word_is_lost(
            words in proptest::collection::vec(any::<u64>(), 0..6000),
            take in 0usize..6000,
            keep in 0u32..64,
            shift in 0u32..48,
        ) {
            let mask = u64::MAX >> keep << shift | 0xffff;
            let words: Vec<u64> = words.iter().take(take).map(|word| word & mask).collect();
            let mut right = words.clone();
            right.sort_unstable();
            on_every_level(|| {
                let mut buffers = Buffers { words: words.clone(), ..Buffers::default() };
                let mut found = buffers.sort().to_vec();
                assert!(found.is_sorted_by_key(|word| word >> TAG_BITS));
                found.sort_unstable();
                assert_eq!(found, right);
            });
        }
    }
}
