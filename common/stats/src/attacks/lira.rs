//! The likelihood-ratio attack (Carlini et al. 2022, arXiv 2112.03570), and its online score (algorithm 1):
//! ln N(phi_t; mu_in, sd_in) - ln N(phi_t; mu_out, sd_out), mean over queries, summed over labels. The
//! offline score is that of [`super::offline`].

use std::hint::black_box;

use super::block::ScoreBlocks;
use super::channels::{Found, each_channel};
use super::eights;
use super::offline::Distances;
use super::predictive::{Given, Of};
use super::strip::Strip;
use super::variances::{FixedBy, Scratch, Side, Variances, ln_shared, raised};
use super::{Attack, Work};
use crate::config::{Center, Counts, Variance};
use crate::design::Blocks;
use crate::lanes::{Kernel, LANES, Vector, dispatch, ln};
use crate::references::{References, Scheme, Span};
use crate::signal::View;

/// LiRA with any reference scheme, centre and variance; offline where the scheme has OUT references only.
pub(crate) struct Lira {
    scheme: Scheme,
    center: Center,
    blocks: Blocks,
    variances: Variances,
}

impl Lira {
    pub fn new(scheme: Scheme, center: Center, variance: Variance, blocks: &Blocks) -> Self {
        let fixed_by = match scheme {
            Scheme::OutsideOnly(_) => FixedBy::Outside,
            Scheme::LeaveOneOut(_) | Scheme::EarlierBlocks => FixedBy::Inside,
        };
        let variances = Variances::new(variance, fixed_by, blocks.shadows);
        Self { scheme, center, blocks: blocks.clone(), variances }
    }
}

impl Lira {
    /// Whether the side that the target is not on gives up its first shadow of the target's block.
    fn gives_up_first(&self) -> bool {
        matches!(self.scheme, Scheme::LeaveOneOut(Counts::Equal) | Scheme::OutsideOnly(Counts::Equal))
    }
}

impl Attack for Lira {
    fn passes(&self) -> usize {
        self.variances.passes()
    }

    fn width(&self, pass: usize) -> usize {
        self.variances.width(pass)
    }

    fn observe(&self, pass: usize, view: &View<'_>, work: &mut Work, sums: &mut [f64]) {
        for signals in each_channel(view, self.blocks.shadows) {
            work.references.fill(self.scheme, Center::Mean, signals, view.column, &self.blocks);
            self.variances.observe(pass, &work.references, &mut work.scratch, sums);
        }
    }

    fn observes_strips(&self, pass: usize) -> bool {
        pass == 0 && self.variances.begins_with_squares() && self.gives_up_first()
    }

    fn observe_strip(&self, pass: usize, strip: &Strip, work: &mut Work, sums: &mut [f64]) {
        let shadows = self.blocks.shadows;
        work.eights.fit(&self.blocks);
        for side in &mut work.squares {
            side.clear();
            side.resize(shadows, [0.0; LANES]);
        }
        // References of a side, by side: its shadows less the target, or less the first of its block.
        let mut counts = [0.0; 2];
        for eight in strip.eights() {
            let (scratch, [sums_in, sums_out]) = (&mut work.eights, &mut work.squares);
            let (eight, blocks) = (&eight, &self.blocks);
            let irregular = dispatch(eights::Squares { eight, blocks, scratch, sums_in, sums_out });
            for lane in 0..eight.places.len() {
                if irregular >> lane & 1 == 1 {
                    let view = View::of_signals(eight.signals[lane], eight.columns[lane]);
                    self.observe(pass, &view, work, sums);
                } else {
                    let inside: u32 = eight.columns[lane].iter().map(|word| word.count_ones()).sum();
                    counts[0] += f64::from(inside - 1);
                    counts[1] += f64::from(shadows as u32 - inside - 1);
                }
            }
        }
        for ((side, count), sums) in
            work.squares.iter().zip(counts).zip(sums.chunks_exact_mut(sums.len() / 2))
        {
            let (squares, counts) = sums.split_at_mut(sums.len() / 2);
            let sums = squares.iter_mut().zip(counts).zip(side);
            sums.for_each(|((squares, counts), lanes)| {
                *squares += lanes.iter().sum::<f64>();
                *counts += count;
            });
        }
    }

    fn scores_strips(&self) -> bool {
        self.variances.kind == Variance::PerRecord && self.scheme == Scheme::LeaveOneOut(Counts::Equal)
    }

    fn score_strip(&self, strip: &Strip, work: &mut Work, found: &mut ScoreBlocks) {
        let (blocks, least) = (&self.blocks, self.variances.highest_floors());
        work.eights.fit(blocks);
        work.lanes.resize(strip.places().len().div_ceil(LANES) * blocks.shadows, [0.0; LANES]);
        work.irregular.clear();
        for (eight, scores) in strip.eights().zip(work.lanes.chunks_exact_mut(blocks.shadows)) {
            let (eight, scratch, center) = (&eight, &mut work.eights, self.center);
            work.irregular.push(dispatch(eights::Ratios { eight, blocks, center, scratch, least, scores }));
        }
        found.place_strip(strip.places(), &work.lanes);
        for (index, eight) in strip.eights().enumerate() {
            for lane in 0..eight.places.len() {
                if work.irregular[index] >> lane & 1 == 1 {
                    let mut row = std::mem::take(&mut work.row);
                    row.resize(blocks.shadows, f64::NAN);
                    let view = View::of_signals(eight.signals[lane], eight.columns[lane]);
                    let floored = self.score(&view, work, &mut row);
                    found.replace(eight.places[lane], &row, floored);
                    work.row = row;
                }
            }
        }
    }

    fn learn(&mut self, pass: usize, sums: &[f64]) {
        self.variances.learn(pass, sums);
    }

    fn score(&self, view: &View<'_>, work: &mut Work, scores: &mut [f64]) -> u64 {
        let Work { references, scratch, channels, .. } = work;
        channels.score(view, scores, |signals, found| {
            references.fill(self.scheme, self.center, signals, view.column, &self.blocks);
            let variances = &self.variances;
            match self.scheme {
                Scheme::OutsideOnly(_) => dispatch(Distances { variances, references, found }),
                Scheme::LeaveOneOut(_) | Scheme::EarlierBlocks => {
                    dispatch(Ratios { variances, references, scratch, found });
                }
            }
        })
    }
}

/// The log-likelihood ratios of one channel.
struct Ratios<'a> {
    variances: &'a Variances,
    references: &'a References,
    scratch: &'a mut Scratch,
    found: &'a mut Found,
}

impl Kernel for Ratios<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { variances, references: r, scratch, found } = self;
        let Variances { kind, sides, fixed, ln_fixed, .. } = variances;
        scratch.reset(r);
        if *kind == Variance::PerRecord {
            ln_shared::<V>(r, scratch, |n| n);
        }
        for span in &r.spans {
            let targets = span.targets.clone();
            let given = Targets::new(r, span, variances.least());
            let score = &mut found.score[targets.clone()];
            let floored = &mut found.floored[targets.clone()];
            let columns =
                |of: fn(&Side) -> &[f64]| [&of(&sides[0])[targets.clone()], &of(&sides[1])[targets.clone()]];
            match kind {
                Variance::PerRecord => {
                    let ln_other = &scratch.other[targets.clone()];
                    per_record(
                        given,
                        columns(|s| &s.floor),
                        columns(|s| &s.ln_floor),
                        ln_other,
                        score,
                        floored,
                    );
                }
                Variance::Pooled => {
                    floored.fill(0.0);
                    common(given, columns(|s| &s.pooled), columns(|s| &s.ln_pooled), score);
                }
                Variance::Reference => {
                    floored.fill(0.0);
                    let (fixed, ln_fixed) = (&fixed[targets.clone()], &ln_fixed[targets.clone()]);
                    common(given, [fixed; 2], [ln_fixed; 2], score);
                }
                Variance::Shrunk => {
                    let prior = |k: usize, n: u32| sides[k].prior.with(n, targets.clone());
                    let own = [prior(0, span.own[0]), prior(1, span.own[1])];
                    let other = [prior(1, span.other[0]), prior(0, span.other[1])];
                    shrunk(given, columns(|s| &s.floor), own, other, score, floored);
                }
            }
        }
    }
}

/// Targets of a span with what their references came to.
#[derive(Clone, Copy)]
struct Targets<'a> {
    inside: &'a [f64],
    outside: &'a [f64],
    own_deviation: &'a [f64],
    own_squares: &'a [f64],
    other_deviation: &'a [f64],
    other_squares: &'a [f64],
    /// Numbers of references, `[IN, OUT]` by the side of the target; NaN where they are too few.
    own_n: [f64; 2],
    other_n: [f64; 2],
}

impl<'a> Targets<'a> {
    #[inline(always)]
    fn new(r: &'a References, span: &Span, least: u32) -> Self {
        let targets = span.targets.clone();
        let enough = |n: u32| if n < least { f64::NAN } else { f64::from(n) };
        Self {
            inside: &r.inside[targets.clone()],
            outside: &r.outside[targets.clone()],
            own_deviation: &r.own.deviation[targets.clone()],
            own_squares: &r.own.squares[targets.clone()],
            other_deviation: &r.other.deviation[targets.clone()],
            other_squares: &r.other.squares[targets],
            own_n: span.own.map(enough),
            other_n: span.other.map(enough),
        }
    }

    /// The same at a length that the compiler knows to be that of the result.
    #[inline(always)]
    fn cut(self, length: usize) -> Self {
        Self {
            inside: &self.inside[..length],
            outside: &self.outside[..length],
            own_deviation: &self.own_deviation[..length],
            own_squares: &self.own_squares[..length],
            other_deviation: &self.other_deviation[..length],
            other_squares: &self.other_squares[..length],
            ..self
        }
    }

    /// ln p_in - ln p_out from the log densities on the target's own side and on the other one; NaN where
    /// there is no signal, or too few references.
    #[inline(always)]
    fn ratio(&self, target: usize, ln_own: f64, ln_other: f64) -> f64 {
        let (is_in, is_out) = (self.inside[target] != 0.0, self.outside[target] != 0.0);
        let n = pick(is_in, self.own_n) + pick(is_in, self.other_n);
        let ratio = if is_in { ln_own - ln_other } else { ln_other - ln_own };
        if (is_in || is_out) && n > 0.0 { ratio } else { f64::NAN }
    }
}

/// ln N(x; mean, variance) + ln(2 pi) / 2, from the deviation of x from the mean.
#[inline(always)]
pub(crate) fn gaussian(deviation: f64, variance: f64, ln_variance: f64) -> f64 {
    -0.5 * (deviation * deviation / variance + ln_variance)
}

#[inline(always)]
fn pick(is_in: bool, [inside, outside]: [f64; 2]) -> f64 {
    if is_in { inside } else { outside }
}

/// 1 / (n - less), for targets that are IN and for those that are OUT. The compiler must not know how they
/// were made: it would rather choose the number first and then divide, for each target again.
#[inline(always)]
fn per(n: [f64; 2], less: f64) -> [f64; 2] {
    n.map(|n| black_box(1.0 / (n - less)))
}

/// Each record's own variances, divisor n. The log of the other side's, which many targets share, is
/// given.
#[inline(always)]
fn per_record(
    given: Targets<'_>,
    floors: [&[f64]; 2],
    ln_floors: [&[f64]; 2],
    ln_other: &[f64],
    score: &mut [f64],
    floored: &mut [f64],
) {
    let length = score.len();
    let (given, floored, ln_other) = (given.cut(length), &mut floored[..length], &ln_other[..length]);
    let (floors, ln_floors) = (floors.map(|f| &f[..length]), ln_floors.map(|f| &f[..length]));
    let (per_own, per_other) = (per(given.own_n, 0.0), per(given.other_n, 0.0));
    for i in 0..length {
        let is_in = given.inside[i] != 0.0;
        let floor = [floors[0][i], floors[1][i]];
        let (own_floor, other_floor) = (pick(is_in, floor), pick(!is_in, floor));
        let own = given.own_squares[i] * pick(is_in, per_own);
        let other = given.other_squares[i] * pick(is_in, per_other);
        let ln_floor = pick(!is_in, [ln_floors[0][i], ln_floors[1][i]]);
        let ln_other = if other < other_floor { ln_floor } else { ln_other[i] };
        let own_raised = raised(own, own_floor);
        let ln_p_own = gaussian(given.own_deviation[i], own_raised, ln(own_raised));
        let ln_p_other = gaussian(given.other_deviation[i], raised(other, other_floor), ln_other);
        score[i] = given.ratio(i, ln_p_own, ln_p_other);
        floored[i] = if own < own_floor || other < other_floor { 1.0 } else { 0.0 };
    }
}

/// Variances that all records have in common, of IN and OUT.
#[inline(always)]
fn common(given: Targets<'_>, variances: [&[f64]; 2], ln_variances: [&[f64]; 2], score: &mut [f64]) {
    let length = score.len();
    let given = given.cut(length);
    let (variances, ln_variances) = (variances.map(|v| &v[..length]), ln_variances.map(|v| &v[..length]));
    for i in 0..length {
        let is_in = given.inside[i] != 0.0;
        let (variance, ln_variance) =
            ([variances[0][i], variances[1][i]], [ln_variances[0][i], ln_variances[1][i]]);
        let square = |d: f64| d * d;
        let own = square(given.own_deviation[i]) / pick(is_in, variance);
        let other = square(given.other_deviation[i]) / pick(!is_in, variance);
        // Logs that are the same leave no trace of rounding.
        let logs = pick(!is_in, ln_variance) - pick(is_in, ln_variance);
        score[i] = given.ratio(i, 0.5 * ((other - own) + logs), 0.0);
    }
}

/// Shrunk variances: predictive t densities, or normal ones where the prior has no spread. `own` and
/// `other` are the priors of those sides for targets that are IN and for those that are OUT.
#[inline(always)]
fn shrunk(
    given: Targets<'_>,
    floors: [&[f64]; 2],
    own: [Given<'_>; 2],
    other: [Given<'_>; 2],
    score: &mut [f64],
    floored: &mut [f64],
) {
    let length = score.len();
    let (given, floored, floors) = (given.cut(length), &mut floored[..length], floors.map(|f| &f[..length]));
    let (own, other) = (own.map(|side| side.cut(length)), other.map(|side| side.cut(length)));
    let (per_own, per_other) = (per(given.own_n, 1.0), per(given.other_n, 1.0));
    for i in 0..length {
        let is_in = given.inside[i] != 0.0;
        let floor = [floors[0][i], floors[1][i]];
        let (own_floor, other_floor) = (pick(is_in, floor), pick(!is_in, floor));
        let own_s2 = given.own_squares[i] * pick(is_in, per_own);
        let other_s2 = given.other_squares[i] * pick(is_in, per_other);
        let (own, other) = (Of::pick(is_in, own, i), Of::pick(is_in, other, i));
        let own_a = own.a(raised(own_s2, own_floor));
        let other_a = other.a(raised(other_s2, other_floor));
        // One logarithm for both scales: - ln(A_own) / 2 + ln(A_other) / 2.
        let scales = 0.5 * ln(other_a / own_a);
        let ln_p_own = own.ln_density_but_scale(given.own_deviation[i], own_a);
        let ln_p_other = other.ln_density_but_scale(given.other_deviation[i], other_a);
        score[i] = given.ratio(i, ln_p_own + scales, ln_p_other);
        floored[i] = if own_s2 < own_floor || other_s2 < other_floor { 1.0 } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::Spare;
    use super::*;
    use crate::design::Design;
    use crate::lanes::on_every_level;
    use umbra_core::seed::{Purpose, Seed};

    /// Scores of every record by an attack, as bits; sums and all.
    fn scores(mut attack: impl Attack, records: &[(Vec<f64>, [u64; 1])]) -> Vec<u64> {
        let mut work = Work::default();
        for pass in 0..attack.passes() {
            let mut sums = vec![0.0; attack.width(pass)];
            for (signals, column) in records {
                attack.observe(pass, &View::of_signals(signals, column), &mut work, &mut sums);
            }
            attack.learn(pass, &sums);
        }
        let mut row = vec![0.0; records[0].0.len()];
        let each = records.iter().flat_map(|(signals, column)| {
            attack.score(&View::of_signals(signals, column), &mut work, &mut row);
            row.iter().map(|score| if score.is_finite() { score.to_bits() } else { 0 }).collect::<Vec<_>>()
        });
        each.collect()
    }

    /// The same scores, and the same sums, as record by record: of records that are plain, with offsets and
    /// outliers, as few lanes and as many as there are.
    #[test]
    fn strips_are_scored_as_single_records_are() {
        for (shadows, block, records) in [(40, 10, 20), (16, 16, 64), (130, 2, 9), (72, 24, 3)] {
            let blocks = Design::blocks(block).resolve(shadows).unwrap();
            let mut stream = Seed::new(3).stream(Purpose::Simulation, &[shadows as u64]);
            let rows: Vec<(Vec<f64>, Vec<u64>)> = (0..records)
                .map(|record| {
                    let offset = [0.0, 1e4, -3.0][record % 3];
                    let mut signals: Vec<f64> = (0..shadows).map(|_| stream.normal_f64() + offset).collect();
                    match record % 7 {
                        3 => signals[record % shadows] += 1e3,
                        5 => signals.iter_mut().for_each(|x| *x = libm::round(*x)),
                        6 => signals.fill(offset),
                        2 => signals[record % shadows] = 1e200,
                        _ => {}
                    }
                    let mut column = vec![0; shadows.div_ceil(64)];
                    for start in (0..shadows).step_by(block) {
                        let mut half: Vec<bool> = (0..block).map(|place| place < block / 2).collect();
                        stream.shuffle(&mut half);
                        for shadow in (start..start + block).filter(|shadow| half[shadow - start]) {
                            column[shadow / 64] |= 1 << (shadow % 64);
                        }
                    }
                    (signals, column)
                })
                .collect();
            let views = || rows.iter().map(|(signals, column)| View::of_signals(signals, column));
            let find = |center| {
                let (mut work, mut strip) = (Work::default(), Strip::default());
                let equal = Scheme::LeaveOneOut(Counts::Equal);
                let mut lira = Lira::new(equal, center, Variance::PerRecord, &blocks);
                assert!(lira.observes_strips(0) && lira.scores_strips());
                let mut sums = [vec![0.0; lira.width(0)], vec![0.0; lira.width(0)]];
                for (place, view) in views().enumerate() {
                    assert!(strip.take(place, &view, &blocks));
                    lira.observe(0, &view, &mut work, &mut sums[0]);
                }
                lira.observe_strip(0, &strip, &mut work, &mut sums[1]);
                lira.learn(0, &sums[0]);
                let mut found = Spare::default().blocks(shadows, records);
                lira.score_strip(&strip, &mut work, &mut found);
                let (mut single, mut floored, mut row) = (Vec::new(), 0, vec![0.0; shadows]);
                for view in views() {
                    floored += lira.score(&view, &mut work, &mut row);
                    single.push(row.clone());
                }
                assert_eq!(found.floored, floored);
                let turned = (0..records).flat_map(|r| (0..shadows).map(move |s| s * records + r));
                let found: Vec<f64> = turned.map(|at| found.values()[at]).collect();
                let single =
                    single.concat().iter().map(|s| if s.is_finite() { *s } else { f64::NAN }).collect();
                ([sums[0].clone(), single], [sums[1].clone(), found])
            };
            for center in Center::ALL {
                let levels = on_every_level(|| find(center));
                for (one_by_one, together) in &levels {
                    for (expected, found) in one_by_one.iter().flatten().zip(together.iter().flatten()) {
                        let close = (expected - found).abs() <= 1e-9 * expected.abs().max(1.0);
                        let absent = expected.is_nan() && found.is_nan();
                        assert!(close || absent, "{center:?}: {found}, not {expected}");
                    }
                    let bits = |numbers: &[Vec<f64>; 2]| {
                        numbers.concat().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                    };
                    assert_eq!(bits(together), bits(&levels[0].1), "levels differ");
                }
            }
        }
    }

    /// Every centre, variance and rule on blocks of sizes with and without a remainder, with absent entries,
    /// offsets, outliers and equal signals.
    #[test]
    fn every_level_of_instructions_gives_the_same_bits() {
        for (shadows, block) in [(40, 10), (32, 16), (12, 2), (21, 21)] {
            let design = if block == shadows { Design::bernoulli() } else { Design::blocks(block) };
            let blocks = design.resolve(shadows).unwrap();
            let mut stream = Seed::new(9).stream(Purpose::Simulation, &[shadows as u64]);
            let records: Vec<_> = (0..40)
                .map(|record| {
                    let offset = [0.0, 0.0, 1e4, -3.0][record % 4];
                    let mut signals: Vec<f64> = (0..shadows).map(|_| stream.normal_f64() + offset).collect();
                    match record % 5 {
                        1 => signals[record % shadows] = f64::NAN,
                        2 => signals[record % shadows] += 1e9,
                        3 => signals.iter_mut().for_each(|x| *x = libm::round(*x)),
                        _ => {}
                    }
                    (signals, [stream.next_u64() & ((1 << shadows) - 1)])
                })
                .collect();
            for center in Center::ALL {
                for variance in Variance::ALL {
                    for counts in Counts::ALL {
                        let lira = |scheme| Lira::new(scheme, center, variance, &blocks);
                        let found = on_every_level(|| {
                            let mut all = scores(lira(Scheme::LeaveOneOut(counts)), &records);
                            all.extend(scores(lira(Scheme::OutsideOnly(counts)), &records));
                            all
                        });
                        let there = found[0].iter().filter(|bits| **bits != 0).count();
                        assert!(
                            there * 2 > found[0].len(),
                            "{shadows} {center:?} {variance:?} {counts:?}: {there}"
                        );
                        assert!(
                            found.iter().all(|level| *level == found[0]),
                            "{center:?} {variance:?} {counts:?}"
                        );
                    }
                }
            }
        }
    }
}
