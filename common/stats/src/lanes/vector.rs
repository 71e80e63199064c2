//! Eight numbers side by side, and what is done with them on any machine.

use super::LANES;
use super::math::MANTISSA_BITS;

/// [`LANES`] numbers side by side. Every operation is that of the lanes, rounded as IEEE 754 says.
pub(crate) trait Vector: Copy {
    fn splat(value: f64) -> Self;
    fn load(from: &[f64; LANES]) -> Self;
    fn store(self, to: &mut [f64; LANES]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// This one times `factor` plus `term`, rounded once.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// Times 2^k, where `k` lies in the lowest bits of `power` and the exponent stays within the normal ones.
    fn times_power_of_two(self, power: Self) -> Self;
    /// 1 where this one is less, else 0.
    fn below(self, other: Self) -> Self;
    /// `a` where this one is above 0, else `b`.
    fn pick(self, a: Self, b: Self) -> Self;
    /// The lanes, from the lowest bit on, in which this one is less.
    fn lanes_below(self, other: Self) -> u8;
    /// The lanes in which both are equal.
    fn lanes_equal(self, other: Self) -> u8;
    /// Stores the lanes that are set, in their order from the first place on; what follows means nothing.
    fn store_packed(self, lanes: u8, to: &mut [f64; LANES]);
    /// `a` in the lanes that are set, `b` in the others.
    fn select(lanes: u8, a: Self, b: Self) -> Self;
    /// Adds `other` in the lanes that are set.
    fn add_in(self, lanes: u8, other: Self) -> Self;
    /// Each lane that of the next one, and the last that of the first.
    fn rotated(self) -> Self;
    /// Rows become columns.
    fn turned(rows: [Self; LANES]) -> [Self; LANES];

    /// Pairs of the first `m` and the first `n` values, eight at most and all finite, in which the former is
    /// higher. `None` where two of the values may be equal, or where the level knows no faster way than to
    /// look at each.
    #[inline(always)]
    fn wins_of_distinct(_: &[f64; LANES], _m: usize, _: &[f64; LANES], _n: usize) -> Option<u32> {
        None
    }

    /// The lanes that hold finite numbers.
    #[inline(always)]
    fn lanes_finite(self) -> u8 {
        // x - x is 0 where x is finite, and not a number elsewhere.
        self.sub(self).lanes_below(Self::splat(1.0))
    }

    /// The sum over the lanes, always in the same order.
    #[inline(always)]
    fn total(self) -> f64 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        let [a, b, c, d, e, f, g, h] = lanes;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

/// Whatever the compiler's target has.
#[derive(Clone, Copy)]
pub(super) struct Portable([f64; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let mut lanes = self.0;
        for lane in 0..LANES {
            lanes[lane] = f(lanes[lane], other.0[lane]);
        }
        Self(lanes)
    }
}

impl Vector for Portable {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn load(from: &[f64; LANES]) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut [f64; LANES]) {
        *to = self.0;
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        let mut lanes = self.0;
        for lane in 0..LANES {
            lanes[lane] = lanes[lane].mul_add(factor.0[lane], term.0[lane]);
        }
        Self(lanes)
    }

    #[inline(always)]
    fn times_power_of_two(self, power: Self) -> Self {
        self.zip(power, |a, k| f64::from_bits(a.to_bits().wrapping_add(k.to_bits() << MANTISSA_BITS)))
    }

    #[inline(always)]
    fn below(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { 1.0 } else { 0.0 })
    }

    #[inline(always)]
    fn pick(self, a: Self, b: Self) -> Self {
        let mut lanes = b.0;
        for lane in 0..LANES {
            lanes[lane] = if self.0[lane] > 0.0 { a.0[lane] } else { b.0[lane] };
        }
        Self(lanes)
    }

    #[inline(always)]
    fn lanes_below(self, other: Self) -> u8 {
        (0..LANES).fold(0, |lanes, lane| lanes | u8::from(self.0[lane] < other.0[lane]) << lane)
    }

    #[inline(always)]
    fn lanes_equal(self, other: Self) -> u8 {
        (0..LANES).fold(0, |lanes, lane| lanes | u8::from(self.0[lane] == other.0[lane]) << lane)
    }

    #[inline(always)]
    fn store_packed(self, lanes: u8, to: &mut [f64; LANES]) {
        let mut next = 0;
        for (lane, value) in self.0.into_iter().enumerate() {
            // A value that is not wanted is overwritten by the next, if any.
            to[next & (LANES - 1)] = value;
            next += usize::from(lanes >> lane & 1);
        }
    }

    #[inline(always)]
    fn select(lanes: u8, a: Self, b: Self) -> Self {
        let mut found = b.0;
        for lane in 0..LANES {
            found[lane] = if lanes >> lane & 1 == 1 { a.0[lane] } else { b.0[lane] };
        }
        Self(found)
    }

    #[inline(always)]
    fn add_in(self, lanes: u8, other: Self) -> Self {
        Self::select(lanes, self.add(other), self)
    }

    #[inline(always)]
    fn rotated(self) -> Self {
        let mut lanes = self.0;
        lanes.rotate_left(1);
        Self(lanes)
    }

    #[inline(always)]
    fn turned(rows: [Self; LANES]) -> [Self; LANES] {
        let mut columns = [Self([0.0; LANES]); LANES];
        for (lane, row) in rows.iter().enumerate() {
            for (column, &value) in columns.iter_mut().zip(&row.0) {
                column.0[lane] = value;
            }
        }
        columns
    }
}
