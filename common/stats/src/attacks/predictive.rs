//! Shrunk variances: each record's variance is drawn towards a common one, and the score takes the
//! uncertainty of mean and variance into account.
//!
//! The model (Smyth 2004, doi 10.2202/1544-6115.1027, section 3): the sample variance s2 of a side with
//! nu = n - 1 degrees of freedom is sigma2 chi2(nu) / nu, and 1 / sigma2 is chi2(d0) / (d0 s0^2) over
//! the records. Given d0 and s0^2 a further value of that side is t distributed, with d0 + nu degrees.

use std::ops::Range;
use std::sync::OnceLock;

use crate::lanes::{Column, ln_1p};
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

    /// Shift and spread for `n` references, NaN for fewer than 2.
    #[inline]
    pub fn of(&self, n: u32) -> (f64, f64) {
        (self.shift[n as usize], self.spread[n as usize])
    }
}

/// Sums over records for one target and side: number, e - c, (e - c)^2 and trigamma(nu / 2), where
/// e = ln s2 - digamma(nu / 2) + ln(nu / 2) estimates ln sigma2 without bias, and c is a pilot.
pub(crate) const SUMS: usize = 4;

/// The prior of one side, for every target: d0 and s0^2, as columns in the form that the density takes.
///
/// With A = (d0 s0^2 + nu s2)(1 + 1/n) the predictive density of a value at deviation d from the mean of n
/// others is t with d0 + nu degrees of freedom and squared scale A / (d0 + nu):
///
/// ln p = ln Gamma((d0 + n) / 2) - ln Gamma((d0 + nu) / 2) - ln(pi) / 2 - ln(A) / 2
///        - (d0 + n) / 2 ln(1 + d^2 / A)
///
/// and where d0 is infinite it is the normal one with variance A = s0^2 (1 + 1/n).
#[derive(Debug, Default)]
pub(crate) struct Prior {
    /// d0 s0^2; s0^2 where d0 is infinite.
    base: Column,
    /// What nu s2 counts: 1; 0 where d0 is infinite.
    weight: Column,
    /// d0 / 2, 0 where it is infinite.
    half_d0: Column,
    /// d0, infinite if the variances differ no more than by sampling.
    d0: Column,
    /// The gamma functions and pi, by the number of references n; made when first asked for.
    norms: Vec<OnceLock<Column>>,
}

impl Prior {
    /// Fits d0 and s0^2 (Smyth 2004, section 6.2) to the sums of every target, NaN where there is none.
    pub fn fit(targets: usize, sums: impl Fn(usize) -> [f64; SUMS], pilots: &[f64]) -> Self {
        let fits = (0..targets).map(|target| fit(sums(target), pilots[target]));
        Self::new(fits)
    }

    fn new(fits: impl Iterator<Item = (f64, f64)>) -> Self {
        let fits: Vec<(f64, f64)> = fits.collect();
        let column = |of: fn(f64, f64) -> f64| fits.iter().map(|&(d0, s02)| of(d0, s02)).collect();
        let mut prior = Self {
            base: column(|d0, s02| if d0.is_finite() { d0 * s02 } else { s02 }),
            weight: column(|d0, _| if d0.is_finite() { 1.0 } else { 0.0 }),
            half_d0: column(|d0, _| if d0.is_finite() { 0.5 * d0 } else { 0.0 }),
            d0: column(|d0, _| d0),
            norms: Vec::new(),
        };
        // A side has fewer references than there are targets.
        prior.norms.resize_with(prior.d0.len() + 1, OnceLock::new);
        prior
    }

    /// What the density needs, for some of the targets and `n` references.
    #[inline]
    pub fn with(&self, n: u32, targets: Range<usize>) -> Given<'_> {
        let norms = self.norms[n as usize].get_or_init(|| self.d0.iter().map(|&d0| norm(d0, n)).collect());
        let n = f64::from(n);
        Given {
            base: &self.base[targets.clone()],
            weight: &self.weight[targets.clone()],
            half_d0: &self.half_d0[targets.clone()],
            norm: &norms[targets],
            nu: n - 1.0,
            half_n: 0.5 * n,
            grown: 1.0 + 1.0 / n,
        }
    }
}

/// The prior of some targets, for one number of references.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    base: &'a [f64],
    weight: &'a [f64],
    half_d0: &'a [f64],
    norm: &'a [f64],
    nu: f64,
    half_n: f64,
    grown: f64,
}

/// The prior of one target, for one number of references.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of {
    base: f64,
    weight: f64,
    half_power: f64,
    norm: f64,
    nu: f64,
    grown: f64,
}

impl Given<'_> {
    /// The same for the targets it has in common with others.
    #[inline(always)]
    pub fn cut(self, length: usize) -> Self {
        Self {
            base: &self.base[..length],
            weight: &self.weight[..length],
            half_d0: &self.half_d0[..length],
            norm: &self.norm[..length],
            ..self
        }
    }

    #[inline(always)]
    pub fn of(&self, target: usize) -> Of {
        Of {
            base: self.base[target],
            weight: self.weight[target],
            half_power: self.half_d0[target] + self.half_n,
            norm: self.norm[target],
            nu: self.nu,
            grown: self.grown,
        }
    }
}

impl Of {
    /// That of `target` among the first of two sets of targets, or among the second.
    #[inline(always)]
    pub fn pick(first: bool, [a, b]: [Given<'_>; 2], target: usize) -> Self {
        let (a, b) = (a.of(target), b.of(target));
        let pick = |a: f64, b: f64| if first { a } else { b };
        Self {
            base: pick(a.base, b.base),
            weight: pick(a.weight, b.weight),
            half_power: pick(a.half_power, b.half_power),
            norm: pick(a.norm, b.norm),
            nu: pick(a.nu, b.nu),
            grown: pick(a.grown, b.grown),
        }
    }

    /// A, for the sample variance `s2` (divisor n - 1).
    #[inline(always)]
    pub fn a(&self, s2: f64) -> f64 {
        (self.base + self.weight * self.nu * s2) * self.grown
    }

    /// The squared scale of the predictive density: A / (d0 + nu), or A where d0 is infinite.
    #[inline(always)]
    pub fn squared_scale(&self, a: f64) -> f64 {
        let degrees = 2.0 * self.half_power - 1.0;
        a / if self.weight != 0.0 { degrees } else { 1.0 }
    }

    /// The log density at deviation `d`, but for - ln(A) / 2.
    #[inline(always)]
    pub fn ln_density_but_scale(&self, d: f64, a: f64) -> f64 {
        let q = d * d / a;
        self.norm - if self.weight != 0.0 { self.half_power * ln_1p(q) } else { 0.5 * q }
    }
}

/// d0 and s0^2 of one target, from its sums.
fn fit([count, first, second, spread]: [f64; SUMS], pilot: f64) -> (f64, f64) {
    if count < 1.0 {
        return (f64::NAN, f64::NAN);
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
    (d0, libm::exp(mean + pilot + correction))
}

/// ln Gamma((d0 + n) / 2) - ln Gamma((d0 + n - 1) / 2) - ln(pi) / 2; - ln(2 pi) / 2 where d0 is infinite.
fn norm(d0: f64, n: u32) -> f64 {
    let half = 0.5 * (d0 + f64::from(n) - 1.0);
    if half == f64::INFINITY {
        return -half_ln_two_pi();
    }
    // The difference of the two loses digits for large arguments, where its asymptotic series (Abramowitz
    // and Stegun 6.1.47) has none to lose.
    let ratio = if half > 100.0 {
        let y = 1.0 / (half * half);
        0.5 * libm::log(half) - (1.0 / 8.0 - y * (1.0 / 192.0 - y / 640.0)) / half
    } else {
        ln_gamma(half + 0.5) - ln_gamma(half)
    };
    ratio - 0.5 * libm::log(std::f64::consts::PI)
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
            let e = libm::log(s2) - chi.of(n).0 - pilot;
            for (sum, term) in sums.iter_mut().zip([1.0, e, e * e, chi.of(n).1]) {
                *sum += term;
            }
            drawn.push((s2, error));
        }
        let fitted = fit(sums, pilot);
        assert!((fitted.0 - 6.0).abs() < 0.15 && (fitted.1 - 2.0).abs() < 0.02, "{fitted:?}");
        // The .999 quantile of t with 13 degrees of freedom: scipy 1.17.1, stats.t.isf(.001, 13).
        let quantile = 3.851_982_391;
        let beyond = drawn.iter().filter(|(s2, error)| {
            let shrunk = (fitted.0 * fitted.1 + 7.0 * s2) / (fitted.0 + 7.0);
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
            let prior = Prior::new(std::iter::repeat_n((d0, 1.5), 8));
            let of = prior.with(8, 0..8).of(3);
            let a = of.a(0.8);
            let found = of.ln_density_but_scale(2.5 - 0.5, a) - 0.5 * libm::log(a);
            assert!((found - right).abs() < 1e-13, "{d0}: {found} is not {right}");
        }
    }
}
