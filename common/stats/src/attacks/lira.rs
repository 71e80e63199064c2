//! The likelihood-ratio attack, online (Carlini et al. 2022, arXiv 2112.03570, algorithm 1):
//! ln N(phi_t; mu_in, sd_in) - ln N(phi_t; mu_out, sd_out), mean over queries.

use super::predictive::{self, LogChi, Predictive, SUMS};
use super::{Attack, Work};
use crate::config::Variance;
use crate::design::Blocks;
use crate::moments::Moments;
use crate::references::Scheme;
use crate::signal::View;

/// The least standard deviation of a side, as a share of that side's pooled one.
const FLOOR: f64 = 1e-3;

/// One side of every target's references, IN or OUT: what is learnt from all records.
#[derive(Debug, Clone, Default)]
struct Side {
    /// Pooled variance (divisor n) per target.
    pooled: Vec<f64>,
    /// Least variance per target: (1e-3 pooled sd)^2.
    floor: Vec<f64>,
    /// ln pooled variance per target, a pilot for the sums of logs.
    pilot: Vec<f64>,
    /// Shrunk variances only, per target.
    predictive: Vec<Option<Predictive>>,
}

/// Online LiRA with any reference scheme and variance.
pub(crate) struct Lira {
    scheme: Scheme,
    variance: Variance,
    blocks: Blocks,
    chi: LogChi,
    sides: [Side; 2],
}

impl Lira {
    pub fn new(scheme: Scheme, variance: Variance, blocks: &Blocks) -> Self {
        Self {
            scheme,
            variance,
            blocks: blocks.clone(),
            chi: LogChi::new(if variance == Variance::Shrunk { blocks.shadows } else { 0 }),
            sides: Default::default(),
        }
    }

    /// References a side needs: two for a variance of its own.
    fn least(&self) -> u32 {
        match self.variance {
            Variance::Pooled => 1,
            Variance::PerRecord | Variance::Shrunk | Variance::Reference => 2,
        }
    }

    fn each_query(&self, view: &View<'_>, work: &mut Work, mut f: impl FnMut(&[f64], [&[Moments]; 2])) {
        for signals in view.signals.chunks_exact(self.blocks.shadows) {
            work.references.fill(self.scheme, signals, view.column, &self.blocks);
            f(signals, [&work.references.inside, &work.references.outside]);
        }
    }

    /// ln of the density of `x` on one side, up to a constant shared by the sides; and whether the floor
    /// acted.
    fn ln_density(&self, side: &Side, target: usize, x: f64, moments: &Moments) -> (f64, bool) {
        let floor = side.floor[target];
        match self.variance {
            Variance::Pooled | Variance::Reference => (gaussian(x, moments.mean, side.pooled[target]), false),
            Variance::PerRecord => {
                let variance = moments.ss / f64::from(moments.n);
                (gaussian(x, moments.mean, variance.max(floor)), variance < floor)
            }
            Variance::Shrunk => {
                let s2 = moments.ss / f64::from(moments.n - 1);
                let density = side.predictive[target].as_ref().map_or(f64::NAN, |predictive| {
                    predictive.ln_density(x, moments.n, moments.mean, s2.max(floor))
                });
                (density, s2 < floor)
            }
        }
    }
}

/// ln N(x; mean, variance) + ln(2 pi) / 2.
pub(crate) fn gaussian(x: f64, mean: f64, variance: f64) -> f64 {
    let d = x - mean;
    -0.5 * (d * d / variance + libm::log(variance))
}

impl Attack for Lira {
    fn passes(&self) -> usize {
        match self.variance {
            Variance::PerRecord | Variance::Pooled | Variance::Reference => 1,
            Variance::Shrunk => 2,
        }
    }

    /// Pass 0: squares and counts; pass 1: [`SUMS`]; each per side and target.
    fn width(&self, pass: usize) -> usize {
        2 * self.blocks.shadows * if pass == 0 { 2 } else { SUMS }
    }

    fn observe(&self, pass: usize, view: &View<'_>, work: &mut Work, sums: &mut [f64]) {
        let shadows = self.blocks.shadows;
        let per_side = sums.len() / 2;
        self.each_query(view, work, |_, references| {
            for (k, moments) in references.into_iter().enumerate() {
                let (side, sums) = (&self.sides[k], &mut sums[k * per_side..(k + 1) * per_side]);
                if pass == 0 {
                    let (squares, counts) = sums.split_at_mut(shadows);
                    for ((m, squares), count) in moments.iter().zip(squares).zip(counts) {
                        *squares += m.ss;
                        *count += f64::from(m.n);
                    }
                    continue;
                }
                // Targets of one block and side share the references of the other side.
                let mut last = (f64::NAN, 0, f64::NAN);
                for (target, m) in moments.iter().enumerate().filter(|(_, m)| m.n >= 2) {
                    let s2 = (m.ss / f64::from(m.n - 1)).max(side.floor[target]);
                    if (s2, m.n) != (last.0, last.1) {
                        last = (s2, m.n, libm::log(s2));
                    }
                    let [a, b, c, d] = [0, 1, 2, 3].map(|i| i * shadows + target);
                    let sums = sums
                        .get_disjoint_mut([a, b, c, d])
                        .expect("the four sums of a target lie apart, one for each quarter");
                    predictive::observe(&self.chi, m.n, last.2, side.pilot[target], sums);
                }
            }
        });
    }

    fn learn(&mut self, pass: usize, sums: &[f64]) {
        let shadows = self.blocks.shadows;
        let per_side = sums.len() / 2;
        for (side, sums) in self.sides.iter_mut().zip(sums.chunks_exact(per_side)) {
            if pass == 0 {
                let (squares, counts) = sums.split_at(shadows);
                side.pooled = squares.iter().zip(counts).map(|(ss, n)| ss / n).collect();
                side.floor = side.pooled.iter().map(|variance| FLOOR * FLOOR * variance).collect();
                side.pilot = side.pooled.iter().map(|&variance| libm::log(variance)).collect();
            } else {
                side.predictive = (0..shadows)
                    .map(|target| {
                        let sums = [0, 1, 2, 3].map(|i| sums[i * shadows + target]);
                        Predictive::fit(sums, side.pilot[target], shadows as u32)
                    })
                    .collect();
            }
        }
    }

    fn score(&self, view: &View<'_>, work: &mut Work, scores: &mut [f64]) -> u64 {
        let shadows = self.blocks.shadows;
        let mut formed = std::mem::take(&mut work.formed);
        let mut floored = std::mem::take(&mut work.floored);
        formed.clear();
        formed.resize(shadows, 0);
        floored.clear();
        floored.resize(shadows, false);
        scores.fill(0.0);
        let least = self.least();
        self.each_query(view, work, |signals, [inside, outside]| {
            for target in 0..shadows {
                let (m_in, m_out) = (&inside[target], &outside[target]);
                if m_in.n < least || m_out.n < least {
                    continue;
                }
                let (ln_in, floor_in) = self.ln_density(&self.sides[0], target, signals[target], m_in);
                let (ln_out, floor_out) = self.ln_density(&self.sides[1], target, signals[target], m_out);
                let ratio = ln_in - ln_out;
                if ratio.is_finite() {
                    scores[target] += ratio;
                    formed[target] += 1;
                    floored[target] |= floor_in || floor_out;
                }
            }
        });
        for (score, &n) in scores.iter_mut().zip(&formed) {
            *score = if n > 0 { *score / f64::from(n) } else { f64::NAN };
        }
        let acted = floored.iter().filter(|&&acted| acted).count() as u64;
        (work.formed, work.floored) = (formed, floored);
        acted
    }
}
