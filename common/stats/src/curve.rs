//! Reading figures and a drawing off the vertices of a ROC curve, as they pass by from the highest score
//! down; a curve may be read in several pieces.

use crate::analysis::{FPRS, Figures, RocCurve};

/// Reads the figures off the vertices as they pass.
pub(crate) struct FigureReader {
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
    /// For a curve of so many scores in all, read from the vertex `start` (true, false positives) on.
    pub fn new(members: u64, nonmembers: u64, start: (u64, u64)) -> Self {
        let limits = FPRS.map(|rate| ((rate * nonmembers as f64 + 1e-9).floor() as u64, 0));
        Self { members, nonmembers, last: start, twice_wins: 0, best: 0, limits }
    }

    /// The next vertex.
    pub fn visit(&mut self, tp: u64, fp: u64) {
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

    /// Joins what was read of another piece of the same curve.
    pub fn join(&mut self, other: &Self) {
        self.twice_wins += other.twice_wins;
        self.best = self.best.max(other.best);
        for ((_, tp), (_, more)) in self.limits.iter_mut().zip(other.limits) {
            *tp = (*tp).max(more);
        }
    }

    /// The figures of all that was read.
    pub fn figures(&self) -> Figures {
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
pub(crate) struct Thinner<'a> {
    grids: &'a Grids,
    /// The next cell of each grid.
    next: [usize; 2],
    last: [u64; 2],
    curve: RocCurve,
}

/// The cells of both axes, by counts.
pub(crate) struct Grids {
    /// All members and all non-members.
    totals: [u64; 2],
    /// Ascending counts of true and of false positives at which a new cell begins.
    cells: [Vec<u64>; 2],
}

impl Grids {
    /// For a curve of so many scores.
    pub fn new(members: u64, nonmembers: u64) -> Self {
        Self { totals: [members, nonmembers], cells: [grid(members), grid(nonmembers)] }
    }
}

impl<'a> Thinner<'a> {
    /// Begins at the vertex `start` (true, false positives).
    pub fn new(grids: &'a Grids, start: (u64, u64)) -> Self {
        let last = [start.0, start.1];
        let next = [0, 1].map(|axis| grids.cells[axis].partition_point(|&begin| begin <= last[axis]));
        Self { grids, next, last, curve: RocCurve::default() }
    }

    /// The next vertex.
    pub fn visit(&mut self, tp: u64, fp: u64) {
        let mut crossed = false;
        for (axis, count) in [tp, fp].into_iter().enumerate() {
            while self.grids.cells[axis].get(self.next[axis]).is_some_and(|&begin| begin <= count) {
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
        let rate = |axis: usize| self.last[axis] as f64 / self.grids.totals[axis].max(1) as f64;
        self.curve.tpr.push(rate(0));
        self.curve.fpr.push(rate(1));
    }

    /// What was kept so far; with the last vertex if `end`.
    pub fn curve(mut self, end: bool) -> RocCurve {
        if end {
            self.keep();
        }
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
