//! Sorting of scores, the dearest step of an exact ROC: radix, by the order of the numbers.

/// A finite score as an integer of the same order; -0.0 and 0.0 are one.
pub(crate) fn key(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

const DIGIT_BITS: usize = 11;
const DIGITS: usize = 64usize.div_ceil(DIGIT_BITS);
const BUCKETS: usize = 1 << DIGIT_BITS;

/// Below this many keys the histograms cost more than they save.
const SMALL: usize = 2048;

/// Sorts ascending: least significant digit first, digits in which all keys agree left out.
pub(crate) fn sort(keys: &mut Vec<u64>) {
    if keys.len() < SMALL {
        keys.sort_unstable();
        return;
    }
    let mut histograms = vec![0usize; DIGITS * BUCKETS];
    for &key in keys.iter() {
        for digit in 0..DIGITS {
            histograms[digit * BUCKETS + bucket(key, digit)] += 1;
        }
    }
    let mut other = vec![0u64; keys.len()];
    for digit in 0..DIGITS {
        let starts = &mut histograms[digit * BUCKETS..(digit + 1) * BUCKETS];
        if starts.contains(&keys.len()) {
            continue;
        }
        let mut next = 0;
        for start in starts.iter_mut() {
            (*start, next) = (next, next + *start);
        }
        for &key in keys.iter() {
            let place = &mut starts[bucket(key, digit)];
            other[*place] = key;
            *place += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}

fn bucket(key: u64, digit: usize) -> usize {
    (key >> (digit * DIGIT_BITS)) as usize & (BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_order_is_that_of_the_numbers(
            mut scores in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 0..6000),
        ) {
            let mut keys: Vec<u64> = scores.iter().copied().map(key).collect();
            sort(&mut keys);
            scores.sort_by(|a, b| a.partial_cmp(b).unwrap());
            let expected: Vec<u64> = scores.into_iter().map(key).collect();
            prop_assert!(keys == expected);
        }
    }
}
