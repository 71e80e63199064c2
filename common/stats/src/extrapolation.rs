//! The true positive rate of one record at false positive rates far below what its shadows can show, as two
//! normal distributions extrapolate it; and what the same figure is where nothing leaks.

use crate::analysis::Extrapolation;
use crate::special::normal_cdf;

/// Normal quantiles of [`crate::analysis::EXTRAPOLATED_FPRS`], .01 and .001.
pub(crate) const QUANTILES: [f64; 2] = [-2.326_347_874_040_841, -3.090_232_306_167_813_5];

/// Phi((mean_in - mean_out + sd_out Phi^-1(f)) / sd_in), the false positive rate f given by its quantile.
pub(crate) fn tpr(mean_in: f64, sd_in: f64, mean_out: f64, sd_out: f64, quantile: f64) -> f64 {
    normal_cdf((mean_in - mean_out + sd_out * quantile) / sd_in)
}

/// The nulls at both rates for a record of which every shadow gives a signal, by the (IN, OUT) shadows of
/// its strata.
pub(crate) fn nulls(strata: &[(u32, u32)]) -> Extrapolation {
    let (n_in, n_out) = strata.iter().fold((0, 0), |(a, b), &(m, n)| (a + m, b + n));
    let nulls = QUANTILES.map(|quantile| null(n_in, n_out, quantile));
    Extrapolation { n_in, n_out, null_mean: nulls.map(|null| null.0), null_p99: nulls.map(|null| null.1) }
}

/// The mean and the 99th percentile of [`tpr`] over records that do not leak, from normal signals of `n_in`
/// and `n_out` shadows; NaN where a side has fewer than two.
///
/// The difference of the means is normal with variance v = 1/n_in + 1/n_out, and the standard deviations
/// are roots of chi squares. Given these the mean over the former is Phi(sd_out z / sqrt(sd_in^2 + v)), and
/// the chance of more than t is Phi((sd_out z - sd_in Phi^-1(t)) / sqrt(v)); what is left is integrated over
/// both.
fn null(n_in: u32, n_out: u32, quantile: f64) -> (f64, f64) {
    if n_in < 2 || n_out < 2 {
        return (f64::NAN, f64::NAN);
    }
    let v = 1.0 / f64::from(n_in) + 1.0 / f64::from(n_out);
    let (inside, outside) = (Deviation::nodes(n_in - 1), Deviation::nodes(n_out - 1));
    let expect = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        let over = |a: &Deviation| outside.iter().map(|b| b.weight * of(a.value, b.value)).sum::<f64>();
        inside.iter().map(|a| a.weight * over(a)).sum()
    };
    let mean = expect(&|sd_in, sd_out| normal_cdf(sd_out * quantile / (sd_in * sd_in + v).sqrt()));
    // The 99th percentile by its own quantile x = Phi^-1(t).
    let above =
        |x: f64| expect(&|sd_in, sd_out| normal_cdf((sd_out * quantile - sd_in * x) / v.sqrt())) - 0.01;
    (mean, normal_cdf(falling_zero(&above, -40.0, 40.0)))
}

/// Where a falling function is 0, between `low` and `high`: by halves to within a step or so, then by the
/// rule of false position as the Illinois algorithm mends it (Dowell and Jarratt 1971,
/// doi 10.1007/BF01934364).
fn falling_zero(f: &dyn Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    while high - low > 1.5 {
        let middle = 0.5 * (low + high);
        if f(middle) > 0.0 { low = middle } else { high = middle }
    }
    let (mut f_low, mut f_high) = (f(low), f(high));
    for _ in 0..60 {
        let x = (low * f_high - high * f_low) / (f_high - f_low);
        let fx = f(x);
        if fx == 0.0 || (high - low).abs() < 1e-12 || x == low || x == high {
            return x;
        }
        if fx > 0.0 {
            (low, f_low, f_high) = (x, fx, 0.5 * f_high);
        } else {
            (high, f_high, f_low) = (x, fx, 0.5 * f_low);
        }
    }
    0.5 * (low + high)
}

/// A standard deviation and its weight in the mean over all.
struct Deviation {
    value: f64,
    weight: f64,
}

impl Deviation {
    /// The distribution of the root of chi^2 / degrees. Its logarithm y has a density proportional to
    /// exp(degrees (y - e^(2 y) / 2)), smooth and with thin tails, for which equal steps are as good as any rule.
    fn nodes(degrees: u32) -> Vec<Self> {
        // Some third of a standard deviation apart, which leaves less than rounding; but with few degrees the
        // distribution is far from a normal one.
        let nodes = if degrees < 16 { 96 } else { 48 };
        let degrees = f64::from(degrees);
        let ln_density = |y: f64| degrees * (y - 0.5 * libm::exp(2.0 * y) + 0.5);
        // Beyond, the density is below e^-34 of its highest.
        let reach = 34.0 / degrees;
        let (low, high) = (-reach - reach.sqrt(), reach.sqrt());
        let at = |i: usize| low + (high - low) * i as f64 / (nodes - 1) as f64;
        let total: f64 = (0..nodes).map(|i| libm::exp(ln_density(at(i)))).sum();
        (0..nodes)
            .map(|i| Self { value: libm::exp(at(i)), weight: libm::exp(ln_density(at(i))) / total })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: 4 million simulated records by `vectors/patient_reference.py` (numpy 2.4.6), to the digits
    /// of its standard error.
    #[test]
    fn the_null_is_that_of_simulation() {
        for (n_in, n_out, at, mean, p99) in SIMULATED {
            let found = null(n_in, n_out, QUANTILES[at]);
            assert!((found.0 / mean - 1.0).abs() < 0.01, "{n_in}/{n_out}: mean {}, not {mean}", found.0);
            assert!((found.1 / p99 - 1.0).abs() < 0.02, "{n_in}/{n_out}: p99 {}, not {p99}", found.1);
        }
        assert!(null(1, 8, QUANTILES[0]).0.is_nan());
    }

    const SIMULATED: [(u32, u32, usize, f64, f64); 5] = [
        (32, 32, 1, 0.00323, 0.02981),
        (32, 32, 0, 0.01640, 0.08884),
        (8, 8, 1, 0.01523, 0.19444),
        (64, 60, 0, 0.01330, 0.05497),
        (3, 2, 0, 0.16170, 0.99193),
    ];
}
