//! Likelihood ratios of probabilities that are too small for an f64, from their logarithms.

use super::likelihood::Mixture;

/// The shadows of one side that are there: the sum of their probabilities in units of the largest.
struct Side {
    ln_largest: f64,
    sum: f64,
    count: usize,
}

impl Side {
    fn of(ln_p: impl Iterator<Item = f64> + Clone) -> Self {
        let ln_largest = ln_p.clone().fold(f64::NEG_INFINITY, f64::max);
        let (sum, count) = ln_p.fold((0.0, 0), |(sum, n), ln| (sum + libm::exp(ln - ln_largest), n + 1));
        Self { ln_largest, sum, count }
    }

    /// ln of the mean; NaN without any.
    fn ln_mean(&self) -> f64 {
        self.ln_largest + libm::log(self.sum / self.count as f64)
    }
}

/// ln (p_t / mixture of the others) for every shadow t, from ln p (NaN where absent) and 1 for IN or 0 for
/// OUT.
pub(crate) fn ln_ratios(ln_p: &[f64], inside: &[f64], mixture: Mixture, out: &mut [f64]) {
    let there = |is_in: f64, but: usize| {
        (0..ln_p.len())
            .filter(move |&s| s != but && inside[s] == is_in && ln_p[s].is_finite())
            .map(|s| ln_p[s])
    };
    // [OUT, IN]
    let sides = [0.0, 1.0].map(|is_in| Side::of(there(is_in, usize::MAX)));
    for target in 0..ln_p.len() {
        let own = usize::from(inside[target] > 0.0);
        let Side { ln_largest, sum, count } = sides[own];
        let share = libm::exp(ln_p[target] - ln_largest);
        let rest = if 2.0 * share > sum {
            // Taking it away would leave too few digits, and happens to one target of a side at most.
            Side::of(there(inside[target], target))
        } else {
            Side { ln_largest, sum: sum - share, count: count.saturating_sub(1) }
        };
        let (ln_own, ln_other) = (rest.ln_mean(), sides[1 - own].ln_mean());
        let (ln_in, ln_out) = if own == 1 { (ln_own, ln_other) } else { (ln_other, ln_own) };
        let ln_mixture = match mixture {
            Mixture::Halves => ln_mean([ln_in, ln_out].into_iter()),
            Mixture::Outside { a } if a < 1.0 => libm::log(0.5 * ((1.0 + a) * libm::exp(ln_out) + (1.0 - a))),
            Mixture::Outside { .. } => ln_out,
        };
        out[target] = ln_p[target] - ln_mixture;
    }
}

/// ln of the mean of numbers given by their logarithms; NaN without any, or if one is NaN.
pub(crate) fn ln_mean(ln: impl Iterator<Item = f64> + Clone) -> f64 {
    Side::of(ln).ln_mean()
}

/// ln sigmoid(odds), which is never 0.
pub(crate) fn ln_sigmoid(odds: f64) -> f64 {
    odds.min(0.0) - libm::log1p(libm::exp(-odds.abs()))
}
