//! Medians of both sides, less one shadow each.

use super::leave_one_out::Drop;
use super::{References, Tables};
use crate::design::Blocks;
use crate::lanes::{FEW, Kernel, Vector, has_network, sort_few};
use crate::sort_key;

/// The median of some values, and of those values less any one. Taking one out moves the middle by half a
/// place at most: three values in order say all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Middle {
    /// The median of all values; NaN of none.
    pub all: f64,
    /// The value in the middle, the lower one of two.
    pub pivot: f64,
    /// The median less a value below the pivot, less the pivot, and less a value above it.
    pub less: [f64; 3],
}

impl Middle {
    /// Of `values`, which are finite and put in some other order.
    pub fn of(values: &mut [f64]) -> Self {
        let n = values.len();
        if n == 0 {
            return Self { all: f64::NAN, pivot: 0.0, less: [f64::NAN; 3] };
        }
        if n == 1 {
            return Self { all: values[0], pivot: values[0], less: [f64::NAN; 3] };
        }
        let [last, pivot, next] = middle_three(values);
        let between = |a: f64, b: f64| 0.5 * (a + b);
        if n.is_multiple_of(2) {
            Self { all: between(pivot, next), pivot, less: [next, next, pivot] }
        } else {
            Self {
                all: pivot,
                pivot,
                less: [between(pivot, next), between(last, next), between(last, pivot)],
            }
        }
    }

    /// The median less `value`, which is one of the values.
    #[inline(always)]
    pub fn without(&self, value: f64) -> f64 {
        let not_below = if value > self.pivot { self.less[2] } else { self.less[1] };
        if value < self.pivot { self.less[0] } else { not_below }
    }
}

/// Of two values or more the one in the middle, the lower one of two, between its neighbours in order; the
/// one before the lower of two values is some number.
fn middle_three(values: &mut [f64]) -> [f64; 3] {
    let middle = (values.len() - 1) / 2;
    if has_network(values.len()) {
        let mut keys = [0; FEW];
        let keys = &mut keys[..values.len()];
        keys.iter_mut().zip(values).for_each(|(key, value)| *key = sort_key::key(*value));
        sort_few(keys);
        return [middle.saturating_sub(1), middle, middle + 1].map(|at| sort_key::number(keys[at]));
    }
    let (below, &mut pivot, above) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let last = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let next = above.iter().copied().fold(f64::INFINITY, f64::min);
    // As keys have it, there is one zero.
    [last + 0.0, pivot + 0.0, next + 0.0]
}

/// Puts the medians in the place of the means.
pub(super) struct Medians<'a> {
    pub references: &'a mut References,
    pub blocks: &'a Blocks,
    pub drop: Drop,
}

impl Kernel for Medians<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { references, blocks, drop } = self;
        let References { inside, own, other, tables, signals, sides, shared, values, .. } = references;
        let middles = [0, 1].map(|side: usize| {
            values.clear();
            values.extend(sides[side].shadows().map(|shadow| signals[shadow]));
            Middle::of(values)
        });
        leave_out(signals, inside, &middles, &mut own.deviation);
        for target in 0..2 {
            let (side, middle) = (&sides[1 - target], &middles[1 - target]);
            for block in 0..blocks.count() {
                let dropped = side.dropped(drop, block, blocks.size);
                tables.centre[target][block] =
                    dropped.map_or(middle.all, |dropped| middle.without(signals[dropped]));
            }
        }
        let [for_in, for_out] = &tables.centre;
        Tables::spread::<V>([for_in, for_out], inside, blocks.size, shared);
        for ((deviation, signal), centre) in other.deviation.iter_mut().zip(signals.iter()).zip(shared.iter())
        {
            *deviation = signal - centre;
        }
    }
}

#[inline(always)]
fn leave_out(signals: &[f64], inside: &[f64], middles: &[Middle; 2], deviation: &mut [f64]) {
    for ((deviation, &signal), &inside) in deviation.iter_mut().zip(signals).zip(inside) {
        let (with_in, with_out) = (middles[0].without(signal), middles[1].without(signal));
        *deviation = signal - if inside != 0.0 { with_in } else { with_out };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sorting what is left, with ties and both parities.
    #[test]
    fn a_value_less_moves_the_middle_as_sorting_would() {
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            let n = values.len();
            0.5 * (values[(n - 1) / 2] + values[n / 2])
        };
        for values in [
            vec![3.0, 1.0],
            vec![2.0, 2.0, 2.0],
            vec![5.0, -1.0, 4.0],
            vec![1.0, 2.0, 2.0, 3.0],
            vec![0.0, -0.0, 1.0, -1.0, 0.0],
            vec![9.0, 7.0, 8.0, 7.0, 1.0, 2.0],
            vec![9.0, 7.0, 8.0, 7.0, 1.0, 2.0, 7.0],
        ] {
            let middle = Middle::of(&mut values.clone());
            assert_eq!(middle.all, median(values.clone()));
            for index in 0..values.len() {
                let mut rest = values.clone();
                let value = rest.remove(index);
                assert_eq!(middle.without(value), median(rest), "{values:?} less {value}");
            }
        }
        assert!(Middle::of(&mut [1.0]).without(1.0).is_nan() && Middle::of(&mut []).all.is_nan());
    }
}
