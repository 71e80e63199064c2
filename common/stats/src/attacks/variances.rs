//! What the likelihood-ratio attacks learn from all records: how widely signals spread on each side.

use std::hint::black_box;

use super::predictive::{LogChi, Prior, SUMS};
use crate::config::Variance;
use crate::lanes::{Column, Kernel, Vector, dispatch, ln, padded};
use crate::references::{References, Span, Tables};

/// The least standard deviation of a side, as a share of that side's pooled one.
const FLOOR: f64 = 1e-3;

/// What is learnt for one side, IN or OUT, without the target: columns over the targets.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Pooled variance (divisor n).
    pub pooled: Column,
    pub ln_pooled: Column,
    /// Least variance: (1e-3 pooled sd)^2.
    pub floor: Column,
    pub ln_floor: Column,
    /// Shrunk variances only.
    pub prior: Prior,
}

/// Which side's values make the one variance of [`Variance::Reference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FixedBy {
    Inside = 0,
    Outside = 1,
}

/// The spreads of both sides, IN and OUT.
pub(super) struct Variances {
    pub kind: Variance,
    fixed_by: FixedBy,
    chi: LogChi,
    /// Targets, in whole lanes.
    targets: usize,
    pub sides: [Side; 2],
    /// [`Variance::Reference`] only: mean of all values of one side, their variance (divisor n) and its
    /// log; columns over the targets.
    mean: Column,
    pub fixed: Column,
    pub ln_fixed: Column,
}

impl Variances {
    pub fn new(kind: Variance, fixed_by: FixedBy, shadows: usize) -> Self {
        Self {
            kind,
            fixed_by,
            chi: LogChi::new(if kind == Variance::Shrunk { shadows } else { 0 }),
            targets: padded(shadows),
            sides: Default::default(),
            mean: Column::default(),
            fixed: Column::default(),
            ln_fixed: Column::default(),
        }
    }

    /// References that a side needs: two. A pooled variance is the exception: it is no record's own, one
    /// reference adds a square of 0 and a count of 1 to it, and is enough for a mean beside it. Case
    /// `nan_model` of `vectors/pitfalls.json` asks for that: its record 2 has two OUT models, each of which
    /// is scored beside the other one alone.
    pub fn least(&self) -> u32 {
        match self.kind {
            Variance::Pooled => 1,
            Variance::PerRecord | Variance::Shrunk | Variance::Reference => 2,
        }
    }

    /// Passes over all records that it takes to learn them.
    pub fn passes(&self) -> usize {
        match self.kind {
            Variance::PerRecord | Variance::Pooled => 1,
            Variance::Shrunk | Variance::Reference => 2,
        }
    }

    /// Whether the first pass sums up squares.
    pub fn begins_with_squares(&self) -> bool {
        self.kind != Variance::Reference
    }

    /// The highest floor of any target, of IN and OUT.
    pub fn highest_floors(&self) -> [f64; 2] {
        [0, 1].map(|side: usize| self.sides[side].floor.iter().copied().fold(0.0, f64::max))
    }

    /// Sums over records: per side and target squares and counts, and then [`SUMS`]; or, for the one
    /// variance, counts and values, and then squares.
    pub fn width(&self, pass: usize) -> usize {
        self.targets
            * match (self.kind, pass) {
                (Variance::Reference, 0) => 2,
                (Variance::Reference, _) => 1,
                (_, 0) => 4,
                _ => 2 * SUMS,
            }
    }

    /// Adds the references of one channel of one record, centred on their means.
    pub fn observe(&self, pass: usize, references: &References, scratch: &mut Scratch, sums: &mut [f64]) {
        match (self.kind, pass) {
            (Variance::Reference, _) => {
                let mean = if pass == 0 { None } else { Some(&*self.mean) };
                dispatch(AllValues { references, side: self.fixed_by as usize, mean, sums });
            }
            (_, 0) => dispatch(Squares { references, sums }),
            _ => dispatch(Logs { variances: self, references, scratch, sums }),
        }
    }

    pub fn learn(&mut self, pass: usize, sums: &[f64]) {
        let targets = self.targets;
        let column = |index: usize| &sums[index * targets..(index + 1) * targets];
        let ratios = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a / b).collect::<Column>();
        let lns = |values: &[f64]| values.iter().map(|&value| ln(value)).collect::<Column>();
        match (self.kind, pass) {
            (Variance::Reference, 0) => {
                self.mean = ratios(column(1), column(0));
                self.fixed = column(0).iter().copied().collect();
            }
            (Variance::Reference, _) => {
                self.fixed = ratios(column(0), &self.fixed);
                self.ln_fixed = lns(&self.fixed);
            }
            (_, 0) => {
                for (k, side) in self.sides.iter_mut().enumerate() {
                    side.pooled = ratios(column(2 * k), column(2 * k + 1));
                    side.ln_pooled = lns(&side.pooled);
                    side.floor = side.pooled.iter().map(|variance| FLOOR * FLOOR * variance).collect();
                    side.ln_floor = lns(&side.floor);
                }
            }
            _ => {
                for (k, side) in self.sides.iter_mut().enumerate() {
                    let sums = |target: usize| [0, 1, 2, 3].map(|i| column(SUMS * k + i)[target]);
                    side.prior = Prior::fit(targets, sums, &side.ln_pooled);
                }
            }
        }
    }
}

/// Columns over the targets that mean nothing between two channels.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub own: Column,
    pub other: Column,
    /// `[IN, OUT][block]`.
    pub table: [Vec<f64>; 2],
}

impl Scratch {
    pub fn reset(&mut self, references: &References) {
        let targets = references.inside.len();
        for column in [&mut self.own, &mut self.other] {
            column.fit(targets);
        }
        for table in &mut self.table {
            table.resize(references.tables.n[0].len(), 0.0);
        }
    }
}

/// Squares and counts of both sides.
struct Squares<'a> {
    references: &'a References,
    sums: &'a mut [f64],
}

impl Kernel for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { references: r, sums } = self;
        let (inside, outside) = sums.split_at_mut(sums.len() / 2);
        for span in &r.spans {
            let range = span.targets.clone();
            let weights = [&r.inside[range.clone()], &r.outside[range.clone()]];
            let squares = [&r.own.squares[range.clone()], &r.other.squares[range.clone()]];
            for (side, sums) in [&mut *inside, &mut *outside].into_iter().enumerate() {
                let (sums, counts) = sums.split_at_mut(sums.len() / 2);
                add_squares(
                    [weights[side], weights[1 - side]],
                    squares,
                    [span.own[side], span.other[1 - side]],
                    &mut sums[range.clone()],
                    &mut counts[range.clone()],
                );
            }
        }
    }
}

/// Adds those of one side, which is the own one of some targets and the other one of the rest. Squares that
/// no number holds are left out; what a target without a signal finds there is of some other record.
#[inline(always)]
fn add_squares(
    weights: [&[f64]; 2],
    squares: [&[f64]; 2],
    n: [u32; 2],
    sums: &mut [f64],
    counts: &mut [f64],
) {
    let length = sums.len();
    let n = n.map(f64::from);
    let (own, other, counts) = (&weights[0][..length], &weights[1][..length], &mut counts[..length]);
    let (own_squares, other_squares) = (&squares[0][..length], &squares[1][..length]);
    for i in 0..length {
        let is_own = own[i] != 0.0;
        let (squares, n) = if is_own { (own_squares[i], n[0]) } else { (other_squares[i], n[1]) };
        let counts_in = own[i] + other[i] != 0.0 && squares.abs() < f64::INFINITY;
        sums[i] += if counts_in { squares } else { 0.0 };
        counts[i] += if counts_in { n } else { 0.0 };
    }
}

/// All values of one side, summed; once their mean is known, their squares about it.
struct AllValues<'a> {
    references: &'a References,
    side: usize,
    mean: Option<&'a [f64]>,
    sums: &'a mut [f64],
}

impl Kernel for AllValues<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { references: r, side, mean, sums } = self;
        let weights = [&r.inside, &r.outside];
        for span in &r.spans {
            let range = span.targets.clone();
            let given = Values {
                signals: &r.signals()[range.clone()],
                weights: [&weights[side][range.clone()], &weights[1 - side][range.clone()]],
                deviations: [&r.own.deviation[range.clone()], &r.other.deviation[range.clone()]],
                squares: [&r.own.squares[range.clone()], &r.other.squares[range.clone()]],
                n: [span.own[side], span.other[1 - side]].map(f64::from),
            };
            match mean {
                None => {
                    let (counts, values) = sums.split_at_mut(sums.len() / 2);
                    add_values(given, &mut counts[range.clone()], &mut values[range]);
                }
                Some(mean) => add_squares_about(given, &mean[range.clone()], &mut sums[range]),
            }
        }
    }
}

/// References of one side: the own one of some targets, and the other one of the rest.
struct Values<'a> {
    signals: &'a [f64],
    weights: [&'a [f64]; 2],
    deviations: [&'a [f64]; 2],
    squares: [&'a [f64]; 2],
    n: [f64; 2],
}

impl Values<'_> {
    /// Their number, mean and squares; 0 of them where the target gives no signal, or no number holds the
    /// squares.
    #[inline(always)]
    fn of(&self, i: usize) -> (f64, f64, f64) {
        let (own, other) = (self.weights[0][i], self.weights[1][i]);
        let deviation = if own != 0.0 { self.deviations[0][i] } else { self.deviations[1][i] };
        let squares = if own != 0.0 { self.squares[0][i] } else { self.squares[1][i] };
        let n = if squares.abs() < f64::INFINITY { own * self.n[0] + other * self.n[1] } else { 0.0 };
        (n, self.signals[i] - deviation, squares)
    }
}

#[inline(always)]
fn add_values(given: Values<'_>, counts: &mut [f64], values: &mut [f64]) {
    for (i, (count, value)) in counts.iter_mut().zip(values).enumerate() {
        let (n, mean, _) = given.of(i);
        *count += n;
        *value += if n > 0.0 { n * mean } else { 0.0 };
    }
}

#[inline(always)]
fn add_squares_about(given: Values<'_>, about: &[f64], sums: &mut [f64]) {
    for (i, (sum, about)) in sums.iter_mut().zip(about).enumerate() {
        let (n, mean, squares) = given.of(i);
        let d = mean - about;
        let found = squares + n * d * d;
        *sum += if n > 0.0 && found < f64::INFINITY { found } else { 0.0 };
    }
}

/// The log moments of both sides' sample variances.
struct Logs<'a> {
    variances: &'a Variances,
    references: &'a References,
    scratch: &'a mut Scratch,
    sums: &'a mut [f64],
}

impl Kernel for Logs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { variances, references: r, scratch, sums } = self;
        scratch.reset(r);
        ln_shared::<V>(r, scratch, |n| n - 1.0);
        let per_side = sums.len() / 2;
        for span in &r.spans {
            let range = span.targets.clone();
            let weights = [&r.inside[range.clone()], &r.outside[range.clone()]];
            ln_own(
                span,
                weights,
                [&variances.sides[0].floor[range.clone()], &variances.sides[1].floor[range.clone()]],
                &r.own.squares[range.clone()],
                &mut scratch.own[range.clone()],
            );
            for (k, side) in variances.sides.iter().enumerate() {
                let (own, other) = (span.own[k], span.other[1 - k]);
                let mut rest = &mut sums[k * per_side..(k + 1) * per_side];
                let sums = [0; SUMS].map(|_| {
                    let (column, after) = std::mem::take(&mut rest).split_at_mut(per_side / SUMS);
                    rest = after;
                    &mut column[range.clone()]
                });
                let [count, first, second, spread] = sums;
                observe_logs(
                    [weights[k], weights[1 - k]],
                    [&scratch.own[range.clone()], &scratch.other[range.clone()]],
                    &r.other.squares[range.clone()],
                    1.0 / f64::from(other.saturating_sub(1)),
                    [&side.floor[range.clone()], &side.ln_floor[range.clone()]],
                    &side.ln_pooled[range.clone()],
                    [variances.chi.of(own), variances.chi.of(other)],
                    count,
                    first,
                    second,
                    spread,
                );
            }
        }
    }
}

/// Writes to `scratch.other` ln(squares / divisor) of the other side, which targets of one block and side
/// share; `divisor` is made from the number of references.
#[inline(always)]
pub(super) fn ln_shared<V: Vector>(r: &References, scratch: &mut Scratch, divisor: impl Fn(f64) -> f64) {
    let blocks = scratch.table[0].len();
    for side in 0..2 {
        let (squares, n) = (&r.tables.squares[side][..blocks], &r.tables.n[side][..blocks]);
        let table = &mut scratch.table[side][..blocks];
        for block in 0..blocks {
            table[block] = ln(squares[block] / divisor(n[block]));
        }
    }
    let [for_in, for_out] = &scratch.table;
    Tables::spread::<V>([for_in, for_out], &r.inside, r.shadows() / blocks, &mut scratch.other);
}

/// ln of the own side's sample variances, raised to their floor.
#[inline(always)]
fn ln_own(span: &Span, weights: [&[f64]; 2], floors: [&[f64]; 2], squares: &[f64], logs: &mut [f64]) {
    let length = logs.len();
    let (inside, squares) = (&weights[0][..length], &squares[..length]);
    let (floor_in, floor_out) = (&floors[0][..length], &floors[1][..length]);
    // Made out of the compiler's sight: it would divide for each target again.
    let per_degree = span.own.map(|n| black_box(1.0 / f64::from(n.saturating_sub(1))));
    for i in 0..length {
        let is_in = inside[i] != 0.0;
        let variance = squares[i] * if is_in { per_degree[0] } else { per_degree[1] };
        logs[i] = ln(raised(variance, if is_in { floor_in[i] } else { floor_out[i] }));
    }
}

/// A variance, or the floor where it lies below; NaN stays NaN.
#[inline(always)]
pub(super) fn raised(variance: f64, floor: f64) -> f64 {
    if variance < floor { floor } else { variance }
}

/// Adds e = ln s2 - digamma(nu / 2) + ln(nu / 2), less a pilot, of one side.
#[inline(always)]
fn observe_logs(
    weights: [&[f64]; 2],
    logs: [&[f64]; 2],
    other_squares: &[f64],
    per_degree: f64,
    floor: [&[f64]; 2],
    pilot: &[f64],
    chi: [(f64, f64); 2],
    count: &mut [f64],
    first: &mut [f64],
    second: &mut [f64],
    spread: &mut [f64],
) {
    let length = count.len();
    let (first, second, spread) = (&mut first[..length], &mut second[..length], &mut spread[..length]);
    let (own, other) = (&weights[0][..length], &weights[1][..length]);
    let (ln_own, ln_other) = (&logs[0][..length], &logs[1][..length]);
    let (floor, ln_floor, pilot) = (&floor[0][..length], &floor[1][..length], &pilot[..length]);
    let other_squares = &other_squares[..length];
    for i in 0..length {
        let raised = other_squares[i] * per_degree < floor[i];
        let ln_other = if raised { ln_floor[i] } else { ln_other[i] };
        let is_own = own[i] != 0.0;
        let (shift, chi_spread) = if is_own { chi[0] } else { chi[1] };
        let e = if is_own { ln_own[i] } else { ln_other } - shift - pilot[i];
        let counts = own[i] + other[i] != 0.0 && e.abs() < f64::INFINITY;
        let e = if counts { e } else { 0.0 };
        count[i] += if counts { 1.0 } else { 0.0 };
        first[i] += e;
        second[i] += e * e;
        spread[i] += if counts { chi_spread } else { 0.0 };
    }
}
