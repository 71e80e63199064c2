//! The likelihood-ratio attack with OUT references only (Carlini et al. 2022, arXiv 2112.03570, section
//! VI-D): how far the target's signal lies above what it would be without the record,
//! z = (phi_t - mu_out) / sd_out, mean over queries, summed over labels.
//!
//! z is written as it is: its tail probability, the paper's score, is 1 to all digits beyond 8.3.

use super::channels::Found;
use super::predictive::{Given, Of};
use super::variances::{Side, Variances, raised};
use crate::config::{Center, Counts, Variance};
use crate::design::Blocks;
use crate::lanes::{Kernel, Vector};
use crate::references::{References, Scheme, Span};
use crate::special::half_ln_two_pi;

/// Turns the scores of one record, one per shadow as the target, into z against the scores of the shadows
/// that are OUT: mean and standard deviation (divisor n) without the target and in equal numbers. Absent
/// (NaN) where a score is, and where those left do not differ.
pub(super) fn calibrate(
    scores: &[f64],
    column: &[u64],
    blocks: &Blocks,
    references: &mut References,
    out: &mut [f64],
) {
    references.fill(Scheme::OutsideOnly(Counts::Equal), Center::Mean, scores, column, blocks);
    for span in &references.spans {
        let given = Outside::new(references, span, 2);
        for (i, z) in
            out[..blocks.shadows][span.targets.start..].iter_mut().take(span.targets.len()).enumerate()
        {
            let (deviation, squares, n) = given.of(i);
            let found = deviation / (squares / n).sqrt();
            *z = if found.is_finite() { found } else { f64::NAN };
        }
    }
}

/// The distances of one channel. With [`Variance::Shrunk`] the standard deviation is the scale of the
/// predictive density, s~ sqrt(1 + 1/n); with [`Variance::Reference`] the score is the two-sided
/// - ln N(phi_t; mu_out, sd_out) of the public implementation, sd_out being one for all records.
pub(super) struct Distances<'a> {
    pub variances: &'a Variances,
    pub references: &'a References,
    pub found: &'a mut Found,
}

impl Kernel for Distances<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { variances, references, found } = self;
        let Side { pooled, floor, prior, .. } = &variances.sides[1];
        for span in &references.spans {
            let targets = span.targets.clone();
            let given = Outside::new(references, span, variances.least());
            let score = &mut found.score[targets.clone()];
            let floored = &mut found.floored[targets.clone()];
            match variances.kind {
                Variance::PerRecord => per_record(given, &floor[targets], score, floored),
                Variance::Pooled => {
                    floored.fill(0.0);
                    common(given, &pooled[targets], score);
                }
                Variance::Shrunk => {
                    let priors = [span.other[0], span.own[1]].map(|n| prior.with(n, targets.clone()));
                    shrunk(given, &floor[targets], priors, score, floored);
                }
                Variance::Reference => {
                    floored.fill(0.0);
                    let (fixed, ln_fixed) = (&variances.fixed[targets.clone()], &variances.ln_fixed[targets]);
                    two_sided(given, fixed, ln_fixed, score);
                }
            }
        }
    }
}

/// Targets of a span with what their OUT references came to: the own side of those that are OUT, the other
/// one of those that are IN.
#[derive(Clone, Copy)]
struct Outside<'a> {
    inside: &'a [f64],
    outside: &'a [f64],
    deviation: [&'a [f64]; 2],
    squares: [&'a [f64]; 2],
    /// Numbers of references for targets that are IN and for those that are OUT; NaN where too few.
    n: [f64; 2],
}

impl<'a> Outside<'a> {
    #[inline(always)]
    fn new(r: &'a References, span: &Span, least: u32) -> Self {
        let targets = span.targets.clone();
        let enough = |n: u32| if n < least { f64::NAN } else { f64::from(n) };
        Self {
            inside: &r.inside[targets.clone()],
            outside: &r.outside[targets.clone()],
            deviation: [&r.other.deviation[targets.clone()], &r.own.deviation[targets.clone()]],
            squares: [&r.other.squares[targets.clone()], &r.own.squares[targets]],
            n: [enough(span.other[0]), enough(span.own[1])],
        }
    }

    #[inline(always)]
    fn cut(self, length: usize) -> Self {
        Self {
            inside: &self.inside[..length],
            outside: &self.outside[..length],
            deviation: self.deviation.map(|column| &column[..length]),
            squares: self.squares.map(|column| &column[..length]),
            ..self
        }
    }

    /// The target's deviation, the references' squares and their number; NaN where there is no signal, or
    /// too few references.
    #[inline(always)]
    fn of(&self, target: usize) -> (f64, f64, f64) {
        let (is_in, is_out) = (self.inside[target] != 0.0, self.outside[target] != 0.0);
        let pick = |[a, b]: [f64; 2]| if is_in { a } else { b };
        let n = if is_in || is_out { pick(self.n) } else { f64::NAN };
        let [for_in, for_out] = self.deviation;
        let [squares_for_in, squares_for_out] = self.squares;
        (pick([for_in[target], for_out[target]]), pick([squares_for_in[target], squares_for_out[target]]), n)
    }
}

/// Each record's own variance, divisor n.
#[inline(always)]
fn per_record(given: Outside<'_>, floor: &[f64], score: &mut [f64], floored: &mut [f64]) {
    let length = score.len();
    let (given, floor, floored) = (given.cut(length), &floor[..length], &mut floored[..length]);
    for i in 0..length {
        let (deviation, squares, n) = given.of(i);
        let variance = squares / n;
        score[i] = deviation / raised(variance, floor[i]).sqrt();
        floored[i] = if variance < floor[i] { 1.0 } else { 0.0 };
    }
}

/// A variance that all records have in common.
#[inline(always)]
fn common(given: Outside<'_>, pooled: &[f64], score: &mut [f64]) {
    let length = score.len();
    let (given, pooled) = (given.cut(length), &pooled[..length]);
    for i in 0..length {
        let (deviation, _, n) = given.of(i);
        score[i] = if n > 0.0 { deviation / pooled[i].sqrt() } else { f64::NAN };
    }
}

/// The scale of the predictive density; `priors` are for targets that are IN and for those that are OUT.
#[inline(always)]
fn shrunk(given: Outside<'_>, floor: &[f64], priors: [Given<'_>; 2], score: &mut [f64], floored: &mut [f64]) {
    let length = score.len();
    let (given, floor, floored) = (given.cut(length), &floor[..length], &mut floored[..length]);
    let priors = priors.map(|prior| prior.cut(length));
    for i in 0..length {
        let (deviation, squares, n) = given.of(i);
        let s2 = squares / (n - 1.0);
        let prior = Of::pick(given.inside[i] != 0.0, priors, i);
        let squared_scale = prior.squared_scale(prior.a(raised(s2, floor[i])));
        score[i] = if n > 0.0 { deviation / squared_scale.sqrt() } else { f64::NAN };
        floored[i] = if s2 < floor[i] { 1.0 } else { 0.0 };
    }
}

/// - ln N, with one variance for all records.
#[inline(always)]
fn two_sided(given: Outside<'_>, fixed: &[f64], ln_fixed: &[f64], score: &mut [f64]) {
    let length = score.len();
    let (given, fixed, ln_fixed) = (given.cut(length), &fixed[..length], &ln_fixed[..length]);
    let constant = half_ln_two_pi();
    for i in 0..length {
        let (deviation, _, n) = given.of(i);
        let found = constant + 0.5 * (deviation * deviation / fixed[i] + ln_fixed[i]);
        score[i] = if n > 0.0 { found } else { f64::NAN };
    }
}
