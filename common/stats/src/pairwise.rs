//! IN and OUT values told apart, stratum by stratum, and compared pair by pair, in vector code.

use std::ops::Range;

use crate::lanes::{Kernel, LANES, Vector, bits_at, load_part, pack};

/// Up to this many pairs in a stratum are compared one by one; more are better sorted.
pub(crate) const PAIRWISE: usize = 256;

/// The finite values by side, stratum after stratum.
#[derive(Debug, Clone, Default)]
pub(crate) struct Split {
    /// With room for whole lanes beyond the last.
    inside: Vec<f64>,
    outside: Vec<f64>,
    /// Where each stratum ends in them.
    pub ends: Vec<(usize, usize)>,
}

impl Split {
    pub fn reset(&mut self, shadows: usize) {
        self.inside.resize(shadows + 2 * LANES, 0.0);
        self.outside.resize(shadows + 2 * LANES, 0.0);
        self.ends.clear();
    }

    /// IN and OUT values in all strata.
    pub fn n(&self) -> (usize, usize) {
        self.ends.last().copied().unwrap_or_default()
    }

    pub fn inside(&self, range: Range<usize>) -> &[f64] {
        &self.inside[range]
    }

    pub fn outside(&self, range: Range<usize>) -> &[f64] {
        &self.outside[range]
    }
}

/// Splits values per shadow (absent: not finite) by the bits of `column`, and compares every stratum of at
/// most [`PAIRWISE`] pairs.
pub(crate) struct SplitAndCompare<'a> {
    pub values: &'a [f64],
    pub column: &'a [u64],
    pub strata: &'a [Range<usize>],
    pub split: &'a mut Split,
    /// Per stratum twice U, and whether any two values are equal.
    pub found: &'a mut Vec<(u64, bool)>,
}

impl Kernel for SplitAndCompare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { values, column, strata, split, found } = self;
        let (mut m, mut n) = (0, 0);
        found.clear();
        for stratum in strata {
            let (first_in, first_out) = (m, n);
            for start in stratum.clone().step_by(LANES) {
                let values = load_part::<V>(values, start, stratum.end);
                let (there, bits) = (values.lanes_finite(), bits_at(column, start));
                m = pack(values, there & bits, &mut split.inside, m);
                n = pack(values, there & !bits, &mut split.outside, n);
            }
            split.ends.push((m, n));
            let (m, n) = (m - first_in, n - first_out);
            found.push(if m * n <= PAIRWISE {
                compared::<V>(&split.inside[first_in..], m, &split.outside[first_out..], n)
            } else {
                (0, false)
            });
        }
    }
}

/// Twice U of the first `m` and the first `n` values, and whether any two values are equal.
#[inline(always)]
fn compared<V: Vector>(inside: &[f64], m: usize, outside: &[f64], n: usize) -> (u64, bool) {
    if m <= LANES && n <= LANES {
        let wins = V::wins_of_distinct(eight(inside, 0), m, eight(outside, 0), n);
        if let Some(wins) = wins {
            return (2 * u64::from(wins), false);
        }
    }
    let (wins, ties) = wins_and_ties::<V>(inside, m, outside, n);
    (2 * wins + ties, ties > 0 || repeats::<V>(inside, m) || repeats::<V>(outside, n))
}

#[inline(always)]
fn eight(values: &[f64], start: usize) -> &[f64; LANES] {
    values[start..].first_chunk().expect("there is room for whole lanes beyond the last value")
}

/// The lanes of the first so many values.
#[inline(always)]
fn lanes(n: usize) -> u8 {
    if n >= LANES { u8::MAX } else { !(u8::MAX << n) }
}

/// Pairs of the first `m` and the first `n` values in which the former is higher, and in which both are
/// equal.
#[inline(always)]
fn wins_and_ties<V: Vector>(inside: &[f64], m: usize, outside: &[f64], n: usize) -> (u64, u64) {
    let (mut wins, mut ties) = (0, 0);
    for start in (0..n).step_by(LANES) {
        // What is not there is neither below nor equal to a finite number.
        let y = V::select(lanes(n - start), V::load(eight(outside, start)), V::splat(f64::INFINITY));
        let (mut below, mut equal) = (V::splat(0.0), 0);
        for &x in &inside[..m] {
            let x = V::splat(x);
            below = below.add(y.below(x));
            equal |= y.lanes_equal(x);
        }
        wins += below.total() as u64;
        if equal != 0 {
            let equal = inside[..m].iter().map(|&x| y.lanes_equal(V::splat(x)).count_ones());
            ties += u64::from(equal.sum::<u32>());
        }
    }
    (wins, ties)
}

/// Whether any two of the first `n` values are equal: each is compared with those after it.
#[inline(always)]
fn repeats<V: Vector>(values: &[f64], n: usize) -> bool {
    let mut equal = 0;
    if n <= LANES {
        // In a ring, no two are farther apart than half of it.
        let x = V::select(lanes(n), V::load(eight(values, 0)), V::splat(f64::NAN));
        let mut other = x;
        for _ in 0..LANES / 2 {
            other = other.rotated();
            equal |= x.lanes_equal(other);
        }
        return equal != 0;
    }
    for start in (0..n).step_by(LANES) {
        let x = V::load(eight(values, start));
        for other in start + 1..n {
            equal |= x.lanes_equal(V::load(eight(values, other))) & lanes(n - other);
        }
    }
    equal != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{dispatch, on_every_level};
    use umbra_core::seed::{Purpose, Seed};

    fn compare(values: &[f64], column: &[u64], strata: &[Range<usize>]) -> (Split, Vec<(u64, bool)>) {
        let (mut split, mut found) = (Split::default(), Vec::new());
        split.reset(values.len());
        dispatch(SplitAndCompare { values, column, strata, split: &mut split, found: &mut found });
        (split, found)
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one stratum")]
    fn pairs_are_counted_as_by_hand() {
        // 3 beats 3, -1 beats 1, 2 beats 2 and ties 1 (twice), -0 beats 1 and ties 1.
        let values = [3.0, -1.0, 2.0, 2.0, -0.0, 0.0, 2.0, 5.0, -3.0];
        assert_eq!(compare(&values, &[0b11111], &[0..9]).1, [(2 * (3 + 1 + 4 + 1) + 3, true)]);
        assert_eq!(compare(&[1.0, 2.0, 0.5, 1.5], &[0b11], &[0..4]).1, [(6, false)]);
        assert_eq!(compare(&[1.0, 1.0, 0.5, 0.0], &[0b11], &[0..4]).1, [(8, true)]);
        assert_eq!(compare(&[1.0, f64::NAN, 0.5, f64::INFINITY], &[0b11], &[0..4]).1, [(2, false)]);
    }

    /// Values that are equal, or out of range, at half of their digits: an IN and an OUT shadow in turn, each
    /// value one step above the one before it, so that IN shadow k beats the k OUT shadows below it.
    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one stratum")]
    fn the_last_digit_decides() {
        for least in [1.0, -3.0, 1e300, -1e-310, 0.0, 7e-46] {
            let mut next: f64 = least;
            let values: [f64; 16] = std::array::from_fn(|_| {
                next = next.next_up();
                next
            });
            for found in on_every_level(|| compare(&values, &[0x5555], &[0..16]).1) {
                assert_eq!(found, [(2 * (0..8).sum::<u64>(), false)]);
            }
            let mut equal = values;
            equal[9] = equal[0];
            for found in on_every_level(|| compare(&equal, &[0x5555], &[0..16]).1) {
                // The OUT shadow at 9 is below those at 2, 4, 6 and 8 now, too, and ties with the first one.
                assert_eq!(found, [(2 * (0..8).sum::<u64>() + 2 * 4 + 1, true)]);
            }
        }
    }

    /// Against every pair, strata across words, absent values and ties; every level alike.
    #[test]
    fn strata_are_told_apart() {
        let mut stream = Seed::new(8).stream(Purpose::Simulation, &[]);
        for size in [3, 16, 20, 30] {
            let strata: Vec<_> = (0..7).map(|i| i * size..(i + 1) * size).collect();
            let mut draw = || match stream.below(9) {
                0 => f64::NAN,
                _ => f64::from(stream.below(40) as u32) + if size == 16 { stream.uniform_f64() } else { 0.0 },
            };
            let values: Vec<f64> = (0..7 * size).map(|_| draw()).collect();
            let column: Vec<u64> = (0..values.len().div_ceil(64)).map(|_| stream.next_u64()).collect();
            let is_in = |shadow: usize| column[shadow / 64] >> (shadow % 64) & 1 == 1;
            let levels = on_every_level(|| compare(&values, &column, &strata));
            for (split, found) in &levels {
                let (mut start, there) = ((0, 0), |shadow: &usize| values[*shadow].is_finite());
                for (stratum, (&end, &(twice, tied))) in strata.iter().zip(split.ends.iter().zip(found)) {
                    let side = |inside| -> Vec<f64> {
                        let shadows = stratum.clone().filter(there).filter(|&shadow| is_in(shadow) == inside);
                        shadows.map(|shadow| values[shadow]).collect()
                    };
                    let (inside, outside) = (side(true), side(false));
                    assert_eq!(split.inside(start.0..end.0), inside);
                    assert_eq!(split.outside(start.1..end.1), outside);
                    start = end;
                    let credit = |x: &f64| -> u64 {
                        outside.iter().map(|y| if y < x { 2 } else { u64::from(y == x) }).sum()
                    };
                    let mut all = [inside.clone(), outside.clone()].concat();
                    all.sort_by(f64::total_cmp);
                    assert_eq!(twice, inside.iter().map(credit).sum::<u64>());
                    assert_eq!(tied, all.windows(2).any(|pair| pair[0] == pair[1]));
                }
            }
        }
    }
}
