//! The log odds of a label by the logits of many shadows.

/// Per-shadow intermediate values.
#[derive(Default)]
pub(crate) struct Scratch {
    highest: Vec<f64>,
    total: Vec<f64>,
    /// 0, or NaN where a logit is not finite.
    finite: Vec<f64>,
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
            for ((phi, &z), &other) in out.iter_mut().zip(own).zip(other) {
                let odds = z.into() - other.into();
                *phi = if odds.is_finite() { odds } else { f64::NAN };
            }
        }
        _ => {
            scratch.highest_other(logits, shadows, label);
            scratch.total.clear();
            scratch.total.resize(shadows, 0.0);
            scratch.finite.clear();
            scratch.finite.resize(shadows, 0.0);
            for (class, row) in logits.chunks_exact(shadows).enumerate() {
                for (finite, &z) in scratch.finite.iter_mut().zip(row) {
                    *finite += 0.0 * z.into();
                }
                if class != label {
                    for ((total, &highest), &z) in scratch.total.iter_mut().zip(&scratch.highest).zip(row) {
                        *total += libm::exp((z.into() - highest) / temperature);
                    }
                }
            }
            let own = &logits[label * shadows..(label + 1) * shadows];
            for (shadow, (phi, &z)) in out.iter_mut().zip(own).enumerate() {
                let odds =
                    (z.into() - scratch.highest[shadow]) - temperature * libm::log(scratch.total[shadow]);
                *phi = odds + scratch.finite[shadow];
            }
        }
    }
    if temperature != 1.0 {
        out.iter_mut().for_each(|phi| *phi /= temperature);
    }
}

/// phi of one sigmoid: z if the label holds, else -z; NaN where z is not finite.
pub(crate) fn signed<T: Copy + Into<f64>>(logits: &[T], holds: bool, out: &mut [f64]) {
    let sign = if holds { 1.0 } else { -1.0 };
    for (phi, &z) in out.iter_mut().zip(logits) {
        let z = z.into();
        *phi = if z.is_finite() { sign * z } else { f64::NAN };
    }
}

impl Scratch {
    /// The highest logit of each shadow among the classes other than the label.
    pub fn highest_other<T: Copy + Into<f64>>(
        &mut self,
        logits: &[T],
        shadows: usize,
        label: usize,
    ) -> &[f64] {
        self.highest.clear();
        self.highest.resize(shadows, f64::NEG_INFINITY);
        for (_, row) in logits.chunks_exact(shadows).enumerate().filter(|(class, _)| *class != label) {
            for (highest, &z) in self.highest.iter_mut().zip(row) {
                let z = z.into();
                *highest = if z > *highest { z } else { *highest };
            }
        }
        &self.highest
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
}
