//! Shrunk variances: each record's variance is drawn towards a common one, and the score takes the
//! uncertainty of mean and variance into account.
//!
//! The model (Smyth 2004, doi 10.2202/1544-6115.1027, section 3): the sample variance s2 of a side with
//! nu = n - 1 degrees of freedom is sigma2 chi2(nu) / nu, and 1 / sigma2 is chi2(d0) / (d0 s0^2) over
//! the records. Given d0 and s0^2 a further value of that side is t distributed, with d0 + nu degrees.

use crate::special::{digamma, half_ln_two_pi, ln_gamma, trigamma, trigamma_inverse};

/// Log-moments of the sample variance, by the number of references.
#[derive(Debug, Clone)]
pub(crate) struct LogChi {
    /// digamma(nu / 2) - ln(nu / 2) at index n = nu + 1, for n >= 2.
    shift: Vec<f64>,
    /// trigamma(nu / 2).
    spread: Vec<f64>,
}

impl LogChi {
    /// For up to `most` references.
    pub fn new(most: usize) -> Self {
        let by_n = |f: fn(f64) -> f64| {
            (0..=most).map(|n| if n < 2 { f64::NAN } else { f((n - 1) as f64 / 2.0) }).collect()
        };
        Self { shift: by_n(|half_nu| digamma(half_nu) - libm::log(half_nu)), spread: by_n(trigamma) }
    }
}

/// Sums over records for one target and side: number, e - c, (e - c)^2 and trigamma(nu / 2), where
/// e = ln s2 - digamma(nu / 2) + ln(nu / 2) estimates ln sigma2 without bias, and c is a pilot.
pub(crate) const SUMS: usize = 4;

/// Adds one sample variance, on `n` references.
pub(crate) fn observe(chi: &LogChi, n: u32, ln_s2: f64, pilot: f64, sums: [&mut f64; SUMS]) {
    let e = ln_s2 - chi.shift[n as usize] - pilot;
    if e.is_finite() {
        let [count, first, second, spread] = sums;
        *count += 1.0;
        *first += e;
        *second += e * e;
        *spread += chi.spread[n as usize];
    }
}

/// Numbers of references for which a [`Predictive`] keeps constants ready.
const READY: u32 = 16;

/// The predictive distribution of one target and side, up to the reference set's moments.
#[derive(Debug, Clone)]
pub(crate) struct Predictive {
    /// Prior degrees of freedom; infinite if the variances differ no more than by sampling.
    pub d0: f64,
    /// Prior variance.
    pub s02: f64,
    /// The first number of references with ready constants.
    first: u32,
    ready: Vec<Constants>,
}

/// What the density needs besides z: (nu + 1) / 2 and nu for nu = d0 + n - 1, and the log of the
/// normalisation of the t density.
#[derive(Debug, Clone, Copy)]
struct Constants {
    half_power: f64,
    degrees: f64,
    ln_norm: f64,
}

impl Predictive {
    /// Fits d0 and s0^2 (Smyth 2004, section 6.2) to the sums; `None` without any variance. `most` is
    /// the largest number of references a side can have.
    pub fn fit([count, first, second, spread]: [f64; SUMS], pilot: f64, most: u32) -> Option<Self> {
        if count < 1.0 {
            return None;
        }
        let mean = first / count;
        let excess =
            if count < 2.0 { 0.0 } else { (second - count * mean * mean) / (count - 1.0) - spread / count };
        let (d0, correction) = if excess > 0.0 {
            let half = trigamma_inverse(excess);
            (2.0 * half, digamma(half) - libm::log(half))
        } else {
            (f64::INFINITY, 0.0)
        };
        let s02 = libm::exp(mean + pilot + correction);
        let first = (most + 1).saturating_sub(READY).max(2);
        let ready = (first..=most).map(|n| Constants::new(d0, n)).collect();
        Some(Self { d0, s02, first, ready })
    }

    /// ln of the density of a target's value given `n` references with that `mean` and sample variance
    /// `s2` (divisor n - 1), under a flat prior on the mean.
    pub fn ln_density(&self, x: f64, n: u32, mean: f64, s2: f64) -> f64 {
        let (n_real, nu) = (f64::from(n), f64::from(n - 1));
        let shrunk =
            if self.d0.is_finite() { (self.d0 * self.s02 + nu * s2) / (self.d0 + nu) } else { self.s02 };
        let scale2 = shrunk * (1.0 + 1.0 / n_real);
        let d = x - mean;
        let z2 = d * d / scale2;
        if !self.d0.is_finite() {
            return -0.5 * (z2 + libm::log(scale2)) - half_ln_two_pi();
        }
        let constants = match n.checked_sub(self.first).and_then(|index| self.ready.get(index as usize)) {
            Some(constants) => *constants,
            None => Constants::new(self.d0, n),
        };
        constants.ln_norm
            - 0.5 * libm::log(scale2)
            - constants.half_power * libm::log1p(z2 / constants.degrees)
    }
}

impl Constants {
    fn new(d0: f64, n: u32) -> Self {
        let degrees = d0 + f64::from(n - 1);
        let half = 0.5 * degrees;
        // ln gamma(half + 1/2) - ln gamma(half) loses digits for large arguments, where its asymptotic
        // series (Abramowitz and Stegun 6.1.47) has none to lose.
        let ratio = if half > 100.0 {
            let y = 1.0 / (half * half);
            0.5 * libm::log(half) - (1.0 / 8.0 - y * (1.0 / 192.0 - y / 640.0)) / half
        } else {
            ln_gamma(half + 0.5) - ln_gamma(half)
        };
        Self {
            half_power: half + 0.5,
            degrees,
            ln_norm: ratio - 0.5 * libm::log(degrees * std::f64::consts::PI),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_core::seed::{Purpose, Seed};

    /// A chi-squared number with whole degrees of freedom.
    fn chi2(degrees: u32, normal: &mut impl FnMut() -> f64) -> f64 {
        (0..degrees).map(|_| normal()).map(|x| x * x).sum()
    }

    /// The model itself, with d0 = 6, s0^2 = 2 and 8 references: the prior is found again, and a new
    /// value falls beyond its .999 quantile once in a thousand times.
    #[test]
    fn the_prior_is_recovered_and_the_tail_is_right() {
        let (n, d0, s02, records) = (8u32, 6u32, 2.0, 200_000);
        let mut stream = Seed::new(4).stream(Purpose::Simulation, &[]);
        let mut normal = || stream.normal_f64();
        let chi = LogChi::new(n as usize);
        let pilot = 0.3;
        let (mut sums, mut drawn) = ([0.0; SUMS], Vec::new());
        for _ in 0..records {
            let sigma2 = f64::from(d0) * s02 / chi2(d0, &mut normal);
            let s2 = sigma2 * chi2(n - 1, &mut normal) / f64::from(n - 1);
            let error = normal() * (sigma2 * (1.0 + 1.0 / f64::from(n))).sqrt();
            observe(&chi, n, libm::log(s2), pilot, sums.each_mut());
            drawn.push((s2, error));
        }
        let fitted = Predictive::fit(sums, pilot, n).unwrap();
        assert!((fitted.d0 - 6.0).abs() < 0.15 && (fitted.s02 - 2.0).abs() < 0.02, "{fitted:?}");
        // The .999 quantile of t with 13 degrees of freedom: scipy 1.17.1, stats.t.isf(.001, 13).
        let quantile = 3.851_982_391;
        let beyond = drawn.iter().filter(|(s2, error)| {
            let shrunk = (fitted.d0 * fitted.s02 + 7.0 * s2) / (fitted.d0 + 7.0);
            error / (shrunk * 1.125).sqrt() > quantile
        });
        let share = beyond.count() as f64 / f64::from(records);
        assert!((share - 0.001).abs() < 0.00028, "{share}");
    }

    /// Expected: scipy 1.17.1, stats.t.logpdf(2.5, d0 + 7, .5, scale) and stats.norm.logpdf; for the large
    /// degrees, where scipy is good to 1e-14 only, mpmath.
    #[test]
    fn the_density_is_that_of_scipy() {
        for (d0, right) in [
            (6.0, -2.5807636075848235),
            (0.25, -2.8415376691968013),
            (3e4, -2.3658234051555236),
            (3e6, -2.365748546535266),
            (f64::INFINITY, -2.365747790272132),
        ] {
            let predictive = Predictive { d0, s02: 1.5, first: 2, ready: Vec::new() };
            let found = predictive.ln_density(2.5, 8, 0.5, 0.8);
            assert!((found - right).abs() < 1e-13, "{d0}: {found} is not {right}");
        }
    }
}
