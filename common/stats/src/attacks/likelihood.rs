//! The likelihood ratio of a record: its label's probability under the target, over what that probability
//! is under the references. Base scores are its logarithm; the robust attack compares it with a population's.
//!
//! A probability p that comes close to 1 tells nothing any more, but 1 - p does; so both are carried, each
//! to full relative precision, and so are the means over the references of both.

use crate::lanes::{Kernel, Vector, dispatch, exp, ln_1p, padded};

use super::tiny;

/// What stands for the record's probability under any model, formed from the references.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mixture {
    /// (mean_in + mean_out) / 2: both sides count the same, however many references each has.
    Halves,
    /// ((1 + a) mean_out + (1 - a)) / 2: the IN mean is guessed to be a mean_out + (1 - a)
    /// (Zarifzadeh et al. 2024, appendix B.2.2). With a = 1 it is mean_out.
    Outside {
        /// From 0 to 1.
        a: f64,
    },
}

/// Least probability whose sums and products are surely no subnormal numbers.
const TINY: f64 = 1e-250;

/// Numbers that differ by a smaller share of what they were computed from are equal: so is a record
/// compared with itself, however the two sums were rounded.
const EQUAL: f64 = 1e-13;

/// Probabilities of one record (in one query, or averaged over queries) under every shadow, and the
/// logarithms of their ratios; one buffer for many records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Likelihood {
    shadows: usize,
    /// p and 1 - p, per shadow (padded); NaN where absent.
    p: Vec<f64>,
    q: Vec<f64>,
    /// 1 for IN shadows, else 0.
    inside: Vec<f64>,
    /// ln (p_t / mixture of the others), per shadow as the target; NaN where it cannot be formed.
    ratio: Vec<f64>,
    /// How much a ratio may be off by rounding.
    slack: Vec<f64>,
    /// Queries that were averaged.
    count: Vec<f64>,
    sums: [Vec<f64>; 2],
    odds: Vec<f64>,
}

impl Likelihood {
    /// Begins a record: makes room, and takes the membership bits of its unit; without any, all shadows are
    /// OUT.
    pub fn begin(&mut self, shadows: usize, column: &[u64]) {
        self.shadows = shadows;
        let Self { p, q, inside, ratio, slack, count, sums: [p_sum, q_sum], odds, .. } = self;
        if p.len() != padded(shadows) {
            for buffer in [p, q, inside, ratio, slack, &mut *count, &mut *p_sum, &mut *q_sum, odds] {
                *buffer = vec![0.0; padded(shadows)];
            }
        }
        for sum in [count, p_sum, q_sum] {
            sum.fill(0.0);
        }
        self.inside.fill(0.0);
        for (inside, &word) in self.inside.chunks_mut(64).zip(column) {
            for (bit, inside) in inside.iter_mut().enumerate() {
                *inside = f64::from((word >> bit & 1) as u32);
            }
        }
    }

    /// Takes the probability that all labels of a query come out right: the product over `labels`, each
    /// given by its log odds per shadow.
    pub fn set<'o>(&mut self, labels: impl Iterator<Item = &'o [f64]>) {
        let mut any = false;
        for odds in labels {
            if !any {
                self.p.fill(1.0);
                self.q.fill(0.0);
                any = true;
            }
            self.odds[..self.shadows].copy_from_slice(odds);
            dispatch(Product { odds: &self.odds, p: &mut self.p, q: &mut self.q });
        }
        if !any {
            self.p.fill(f64::NAN);
        }
        self.p[self.shadows..].fill(f64::NAN);
    }

    /// Adds what [`Self::set`] took to a mean over queries, where it is there.
    pub fn add(&mut self) {
        let [p_sum, q_sum] = &mut self.sums;
        for (i, (&p, &q)) in self.p.iter().zip(&self.q).enumerate() {
            if p.is_finite() {
                p_sum[i] += p;
                q_sum[i] += q;
                self.count[i] += 1.0;
            }
        }
    }

    /// Makes the mean over the added queries what ratios are formed of.
    pub fn average(&mut self) {
        let [p_sum, q_sum] = &self.sums;
        for (i, &n) in self.count.iter().enumerate() {
            // Without any query 0 / 0: absent.
            (self.p[i], self.q[i]) = (p_sum[i] / n, q_sum[i] / n);
        }
    }

    /// Whether a probability is so small that its logarithm should have been kept in its place.
    pub fn is_tiny(&self) -> bool {
        self.p.iter().any(|&p| p < TINY)
    }

    /// Forms the log ratio of every shadow as the target, from what was set or averaged.
    pub fn form(&mut self, mixture: Mixture) {
        let Self { p, q, inside, ratio, slack, .. } = self;
        let sides = dispatch(Sides { p, q, inside });
        let dominated = dispatch(Ratios { p, q, inside, ratio, slack, sides: &sides, mixture });
        if dominated {
            for target in 0..self.shadows {
                if sides.dominates(self.p[target], self.q[target], self.inside[target]) {
                    self.recompute(target, sides, mixture);
                }
            }
        }
    }

    /// The same from logarithms of the probabilities, NaN where absent: for probabilities that are tiny.
    pub fn form_of_logs(&mut self, ln_p: &[f64], mixture: Mixture) {
        tiny::ln_ratios(ln_p, &self.inside, mixture, &mut self.ratio);
        for (slack, ln_p) in self.slack.iter_mut().zip(ln_p) {
            *slack = EQUAL * (1.0 + ln_p.abs());
        }
    }

    /// ln (p_t / mixture) per shadow as the target.
    pub fn ratios(&self) -> &[f64] {
        &self.ratio[..self.shadows]
    }

    /// How much less another log ratio must be to count as less.
    pub fn slack(&self) -> &[f64] {
        &self.slack[..self.shadows]
    }

    /// Sums up a target's own side without it: where the target holds most of the sum, taking it away
    /// leaves too few digits. On each side that is one shadow for p and one for 1 - p.
    fn recompute(&mut self, target: usize, sides: SideSums, mixture: Mixture) {
        let own = self.inside[target];
        let (mut p_rest, mut q_rest) = (0.0, 0.0);
        for s in (0..self.shadows).filter(|&s| s != target && self.inside[s] == own && self.p[s].is_finite())
        {
            p_rest += self.p[s];
            q_rest += self.q[s];
        }
        let (p, q) = (self.p[target], self.q[target]);
        let (p_mix, q_mix) = sides.mixed(mixture)[usize::from(own > 0.0)].of(p_rest, q_rest);
        (self.ratio[target], self.slack[target]) = ln_ratio(p, q, p_mix, q_mix);
    }
}

/// Multiplies p by the probability sigmoid(odds) of a further label.
struct Product<'a> {
    odds: &'a [f64],
    p: &'a mut [f64],
    q: &'a mut [f64],
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for ((&odds, p), q) in self.odds.iter().zip(self.p).zip(self.q) {
            let e = exp(-odds.abs());
            let larger = 1.0 / (1.0 + e);
            let smaller = e * larger;
            let (yes, no) = if odds < 0.0 { (smaller, larger) } else { (larger, smaller) };
            // 1 - p p' = (1 - p) + p (1 - p').
            *q += *p * no;
            *p *= yes;
        }
    }
}

/// Sums over the shadows of each side that are there.
#[derive(Debug, Clone, Copy)]
struct SideSums {
    /// [OUT, IN].
    p: [f64; 2],
    q: [f64; 2],
    n: [f64; 2],
}

impl SideSums {
    /// Whether a target holds most of the sum of its own side.
    #[inline(always)]
    fn dominates(&self, p: f64, q: f64, inside: f64) -> bool {
        let own = usize::from(inside > 0.0);
        (2.0 * p > self.p[own]) | (2.0 * q > self.q[own])
    }

    /// What stands for the references' p and 1 - p: for targets that are OUT, and for those that are IN.
    #[inline(always)]
    fn mixed(&self, mixture: Mixture) -> [Mixed; 2] {
        [0, 1].map(|own: usize| {
            let (n_rest, n_other) = (self.n[own] - 1.0, self.n[1 - own]);
            let (p_other, q_other) = (self.p[1 - own] / n_other, self.q[1 - own] / n_other);
            match mixture {
                Mixture::Halves => Mixed { per_rest: 0.5 / n_rest, p: 0.5 * p_other, q: 0.5 * q_other },
                // 1 - ((1 + a) p + (1 - a)) / 2 = (1 + a) (1 - p) / 2; OUT is the other side, or the own one.
                Mixture::Outside { a } if own == 1 => Mixed {
                    per_rest: 0.0,
                    p: 0.5 * ((1.0 + a) * p_other + (1.0 - a)),
                    q: 0.5 * (1.0 + a) * q_other,
                },
                Mixture::Outside { a } => {
                    Mixed { per_rest: 0.5 * (1.0 + a) / n_rest, p: 0.5 * (1.0 - a), q: 0.0 }
                }
            }
        })
    }
}

/// A mixture over the references of a target whose own side without it sums up to p_rest and q_rest:
/// p_rest `per_rest` + `p`, and of 1 - p q_rest `per_rest` + `q`. NaN without references.
#[derive(Debug, Clone, Copy)]
struct Mixed {
    per_rest: f64,
    p: f64,
    q: f64,
}

impl Mixed {
    #[inline(always)]
    fn of(self, p_rest: f64, q_rest: f64) -> (f64, f64) {
        (p_rest * self.per_rest + self.p, q_rest * self.per_rest + self.q)
    }
}

struct Sides<'a> {
    p: &'a [f64],
    q: &'a [f64],
    inside: &'a [f64],
}

impl Kernel for Sides<'_> {
    type Output = SideSums;

    #[inline(always)]
    fn run<V: Vector>(self) -> SideSums {
        let [mut p_in, mut p_out, mut q_in, mut q_out, mut n_in, mut n_out] = [V::splat(0.0); 6];
        let (none, one) = (V::splat(0.0), V::splat(1.0));
        let chunks = self.p.as_chunks().0.iter().zip(self.q.as_chunks().0);
        for ((p, q), inside) in chunks.zip(self.inside.as_chunks().0) {
            let (p, q, inside) = (V::load(p), V::load(q), V::load(inside));
            // p - p is 0, or not a number where p is not.
            let there = p.sub(p).below(one);
            let (p, q) = (there.pick(p, none), there.pick(q, none));
            let (is_in, is_out) = (there.mul(inside), there.mul(one.sub(inside)));
            p_in = p_in.add(p.mul(is_in));
            p_out = p_out.add(p.mul(is_out));
            q_in = q_in.add(q.mul(is_in));
            q_out = q_out.add(q.mul(is_out));
            n_in = n_in.add(is_in);
            n_out = n_out.add(is_out);
        }
        SideSums {
            p: [p_out.total(), p_in.total()],
            q: [q_out.total(), q_in.total()],
            n: [n_out.total(), n_in.total()],
        }
    }
}

struct Ratios<'a> {
    p: &'a [f64],
    q: &'a [f64],
    inside: &'a [f64],
    ratio: &'a mut [f64],
    slack: &'a mut [f64],
    sides: &'a SideSums,
    mixture: Mixture,
}

impl Kernel for Ratios<'_> {
    /// Whether any target dominates its side.
    type Output = bool;

    #[inline(always)]
    fn run<V: Vector>(self) -> bool {
        let (sides, mixed) = (*self.sides, self.sides.mixed(self.mixture));
        let mut dominated = 0u64;
        let shadows = self.p.iter().zip(self.q).zip(self.inside);
        for (((&p, &q), &inside), (ratio, slack)) in shadows.zip(self.ratio.iter_mut().zip(self.slack)) {
            let own = |full: [f64; 2]| if inside > 0.0 { full[1] } else { full[0] };
            let (p_full, q_full) = (own(sides.p), own(sides.q));
            let mixed = if inside > 0.0 { mixed[1] } else { mixed[0] };
            let (p_mix, q_mix) = mixed.of(p_full - p, q_full - q);
            dominated |= u64::from((2.0 * p > p_full) | (2.0 * q > q_full));
            (*ratio, *slack) = ln_ratio(p, q, p_mix, q_mix);
        }
        dominated != 0
    }
}

/// ln (p / m), given also 1 - p and 1 - m; and how much rounding may have moved it. The difference of two
/// probabilities close to 1 is that of what they lack; one that rounding alone explains is none, so that
/// equal probabilities tie at 0.
#[inline(always)]
fn ln_ratio(p: f64, q: f64, m: f64, not_m: f64) -> (f64, f64) {
    let near_one = m > 0.5;
    let d = if near_one { not_m - q } else { p - m };
    let rounding = EQUAL * if near_one { not_m + q } else { p + m };
    let ln = ln_1p(d.abs() / if d < 0.0 { p } else { m });
    let ln = if d.abs() <= rounding { 0.0 } else { ln };
    (if d < 0.0 { -ln } else { ln }, if near_one { rounding } else { EQUAL })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The log ratios by log odds of three IN and three OUT shadows.
    fn ratios(odds: &[f64; 6], mixture: Mixture) -> Vec<f64> {
        let mut likelihood = Likelihood::default();
        likelihood.begin(6, &[0b111]);
        likelihood.set(std::iter::once(&odds[..]));
        if likelihood.is_tiny() {
            let ln_p: Vec<f64> = odds.iter().map(|&odds| tiny::ln_sigmoid(odds)).collect();
            likelihood.form_of_logs(&ln_p, mixture);
        } else {
            likelihood.form(mixture);
        }
        likelihood.ratios().to_vec()
    }

    #[track_caller]
    fn close(found: &[f64], right: [f64; 6]) {
        for (found, right) in found.iter().zip(right) {
            assert!((found - right).abs() <= 1e-12 * right.abs(), "{found:e} is not {right:e}");
        }
    }

    /// Expected: mpmath 1.3.0 with 2,000 digits.
    #[test]
    fn probabilities_close_to_1_keep_their_digits() {
        let odds = [40.0, 45.0, 38.0, 60.0, 41.0, 39.0];
        close(
            &ratios(&odds, Mixture::Halves),
            [
                5.791818416464406e-18,
                1.1066479753322025e-17,
                -2.813689866502148e-17,
                9.222494475427413e-18,
                7.268891749704315e-18,
                -5.212785729896681e-18,
            ],
        );
        close(
            &ratios(&odds, Mixture::Outside { a: 0.25 }),
            [
                -1.5168737613109046e-18,
                2.7028553081751907e-18,
                -2.8659847426499614e-17,
                4.097220729478107e-18,
                2.0459378674688538e-18,
                -1.1059823486112192e-17,
            ],
        );
    }

    #[test]
    fn a_target_that_holds_most_of_the_sum_leaves_the_rest_its_digits() {
        let odds = [-2.0, 30.0, 1.0, -30.0, 0.5, -1.0];
        close(
            &ratios(&odds, Mixture::Outside { a: 1.0 }),
            [
                -0.913354548163231,
                1.213573462879648,
                0.9003117753615186,
                -29.191891645228413,
                1.5323318838977136,
                -0.1460375227783212,
            ],
        );
    }

    #[test]
    fn probabilities_too_small_for_a_number_have_ratios() {
        let odds = [-2000.0, -1000.0, -1001.0, -1002.0, -1500.0, -700.0];
        close(
            &ratios(&odds, Mixture::Halves),
            [
                -1298.208240530772,
                -298.20824053077195,
                -299.20824053077195,
                -300.6137056388801,
                -798.6137056388801,
                301.34012199116273,
            ],
        );
        close(
            &ratios(&odds, Mixture::Outside { a: 1.0 }),
            [
                -1298.9013877113318,
                -298.9013877113319,
                -299.9013877113319,
                -301.30685281944005,
                -799.3068528194401,
                302.69314718055995,
            ],
        );
        close(
            &ratios(&odds, Mixture::Outside { a: 0.25 }),
            [
                -1999.0191707469883,
                -999.0191707469883,
                -1000.0191707469883,
                -1001.0191707469883,
                -1499.0191707469883,
                -699.0191707469883,
            ],
        );
    }

    #[test]
    fn equal_probabilities_tie() {
        for odds in [-3.3, 0.1, 7.7, 33.0] {
            assert!(ratios(&[odds; 6], Mixture::Halves).iter().all(|&ratio| ratio == 0.0));
            assert!(ratios(&[odds; 6], Mixture::Outside { a: 1.0 }).iter().all(|&ratio| ratio == 0.0));
        }
    }

    #[test]
    fn without_references_there_is_no_ratio() {
        let nan = f64::NAN;
        let one_in = ratios(&[1.0, nan, nan, 0.5, 0.2, nan], Mixture::Halves);
        assert!(one_in[0].is_nan() && one_in[3].is_finite() && one_in[5].is_nan());
        let no_out = ratios(&[1.0, 0.5, 2.0, nan, nan, nan], Mixture::Outside { a: 0.5 });
        assert!(no_out.iter().all(|ratio| ratio.is_nan()));
    }
}
