//! Online LiRA on all queries at once: a record's signals are one vector, and the score is
//! ln N(phi_t; mu_in, Sigma_in) - ln N(phi_t; mu_out, Sigma_out), summed over labels (Carlini et al. 2022,
//! arXiv 2112.03570, section VI-C).
//!
//! A record has too few references for a covariance matrix of its own. It is drawn towards the pooled
//! within-record covariance Sigma_0 of that side, learnt without the target:
//!
//! Sigma~ = (nu0 Sigma_0 + n S) / (nu0 + n), S with divisor n, nu0 = Q + 1 for Q queries,
//!
//! the posterior mode under an inverse-Wishart prior, up to a constant of degrees of freedom. nu0 = Q + 1
//! keeps it positive definite for any number of references wherever Sigma_0 is.

use super::{Attack, Work};
use crate::config::{Center, Counts};
use crate::design::Blocks;
use crate::moments::DOWNDATE_LIMIT;
use crate::references::Middle;
use crate::signal::View;

/// References that a side needs.
const LEAST: usize = 2;

/// Online LiRA with a full covariance over the queries.
pub(crate) struct Multivariate {
    counts: Counts,
    center: Center,
    blocks: Blocks,
    queries: usize,
    /// Sigma_0 of both sides, `[IN, OUT][target][entry of the lower triangle]`.
    pooled: [Vec<f64>; 2],
}

/// Lists of shadows and matrices of one label of one record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vectors {
    /// Per shadow its signals, one a query; only where all are there.
    values: Vec<f64>,
    queries: usize,
    sides: [Side; 2],
    own: Spread,
    other: Spread,
    /// The other side's, for the block and side of the target before.
    shared: Option<(usize, usize)>,
    lower: Vec<f64>,
    solved: Vec<f64>,
}

/// The shadows of one side that give every signal, in shadow order, with the spread of all of them or of
/// the first so many.
#[derive(Debug, Clone, Default)]
struct Side {
    shadows: Vec<usize>,
    spreads: Vec<(Spread, Vec<Middle>)>,
}

/// Number, mean and scatter (the sum of outer products of deviations from it, its lower triangle row by
/// row) of some vectors.
#[derive(Debug, Clone, Default)]
struct Spread {
    n: usize,
    mean: Vec<f64>,
    /// The medians of every query, in the place of the mean where they are asked for.
    medians: Option<Vec<f64>>,
    scatter: Vec<f64>,
}

/// References of a target on one side: the first `first` shadows, less the one at `index`.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    first: usize,
    less: Option<usize>,
}

impl Multivariate {
    pub fn new(counts: Counts, center: Center, queries: usize, blocks: &Blocks) -> Self {
        Self { counts, center, blocks: blocks.clone(), queries, pooled: Default::default() }
    }

    fn triangle(&self) -> usize {
        self.queries * (self.queries + 1) / 2
    }

    /// Hands every target of every known label to `f`, with its side (0 for IN) and its references' spread
    /// on its own side and on the other one.
    fn each_target(
        &self,
        view: &View<'_>,
        label: usize,
        vectors: &mut Vectors,
        mut f: impl FnMut(usize, usize, &mut Vectors),
    ) {
        vectors.gather(view, label, self.queries, self.blocks.shadows);
        for side in 0..2 {
            vectors.shared = None;
            for index in 0..vectors.sides[side].shadows.len() {
                let target = vectors.sides[side].shadows[index];
                let block = target / self.blocks.size;
                let (own, other) = self.choose(vectors, side, index, block);
                vectors.own = vectors.spread_of(side, own, self.center);
                // Targets of one block and side have the other side in common.
                if vectors.shared != Some((block, other.first)) {
                    vectors.other = vectors.spread_of(1 - side, other, self.center);
                    vectors.shared = Some((block, other.first));
                }
                f(target, side, vectors);
            }
        }
    }

    /// The rules of [`Counts`] for the shadow at `index` of `side`.
    fn choose(&self, vectors: &Vectors, side: usize, index: usize, block: usize) -> (Chosen, Chosen) {
        let (own, other) = (&vectors.sides[side].shadows, &vectors.sides[1 - side].shadows);
        let all = |less| Chosen { first: own.len(), less };
        match self.counts {
            Counts::All => (all(Some(index)), Chosen { first: other.len(), less: None }),
            Counts::Equal => {
                let first = other.partition_point(|shadow| shadow / self.blocks.size < block);
                let here = other.get(first).is_some_and(|shadow| shadow / self.blocks.size == block);
                let less = (!other.is_empty()).then_some(if here { first } else { 0 });
                (all(Some(index)), Chosen { first: other.len(), less })
            }
            Counts::First => {
                let n = (own.len() - 1).min(other.len());
                let own = if index < n {
                    Chosen { first: n + 1, less: Some(index) }
                } else {
                    Chosen { first: n, less: None }
                };
                (own, Chosen { first: n, less: None })
            }
        }
    }

    /// ln N of the target's vector, but for the constant that both sides share; NaN where the matrix is
    /// singular.
    fn ln_density(&self, side: usize, target: usize, value: &[f64], spread: &Spread, work: Room<'_>) -> f64 {
        let queries = self.queries;
        let prior = (queries + 1) as f64;
        let sigma0 = &self.pooled[side][target * self.triangle()..(target + 1) * self.triangle()];
        work.lower.clear();
        work.lower.extend(
            sigma0.iter().zip(&spread.scatter).map(|(s0, ss)| (prior * s0 + ss) / (prior + spread.n as f64)),
        );
        work.solved.clear();
        let centre = spread.medians.as_ref().unwrap_or(&spread.mean);
        work.solved.extend(value.iter().zip(centre).map(|(x, centre)| x - centre));
        let Some(ln_determinant) = solve(work.lower, work.solved) else { return f64::NAN };
        let distance: f64 = work.solved.iter().map(|y| y * y).sum();
        -0.5 * (distance + ln_determinant)
    }
}

/// Where a matrix and a vector are worked on.
struct Room<'a> {
    lower: &'a mut Vec<f64>,
    solved: &'a mut Vec<f64>,
}

impl Attack for Multivariate {
    fn passes(&self) -> usize {
        1
    }

    /// Scatter and number, per side and target.
    fn width(&self, _: usize) -> usize {
        2 * self.blocks.shadows * (self.triangle() + 1)
    }

    fn observe(&self, _: usize, view: &View<'_>, work: &mut Work, sums: &mut [f64]) {
        let width = self.triangle() + 1;
        for label in (0..view.labels).filter(|&label| view.present[label]) {
            self.each_target(view, label, &mut work.vectors, |target, side, vectors| {
                let spreads = [(side, &vectors.own), (1 - side, &vectors.other)];
                // Scatter that no number holds is left out.
                let held = |spread: &Spread| spread.scatter.iter().all(|ss| ss.is_finite());
                for (side, spread) in spreads.into_iter().filter(|(_, spread)| held(spread)) {
                    let at = (side * self.blocks.shadows + target) * width;
                    let (scatter, n) = sums[at..at + width].split_at_mut(width - 1);
                    scatter.iter_mut().zip(&spread.scatter).for_each(|(sum, ss)| *sum += ss);
                    n[0] += spread.n as f64;
                }
            });
        }
    }

    fn learn(&mut self, _: usize, sums: &[f64]) {
        let width = self.triangle() + 1;
        for (side, sums) in self.pooled.iter_mut().zip(sums.chunks_exact(sums.len() / 2)) {
            let targets = sums.chunks_exact(width);
            *side =
                targets.flat_map(|sums| sums[..width - 1].iter().map(|ss| ss / sums[width - 1])).collect();
        }
    }

    fn score(&self, view: &View<'_>, work: &mut Work, scores: &mut [f64]) -> u64 {
        scores.fill(if view.present.contains(&true) { 0.0 } else { f64::NAN });
        let mut found = std::mem::take(&mut work.found);
        for label in (0..view.labels).filter(|&label| view.present[label]) {
            found.clear();
            found.resize(scores.len(), f64::NAN);
            self.each_target(view, label, &mut work.vectors, |target, side, vectors| {
                let Vectors { values, own, other, lower, solved, .. } = vectors;
                if own.n.min(other.n) < LEAST {
                    return;
                }
                let value = &values[target * self.queries..(target + 1) * self.queries];
                let [ln_own, ln_other] = [(side, own), (1 - side, other)].map(|(side, spread)| {
                    self.ln_density(side, target, value, spread, Room { lower, solved })
                });
                found[target] = if side == 0 { ln_own - ln_other } else { ln_other - ln_own };
            });
            scores.iter_mut().zip(&found).for_each(|(score, ratio)| *score += ratio);
        }
        work.found = found;
        0
    }
}

impl Vectors {
    /// Sorts the shadows that give every signal of a label by side.
    fn gather(&mut self, view: &View<'_>, label: usize, queries: usize, shadows: usize) {
        self.queries = queries;
        self.values.clear();
        for side in &mut self.sides {
            side.shadows.clear();
            side.spreads.clear();
        }
        for shadow in 0..shadows {
            let signals =
                (0..queries).map(|query| view.signals[(query * view.labels + label) * shadows + shadow]);
            self.values.extend(signals);
            if self.values[shadow * queries..].iter().all(|value| value.is_finite()) {
                let is_in = view.column[shadow / 64] >> (shadow % 64) & 1 == 1;
                self.sides[usize::from(!is_in)].shadows.push(shadow);
            }
        }
    }

    fn spread_of(&mut self, side: usize, chosen: Chosen, center: Center) -> Spread {
        let Self { values, queries, sides, .. } = self;
        let (queries, Side { shadows, spreads }) = (*queries, &mut sides[side]);
        let shadows = &shadows[..chosen.first];
        let known = spreads.iter().position(|(spread, _)| spread.n == chosen.first).unwrap_or_else(|| {
            let middle = |query: usize| {
                let mut column: Vec<f64> =
                    shadows.iter().map(|shadow| values[shadow * queries + query]).collect();
                Middle::of(&mut column)
            };
            let middles =
                if center == Center::Median { (0..queries).map(middle).collect() } else { Vec::new() };
            spreads.push((Spread::of(values, queries, shadows.iter().copied()), middles));
            spreads.len() - 1
        });
        let (all, middles) = &spreads[known];
        let mut spread = chosen.less.map_or_else(|| all.clone(), |less| all.without(values, shadows, less));
        if center == Center::Median {
            let less = |(query, middle): (usize, &Middle)| {
                chosen.less.map_or(middle.all, |less| middle.without(values[shadows[less] * queries + query]))
            };
            spread.medians = Some(middles.iter().enumerate().map(less).collect());
        }
        spread
    }
}

impl Spread {
    /// In two passes.
    fn of(values: &[f64], queries: usize, shadows: impl Iterator<Item = usize> + Clone) -> Self {
        let mut spread = Self {
            n: 0,
            mean: vec![0.0; queries],
            medians: None,
            scatter: vec![0.0; queries * (queries + 1) / 2],
        };
        let Some(pilot) = shadows.clone().next() else { return spread };
        let at = |shadow: usize| &values[shadow * queries..(shadow + 1) * queries];
        for shadow in shadows.clone() {
            spread.n += 1;
            let pairs = at(shadow).iter().zip(at(pilot));
            spread.mean.iter_mut().zip(pairs).for_each(|(sum, (x, pilot))| *sum += x - pilot);
        }
        for (mean, pilot) in spread.mean.iter_mut().zip(at(pilot)) {
            *mean = pilot + *mean / spread.n as f64;
        }
        let mut d = vec![0.0; queries];
        for shadow in shadows {
            let pairs = at(shadow).iter().zip(&spread.mean);
            d.iter_mut().zip(pairs).for_each(|(d, (x, mean))| *d = x - mean);
            add_outer(&mut spread.scatter, &d, 1.0);
        }
        spread
    }

    /// Less the shadow at `less` of those it was made from: the mean moves by -d / (n - 1) and the scatter
    /// loses d d' n / (n - 1).
    fn without(&self, values: &[f64], shadows: &[usize], less: usize) -> Self {
        let queries = self.mean.len();
        if self.n <= 1 {
            return Self::of(values, queries, std::iter::empty());
        }
        let (n, rest) = (self.n as f64, (self.n - 1) as f64);
        let value = &values[shadows[less] * queries..(shadows[less] + 1) * queries];
        let d: Vec<f64> = value.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        let mut found = self.clone();
        found.n = self.n - 1;
        found.mean.iter_mut().zip(&d).for_each(|(mean, d)| *mean -= d / rest);
        add_outer(&mut found.scatter, &d, -n / rest);
        let diagonal = (0..queries).map(|q| q * (q + 3) / 2);
        // Too many digits lost: again from the values.
        if diagonal.into_iter().any(|at| found.scatter[at] < DOWNDATE_LIMIT * self.scatter[at]) {
            let rest = shadows.iter().enumerate().filter(|(index, _)| *index != less);
            return Self::of(values, queries, rest.map(|(_, &shadow)| shadow));
        }
        found
    }
}

/// Adds w d d' to a lower triangle.
fn add_outer(triangle: &mut [f64], d: &[f64], w: f64) {
    let mut at = 0;
    for (row, x) in d.iter().enumerate() {
        for (entry, y) in triangle[at..=at + row].iter_mut().zip(d) {
            *entry += w * x * y;
        }
        at += row + 1;
    }
}

/// Turns a matrix (lower triangle, row by row) into its Cholesky factor L and the vector d into the
/// solution of L y = d; returns the log determinant of the matrix, `None` where it is not positive definite.
fn solve(lower: &mut [f64], vector: &mut [f64]) -> Option<f64> {
    let start = |row: usize| row * (row + 1) / 2;
    let mut ln_determinant = 0.0;
    for row in 0..vector.len() {
        for column in 0..=row {
            let dot: f64 = (0..column).map(|k| lower[start(row) + k] * lower[start(column) + k]).sum();
            let rest = lower[start(row) + column] - dot;
            lower[start(row) + column] = if column < row {
                rest / lower[start(column) + column]
            } else if rest > 0.0 {
                ln_determinant += libm::log(rest);
                rest.sqrt()
            } else {
                return None;
            };
        }
        let dot: f64 = (0..row).map(|k| lower[start(row) + k] * vector[k]).sum();
        vector[row] = (vector[row] - dot) / lower[start(row) + row];
    }
    Some(ln_determinant)
}
