//! The log odds of a label by the logits of many shadows.

use crate::lanes::{Kernel, Vector, dispatch, exp, ln};

/// Per-shadow intermediate values.
#[derive(Default)]
pub(crate) struct Scratch {
    highest: Vec<f64>,
    total: Vec<f64>,
}

/// phi for logits `[class][shadow]` at a temperature: z_y - ln(sum over c != y of exp z_c) with z the
/// logits over the temperature, or (2y - 1) z for one logit. NaN where any of a shadow's logits is not
/// finite.
pub(crate) fn log_odds<T: Copy + Into<f64>>(
    logits: &[T],
    shadows: usize,
    label: usize,
    temperature: f64,
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    match logits.len() / shadows {
        1 => signed(logits, label == 1, out),
        2 => {
            let (own, other) = (&logits[label * shadows..], &logits[(1 - label) * shadows..]);
            dispatch(Difference { own, other, out });
        }
        _ => {
            scratch.highest.resize(shadows, 0.0);
            scratch.total.resize(shadows, 0.0);
            let Scratch { highest, total } = scratch;
            dispatch(Softmax { logits, shadows, label, inverse: 1.0 / temperature, highest, total, out });
        }
    }
    if temperature != 1.0 {
        out.iter_mut().for_each(|phi| *phi /= temperature);
    }
}

/// phi of one sigmoid: z if the label holds, else -z; NaN where z is not finite.
pub(crate) fn signed<T: Copy + Into<f64>>(logits: &[T], holds: bool, out: &mut [f64]) {
    dispatch(Signed { logits, sign: if holds { 1.0 } else { -1.0 }, out });
}

struct Signed<'a, T> {
    logits: &'a [T],
    sign: f64,
    out: &'a mut [f64],
}

impl<T: Copy + Into<f64>> Kernel for Signed<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for (phi, &z) in self.out.iter_mut().zip(self.logits) {
            let z = z.into();
            *phi = if z.is_finite() { self.sign * z } else { f64::NAN };
        }
    }
}

struct Difference<'a, T> {
    own: &'a [T],
    other: &'a [T],
    out: &'a mut [f64],
}

impl<T: Copy + Into<f64>> Kernel for Difference<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for ((phi, &own), &other) in self.out.iter_mut().zip(self.own).zip(self.other) {
            let odds = own.into() - other.into();
            *phi = if odds.is_finite() { odds } else { f64::NAN };
        }
    }
}

/// Temperature times the log odds, for three classes or more.
struct Softmax<'a, T> {
    logits: &'a [T],
    shadows: usize,
    label: usize,
    /// One over the temperature.
    inverse: f64,
    highest: &'a mut [f64],
    total: &'a mut [f64],
    out: &'a mut [f64],
}

impl<T: Copy + Into<f64>> Kernel for Softmax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { logits, shadows, label, inverse, highest, total, out } = self;
        highest.fill(f64::NEG_INFINITY);
        total.fill(0.0);
        let own = &logits[label * shadows..(label + 1) * shadows];
        // 0, or NaN where a logit is not finite.
        out.fill(0.0);
        for (class, row) in logits.chunks_exact(shadows).enumerate() {
            for (finite, &z) in out.iter_mut().zip(row) {
                *finite += 0.0 * z.into();
            }
            if class != label {
                raise(highest, row);
            }
        }
        for (_, row) in logits.chunks_exact(shadows).enumerate().filter(|(class, _)| *class != label) {
            for ((total, &highest), &z) in total.iter_mut().zip(&*highest).zip(row) {
                *total += exp((z.into() - highest) * inverse);
            }
        }
        let others = highest.iter().zip(&*total);
        for ((phi, &z), (&highest, &total)) in out.iter_mut().zip(own).zip(others) {
            *phi += (z.into() - highest) - ln(total) / inverse;
        }
    }
}

/// Takes the higher one, shadow by shadow.
#[inline(always)]
fn raise<T: Copy + Into<f64>>(highest: &mut [f64], row: &[T]) {
    for (highest, &z) in highest.iter_mut().zip(row) {
        let z = z.into();
        *highest = if z > *highest { z } else { *highest };
    }
}

/// The highest logit of each shadow among the classes other than the label.
pub(crate) fn highest_other<T: Copy + Into<f64>>(
    logits: &[T],
    shadows: usize,
    label: usize,
    out: &mut [f64],
) {
    out.fill(f64::NEG_INFINITY);
    for (_, row) in logits.chunks_exact(shadows).enumerate().filter(|(class, _)| *class != label) {
        raise(out, row);
    }
}

/// [`log_odds`] of one shadow.
#[cfg(test)]
pub(crate) fn log_odds_of(logits: &[f64], label: usize) -> f64 {
    let mut out = [0.0];
    log_odds(logits, 1, label, 1.0, &mut Scratch::default(), &mut out);
    out[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_non_finite_logit_makes_the_signal_absent() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(log_odds_of(&[bad], 1).is_nan());
            assert!(log_odds_of(&[bad, 1.0], 0).is_nan());
            assert!(log_odds_of(&[bad, 1.0], 1).is_nan());
            assert!(log_odds_of(&[0.5, bad, 1.0], 0).is_nan());
            assert!(log_odds_of(&[0.5, bad, 1.0], 1).is_nan());
        }
    }

    /// Expected: scipy 1.17.1, z / T less the logsumexp of the others.
    #[test]
    fn a_temperature_divides_the_logits() {
        for (temperature, right) in [(1.0, -0.701_413_277_982_752_4), (2.0, -0.636_871_006_114_899_9)] {
            let mut out = [0.0];
            log_odds(&[0.5f32, 1.0, -0.5], 1, 0, temperature, &mut Scratch::default(), &mut out);
            assert!((out[0] - right).abs() < 1e-15, "{} is not {right}", out[0]);
        }
    }
}
