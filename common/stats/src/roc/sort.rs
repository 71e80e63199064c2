//! Sorting of packed words within a core's cache.

use super::key::TAG_BITS;

/// Below this many words a digit's counts cost more than they save.
const SMALL: usize = 64;

/// Bits sorted by beyond those that number the words: few of them are then left in disorder.
const SPARE_BITS: u32 = 4;

/// Two digits of at most so many bits.
const DIGIT_BITS: u32 = 12;

/// Buffers of a thread.
#[derive(Default)]
pub(super) struct Buffers {
    other: Vec<u64>,
    counts: Vec<u32>,
}

/// Sorts words of one bucket by their keys, ascending; the order among equal keys is any.
///
/// Radix by two digits below the highest bit in which any words differ, least significant first; then each
/// run that agrees in both digits and is not in order for itself.
pub(super) fn sort(words: &mut [u64], buffers: &mut Buffers) {
    let Some(&first) = words.first() else { return };
    let differing = words.iter().fold(0, |bits, word| bits | (word ^ first)) >> TAG_BITS;
    if differing == 0 {
        return;
    }
    let top = 64 - differing.leading_zeros() + TAG_BITS;
    if words.len() < SMALL {
        small(words);
        return;
    }
    let wanted = words.len().ilog2() + 1 + SPARE_BITS;
    let digit = wanted.div_ceil(2).min(DIGIT_BITS).min((top - TAG_BITS).div_ceil(2));
    radix(words, top, digit, buffers);
    // Where the digits reach the tag, the keys are in order.
    let sorted_from = top - 2 * digit;
    if sorted_from <= TAG_BITS {
        return;
    }
    let mut place = 1;
    while place < words.len() {
        if words[place - 1] >> TAG_BITS > words[place] >> TAG_BITS {
            let agree = |other: &&u64| (**other ^ words[place]) >> sorted_from == 0;
            let begin = place - words[..place].iter().rev().take_while(agree).count();
            let end = place + words[place..].iter().take_while(agree).count();
            small(&mut words[begin..end]);
            place = end;
        }
        place += 1;
    }
}

/// Sorts by the two digits of `digit` bits below bit `top`.
fn radix(words: &mut [u64], top: u32, digit: u32, buffers: &mut Buffers) {
    let mask = (1u64 << digit) - 1;
    let (high, low) = (top - digit, top - 2 * digit);
    let Buffers { other, counts } = buffers;
    counts.clear();
    counts.resize(2 << digit, 0);
    let (low_places, high_places) = counts.split_at_mut(1 << digit);
    for word in words.iter() {
        low_places[(word >> low & mask) as usize] += 1;
        high_places[(word >> high & mask) as usize] += 1;
    }
    for places in [&mut *low_places, &mut *high_places] {
        let mut next = 0;
        for place in places {
            (*place, next) = (next, next + *place);
        }
    }
    if other.len() < words.len() {
        other.resize(words.len(), 0);
    }
    let other = &mut other[..words.len()];
    scatter(words, other, low_places, |word| (word >> low & mask) as usize);
    scatter(other, words, high_places, |word| (word >> high & mask) as usize);
}

fn scatter(from: &[u64], to: &mut [u64], places: &mut [u32], digit: impl Fn(u64) -> usize) {
    for &word in from {
        let place = &mut places[digit(word)];
        to[*place as usize] = word;
        *place += 1;
    }
}

/// Sorts a few words; many of them, as when scores crowd in one spot, in n log n all the same.
fn small(words: &mut [u64]) {
    if words.len() > SMALL {
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
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against the standard library; keys crowded, spread, or of few values.
        #[test]
        fn keys_ascend_and_no_word_is_lost(
            mut words in proptest::collection::vec(any::<u64>(), 0..3000), keep in 0u32..64, shift in 0u32..48,
        ) {
            let mask = u64::MAX >> keep << shift | 0xffff;
            words.iter_mut().for_each(|word| *word &= mask);
            let mut found = words.clone();
            sort(&mut found, &mut Buffers::default());
            prop_assert!(found.is_sorted_by_key(|word| word >> TAG_BITS));
            found.sort_unstable();
            words.sort_unstable();
            prop_assert_eq!(found, words);
        }
    }
}
