//! Mean and sum of squares of some values, and of those values less one.

use crate::lanes::{Kernel, LANES, Vector, dispatch};

/// Where the squares that remain are below this share of the full ones, the difference has lost too many
/// digits (2^-53 / 1e-5 is about 1e-11) and is computed again from the values.
pub(crate) const DOWNDATE_LIMIT: f64 = 1e-5;

/// Number, mean, and sum of squared deviations from the mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Moments {
    pub n: u32,
    pub mean: f64,
    pub ss: f64,
}

impl Moments {
    /// Of a slice: as [`Self::of`], the sums in lanes.
    pub fn of_slice(values: &[f64]) -> Self {
        dispatch(Slice(values))
    }

    /// In two passes, with the first value as pilot: large offsets cost nothing, and equal values have
    /// squares of exactly 0.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let Some(pilot) = values.clone().next() else { return Self::default() };
        let (mut n, mut sum) = (0u32, 0.0);
        for value in values.clone() {
            n += 1;
            sum += value - pilot;
        }
        let shift = sum / f64::from(n);
        let (mut ss, mut rest) = (0.0, 0.0);
        for value in values {
            let d = value - pilot - shift;
            ss += d * d;
            rest += d;
        }
        // What rounding left in the mean (Chan, Golub and LeVeque 1983).
        Self { n, mean: pilot + shift, ss: (ss - rest * rest / f64::from(n)).max(0.0) }
    }

    /// The moments of `values` (which are those of `self`) less the one at `index`.
    pub fn without(&self, values: &[f64], index: usize) -> Self {
        if self.n <= 1 {
            return Self::default();
        }
        let (n, rest) = (f64::from(self.n), f64::from(self.n - 1));
        let d = values[index] - self.mean;
        let ss = self.ss - d * d * (n / rest);
        if ss < DOWNDATE_LIMIT * self.ss {
            return Self::of(values[..index].iter().chain(&values[index + 1..]).copied());
        }
        Self { n: self.n - 1, mean: self.mean - d / rest, ss }
    }
}
struct Slice<'a>(&'a [f64]);

impl Kernel for Slice<'_> {
    type Output = Moments;

    #[inline(always)]
    fn run<V: Vector>(self) -> Moments {
        let Some(&pilot) = self.0.first() else { return Moments::default() };
        let (whole, rest) = self.0.as_chunks::<LANES>();
        // Lanes beyond the last value are not added.
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        let (last, there) = (V::load(&last), !(u8::MAX << rest.len()));
        let (n, pilots) = (self.0.len() as f64, V::splat(pilot));
        let mut sum = V::splat(0.0);
        for values in whole {
            sum = sum.add(V::load(values).sub(pilots));
        }
        let shift = sum.add_in(there, last.sub(pilots)).total() / n;
        let (mut squares, mut rest) = (V::splat(0.0), V::splat(0.0));
        let shifts = V::splat(shift);
        for values in whole {
            let d = V::load(values).sub(pilots).sub(shifts);
            squares = squares.add(d.mul(d));
            rest = rest.add(d);
        }
        let d = last.sub(pilots).sub(shifts);
        let (squares, rest) = (squares.add_in(there, d.mul(d)).total(), rest.add_in(there, d).total());
        // What rounding left in the mean (Chan, Golub and LeVeque 1983).
        let ss = (squares - rest * rest / n).max(0.0);
        Moments { n: self.0.len() as u32, mean: pilot + shift, ss }
    }
}
