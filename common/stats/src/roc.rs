//! ROC curves, exact: tied scores form one vertex, counts are integers, nothing is thinned before a
//! figure is read off.

use rayon::prelude::*;

use crate::analysis::{FPRS, Figures, PerTarget, RocCurve};
use crate::inputs::Checked;
use crate::scores::ScoreMatrix;
use crate::sort;

/// A ROC curve's figures and drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Roc {
    /// The figures, from every vertex; NaN without members or without non-members.
    pub figures: Figures,
    /// Scores of members.
    pub members: u64,
    /// Scores of non-members.
    pub nonmembers: u64,
    /// The curve, thinned for drawing.
    pub curve: RocCurve,
}

/// The ROC curve of scores, higher meaning member. Non-finite scores are absent.
pub fn roc(members: &[f64], nonmembers: &[f64]) -> Roc {
    let keys = |scores: &[f64]| -> Vec<u64> {
        scores.iter().copied().filter(|score| score.is_finite()).map(sort::key).collect()
    };
    let mut sides = Sides { members: keys(members), nonmembers: keys(nonmembers) };
    sides.sort();
    sides.roc()
}

/// The AUC of unsorted keys; NaN if there are none of one kind.
pub(crate) fn auc_of_keys(members: Vec<u64>, nonmembers: Vec<u64>) -> f64 {
    let mut sides = Sides { members, nonmembers };
    sides.sort();
    sides.figures().auc
}

/// The pooled curve over all (target, record) pairs.
pub(crate) fn pooled(scores: &ScoreMatrix, checked: &Checked<'_>) -> Roc {
    let targets: Vec<Sides> = (0..checked.shape.shadows)
        .into_par_iter()
        .map(|target| Sides::of_target(scores.row(target), target, checked))
        .collect();
    pool(&targets).roc()
}

/// The pooled curve, and the figures target by target.
pub(crate) fn pooled_and_per_target(scores: &ScoreMatrix, checked: &Checked<'_>) -> (Roc, PerTarget) {
    let (targets, figures): (Vec<Sides>, Vec<Figures>) = (0..checked.shape.shadows)
        .into_par_iter()
        .map(|target| {
            let mut sides = Sides::of_target(scores.row(target), target, checked);
            sides.sort();
            let figures = sides.figures();
            (sides, figures)
        })
        .unzip();
    (pool(&targets).roc(), per_target(&figures))
}

fn pool(targets: &[Sides]) -> Sides {
    let gather = |side: fn(&Sides) -> &Vec<u64>| {
        let mut keys = Vec::with_capacity(targets.iter().map(|sides| side(sides).len()).sum());
        targets.iter().for_each(|sides| keys.extend_from_slice(side(sides)));
        keys
    };
    let mut sides =
        Sides { members: gather(|sides| &sides.members), nonmembers: gather(|sides| &sides.nonmembers) };
    sides.sort();
    sides
}

/// Mean and standard deviation (divisor n - 1) over the targets that have figures.
fn per_target(figures: &[Figures]) -> PerTarget {
    let over = |read: &dyn Fn(&Figures) -> f64| {
        let values: Vec<f64> = figures.iter().map(read).filter(|value| value.is_finite()).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { f64::NAN })
    };
    let (auc, accuracy) = (over(&|f| f.auc), over(&|f| f.balanced_accuracy));
    let tpr: [(f64, f64); FPRS.len()] = std::array::from_fn(|i| over(&|f| f.tpr_at_fpr[i]));
    PerTarget {
        mean: Figures { auc: auc.0, balanced_accuracy: accuracy.0, tpr_at_fpr: tpr.map(|t| t.0) },
        sd: Figures { auc: auc.1, balanced_accuracy: accuracy.1, tpr_at_fpr: tpr.map(|t| t.1) },
        auc: figures.iter().map(|f| f.auc).collect(),
    }
}

/// The keys of the scores of members and of non-members; ascending once sorted.
struct Sides {
    members: Vec<u64>,
    nonmembers: Vec<u64>,
}

impl Sides {
    fn of_target(row: &[f64], target: usize, checked: &Checked<'_>) -> Self {
        let mut sides =
            Self { members: Vec::with_capacity(row.len()), nonmembers: Vec::with_capacity(row.len()) };
        for (&score, &unit) in row.iter().zip(checked.units) {
            if score.is_finite() {
                let inside = checked.membership.is_in(target, unit as usize);
                let side = if inside { &mut sides.members } else { &mut sides.nonmembers };
                side.push(sort::key(score));
            }
        }
        sides
    }

    fn sort(&mut self) {
        rayon::join(|| sort::sort(&mut self.members), || sort::sort(&mut self.nonmembers));
    }

    /// Visits (true positives, false positives) after every distinct score, from the highest down.
    fn vertices(&self, mut visit: impl FnMut(u64, u64)) {
        let (mut members, mut nonmembers) = (&self.members[..], &self.nonmembers[..]);
        let (all_members, all_nonmembers) = (members.len(), nonmembers.len());
        while let Some(&highest) = members.last().max(nonmembers.last()) {
            while let Some((_, rest)) = members.split_last().filter(|(key, _)| **key == highest) {
                members = rest;
            }
            while let Some((_, rest)) = nonmembers.split_last().filter(|(key, _)| **key == highest) {
                nonmembers = rest;
            }
            visit((all_members - members.len()) as u64, (all_nonmembers - nonmembers.len()) as u64);
        }
    }

    fn figures(&self) -> Figures {
        let mut reader = FigureReader::new(self.members.len() as u64, self.nonmembers.len() as u64);
        self.vertices(|tp, fp| reader.visit(tp, fp));
        reader.figures()
    }

    fn roc(&self) -> Roc {
        let (members, nonmembers) = (self.members.len() as u64, self.nonmembers.len() as u64);
        let mut reader = FigureReader::new(members, nonmembers);
        let mut thinner = Thinner::new(members, nonmembers);
        self.vertices(|tp, fp| {
            reader.visit(tp, fp);
            thinner.visit(tp, fp);
        });
        Roc { figures: reader.figures(), members, nonmembers, curve: thinner.curve() }
    }
}

/// Reads the figures off the vertices as they pass.
struct FigureReader {
    members: u64,
    nonmembers: u64,
    last: (u64, u64),
    /// Twice the pairs in which the member scores higher, ties counting one.
    twice_wins: u128,
    /// Maximum of tp * nonmembers - fp * members.
    best: i128,
    /// The most false positives within each rate of [`FPRS`], and the most true positives so far.
    limits: [(u64, u64); FPRS.len()],
}

impl FigureReader {
    fn new(members: u64, nonmembers: u64) -> Self {
        let limits = FPRS.map(|rate| ((rate * nonmembers as f64 + 1e-9).floor() as u64, 0));
        Self { members, nonmembers, last: (0, 0), twice_wins: 0, best: 0, limits }
    }

    fn visit(&mut self, tp: u64, fp: u64) {
        let (last_tp, last_fp) = self.last;
        self.twice_wins += u128::from(fp - last_fp) * u128::from(last_tp + tp);
        let gain = i128::from(tp) * i128::from(self.nonmembers) - i128::from(fp) * i128::from(self.members);
        self.best = self.best.max(gain);
        for (most, tpr) in &mut self.limits {
            if fp <= *most {
                *tpr = tp;
            }
        }
        self.last = (tp, fp);
    }

    fn figures(&self) -> Figures {
        if self.members == 0 || self.nonmembers == 0 {
            return Figures {
                auc: f64::NAN,
                balanced_accuracy: f64::NAN,
                tpr_at_fpr: [f64::NAN; FPRS.len()],
            };
        }
        let pairs = self.members as f64 * self.nonmembers as f64;
        Figures {
            auc: self.twice_wins as f64 / (2.0 * pairs),
            balanced_accuracy: 0.5 + 0.5 * (self.best as f64 / pairs),
            tpr_at_fpr: self.limits.map(|(_, tp)| tp as f64 / self.members as f64),
        }
    }
}

/// Steps per decade on the log scale, and on the linear one.
const LOG_STEPS: i32 = 25;
const LINEAR_STEPS: i32 = 200;

/// Keeps the vertices that can be told apart in a drawing, on linear and on log scales: the last one
/// before either rate enters a new cell of a grid.
struct Thinner {
    totals: [u64; 2],
    /// Ascending counts of true and of false positives at which a new cell begins.
    grids: [Vec<u64>; 2],
    /// The next cell of each grid.
    next: [usize; 2],
    last: [u64; 2],
    curve: RocCurve,
}

impl Thinner {
    fn new(members: u64, nonmembers: u64) -> Self {
        Self {
            totals: [members, nonmembers],
            grids: [grid(members), grid(nonmembers)],
            next: [0; 2],
            last: [0; 2],
            curve: RocCurve { fpr: vec![0.0], tpr: vec![0.0] },
        }
    }

    fn visit(&mut self, tp: u64, fp: u64) {
        let mut crossed = false;
        for (axis, count) in [tp, fp].into_iter().enumerate() {
            while self.grids[axis].get(self.next[axis]).is_some_and(|&begin| begin <= count) {
                self.next[axis] += 1;
                crossed = true;
            }
        }
        if crossed {
            self.keep();
        }
        self.last = [tp, fp];
    }

    fn keep(&mut self) {
        if self.last != [0, 0] {
            let rate = |axis: usize| self.last[axis] as f64 / self.totals[axis].max(1) as f64;
            self.curve.tpr.push(rate(0));
            self.curve.fpr.push(rate(1));
        }
    }

    fn curve(mut self) -> RocCurve {
        self.keep();
        self.curve
    }
}

/// The counts, of `total`, at which a cell of the linear or the logarithmic grid begins.
fn grid(total: u64) -> Vec<u64> {
    let count = |rate: f64| (rate * total as f64).ceil() as u64;
    // Twelve decades are below one of any total that fits in memory.
    let logarithmic = (-12 * LOG_STEPS..=0).map(|i| libm::pow(10.0, f64::from(i) / f64::from(LOG_STEPS)));
    let linear = (1..=LINEAR_STEPS).map(|i| f64::from(i) / f64::from(LINEAR_STEPS));
    let mut counts: Vec<u64> = logarithmic.chain(linear).map(count).filter(|&count| count > 0).collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}
