//! The binomial distribution and its confidence limits, through the incomplete beta function.

use crate::special::stirling_error;

/// Terms after which the continued fraction is given up; it takes some sqrt(n) of them.
const TERMS: usize = 100_000;

/// P(X >= k) for X successes in n trials with chance p: the regularised incomplete beta function
/// I_p(k, n - k + 1).
pub(crate) fn binomial_upper(k: u64, n: u64, p: f64) -> f64 {
    match k {
        0 => 1.0,
        _ if k > n => 0.0,
        _ => regularised_beta(p, k, n - k + 1),
    }
}

/// The lower limit of a chance after `k` successes in `n` trials, with error rate `alpha` (Clopper and
/// Pearson 1934, doi 10.1093/biomet/26.4.404): the p at which P(X >= k) is alpha; 0 for k = 0.
pub(crate) fn chance_lower(k: u64, n: u64, alpha: f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    if k == n {
        return libm::exp(libm::log(alpha) / n as f64);
    }
    // P(X >= k) grows with p from 0 to 1; some 60 halvings reach neighbouring numbers.
    let (mut low, mut high) = (0.0, k as f64 / n as f64);
    if binomial_upper(k, n, high) <= alpha {
        (low, high) = (high, 1.0);
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if binomial_upper(k, n, middle) <= alpha { low = middle } else { high = middle }
    }
    low
}

/// I_x(a, b): the continued fraction 26.5.8 of Abramowitz and Stegun, by the modified method of Lentz.
fn regularised_beta(x: f64, a: u64, b: u64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast below the mean.
    if x > (a + 1) as f64 / (a + b + 2) as f64 { 1.0 - fraction(1.0 - x, b, a) } else { fraction(x, a, b) }
}

fn fraction(x: f64, a: u64, b: u64) -> f64 {
    let front = ln_front(x, a, b);
    let (a, b) = (a as f64, b as f64);
    let tiny = 1e-300;
    let (mut c, mut d) = (1.0f64, 1.0 - (a + b) * x / (a + 1.0));
    d = 1.0 / if d.abs() < tiny { tiny } else { d };
    let mut value = d;
    for m in 1..TERMS {
        let m = m as f64;
        let mut factor = 1.0;
        for coefficient in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 + coefficient * d;
            c = 1.0 + coefficient / c;
            d = 1.0 / if d.abs() < tiny { tiny } else { d };
            c = if c.abs() < tiny { tiny } else { c };
            factor = d * c;
            value *= factor;
        }
        if (factor - 1.0).abs() <= 1e-16 {
            break;
        }
    }
    libm::exp(front) * value / a
}

/// ln of x^a (1 - x)^b / B(a, b), without the difference of large logarithms of gamma functions: by the
/// deviances from the mean (Loader 2000, "Fast and accurate computation of binomial probabilities").
fn ln_front(x: f64, a: u64, b: u64) -> f64 {
    // The errors of Gamma(z) and of z! = z Gamma(z) are the same.
    let errors = stirling_error(a + b) - stirling_error(a) - stirling_error(b);
    let (a, b) = (a as f64, b as f64);
    let n = a + b;
    let deviance = |k: f64, mean: f64| {
        // k ln(k / mean) + mean - k.
        let t = (mean - k) / k;
        -k * (log1p_less(t))
    };
    // Stirling: Gamma(n) / (Gamma(a) Gamma(b)) = sqrt(a b / (2 pi n)) n^n / (a^a b^b) exp(error).
    let ln_root = 0.5 * libm::log(a * b / (2.0 * std::f64::consts::PI * n));
    ln_root + errors - deviance(a, n * x) - deviance(b, n * (1.0 - x))
}

/// ln(1 + t) - t.
fn log1p_less(t: f64) -> f64 {
    if t.abs() > 0.1 {
        return libm::log1p(t) - t;
    }
    // -t^2/2 + t^3/3 - ...
    let (mut power, mut sum) = (t, 0.0);
    for k in 2..40 {
        power *= -t;
        sum += power / f64::from(k);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `vectors/patient_reference.py` (scipy 1.17.1, stats.binom.sf and stats.beta.ppf).
    #[test]
    fn values_are_those_of_scipy() {
        for (k, n, p, expected) in UPPER {
            let found = binomial_upper(k, n, p);
            assert!((found / expected - 1.0).abs() < 1e-11, "{k} of {n} at {p}: {found}, not {expected}");
        }
        for (k, n, alpha, low, high) in LIMITS {
            let found = (chance_lower(k, n, alpha), 1.0 - chance_lower(n - k, n, alpha));
            assert!((found.0 - low).abs() < 1e-12 && (found.1 - high).abs() < 1e-12, "{k} of {n}: {found:?}");
        }
    }

    const UPPER: [(u64, u64, f64, f64); 8] = [
        (1, 1, 0.3, 0.3),
        (3, 10, 0.5, 0.9453125),
        (30, 32, 0.6, 1.9321860583592076e-05),
        (64, 128, 0.5, 0.5351930460850077),
        (1, 100000, 1e-06, 0.09516262720594036),
        (120, 9105, 0.01, 0.0020153672663522954),
        (5004000, 10000000, 0.5, 0.005711160820585599),
        (2000, 10000000, 0.0001, 2.909023489390384e-170),
    ];

    const LIMITS: [(u64, u64, f64, f64, f64); 6] = [
        (0, 32, 0.025, 0.0, 0.1088811606793529),
        (32, 32, 0.025, 0.8911188393206471, 1.0),
        (20, 32, 0.025, 0.43692245509692657, 0.7889996835760071),
        (1, 64, 0.001, 1.5632695520384635e-05, 0.1353465323593512),
        (127, 128, 2.5e-06, 0.8840291822466863, 0.9999999804687257),
        (4552, 9105, 0.01, 0.48770233624740206, 0.5121878818134848),
    ];
}
