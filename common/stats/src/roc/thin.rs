//! Which vertices of a ROC curve a drawing needs.

use crate::analysis::RocCurve;

/// Steps per decade on the log scale, and on the linear one.
const LOG_STEPS: i32 = 25;
const LINEAR_STEPS: i32 = 200;

/// Keeps the vertices that can be told apart in a drawing, on linear and on log scales: the last one
/// before either rate enters a new cell of a grid.
pub(super) struct Thinner {
    /// All members and all non-members.
    totals: [u64; 2],
    /// Ascending counts of true and of false positives at which a new cell begins.
    cells: [Vec<u64>; 2],
    /// The next cell of each grid.
    next: [usize; 2],
    /// Where that begins.
    begins: [u64; 2],
    curve: RocCurve,
}

impl Thinner {
    /// For a curve of so many scores.
    pub fn new(members: u64, nonmembers: u64) -> Self {
        let cells = [grid(members), grid(nonmembers)];
        let (totals, curve) = ([members, nonmembers], RocCurve::default());
        let mut thinner = Self { totals, cells, next: [0; 2], begins: [0; 2], curve };
        thinner.enter([0; 2]);
        thinner
    }

    /// Whether a step to a vertex, or before it, enters a new cell.
    #[inline(always)]
    pub fn reaches(&self, vertex: (u64, u64)) -> bool {
        vertex.0 >= self.begins[0] || vertex.1 >= self.begins[1]
    }

    /// The vertices `before` and after a step (true, false positives).
    #[inline(always)]
    pub fn step(&mut self, before: (u64, u64), after: (u64, u64)) {
        if self.reaches(after) {
            self.keep([before.0, before.1]);
            self.enter([after.0, after.1]);
        }
    }

    #[cold]
    fn enter(&mut self, at: [u64; 2]) {
        for axis in 0..2 {
            let cells = &self.cells[axis];
            self.next[axis] += cells[self.next[axis]..].partition_point(|&begin| begin <= at[axis]);
            self.begins[axis] = cells.get(self.next[axis]).copied().unwrap_or(u64::MAX);
        }
    }

    /// What was kept, and the last vertex.
    pub fn curve(mut self) -> RocCurve {
        self.keep(self.totals);
        self.curve
    }

    fn keep(&mut self, vertex: [u64; 2]) {
        let rate = |axis: usize| vertex[axis] as f64 / self.totals[axis].max(1) as f64;
        self.curve.tpr.push(rate(0));
        self.curve.fpr.push(rate(1));
    }
}

/// The counts, of `total`, at which a cell of the linear or the logarithmic grid begins.
fn grid(total: u64) -> Vec<u64> {
    let count = |rate: f64| (rate * total as f64).ceil() as u64;
    // Twelve decades are below one of any total.
    let logarithmic = (-12 * LOG_STEPS..=0).map(|i| libm::pow(10.0, f64::from(i) / f64::from(LOG_STEPS)));
    let linear = (1..=LINEAR_STEPS).map(|i| f64::from(i) / f64::from(LINEAR_STEPS));
    let mut counts: Vec<u64> = logarithmic.chain(linear).map(count).filter(|&count| count > 0).collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}
