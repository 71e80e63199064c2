//! What one patient alone proves about epsilon, the parameter of differential privacy.
//!
//! Under (epsilon, delta) differential privacy no rule that tells IN from OUT shadows has a true positive
//! rate above e^epsilon times its false positive rate plus delta, nor a true negative rate above e^epsilon
//! times its false negative rate plus delta (Kairouz, Oh and Viswanath 2015, arXiv 1311.0776). The rule here is
//! a threshold on the patient's number, chosen for every group of shadows on the other groups.

use std::collections::HashMap;
use std::ops::Range;

use crate::beta::chance_lower;
use crate::descending::Descending;

/// How a patient's thresholds did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Hits {
    /// IN shadows, and those of them above the threshold.
    pub members: u16,
    pub caught: u16,
    /// OUT shadows, and those of them above the threshold.
    pub strangers: u16,
    pub flagged: u16,
}

/// Lower bounds of epsilon at one delta and one error rate.
#[derive(Debug)]
pub(crate) struct LowerBounds {
    delta: f64,
    alpha: f64,
    /// By successes and trials, each computed once: the lower limit of the chance.
    limits: HashMap<(u16, u16), f64>,
}

impl LowerBounds {
    pub fn new(delta: f64, alpha: f64) -> Self {
        Self { delta, alpha, limits: HashMap::new() }
    }

    /// The bound, by Clopper and Pearson's limits of the true and the false positive rate, each at half of
    /// the error rate. At least 0; NaN where nothing was thresholded.
    pub fn of(&mut self, hits: &Hits) -> f64 {
        let Hits { members, caught, strangers, flagged } = *hits;
        if members == 0 || strangers == 0 {
            return f64::NAN;
        }
        let delta = self.delta;
        let least_true = self.limit(caught, members);
        // The upper limit is that of the failures, seen from the other side.
        let most_false = 1.0 - self.limit(strangers - flagged, strangers);
        // Both limits at once hold for the rule and for its negation.
        log_ratio(least_true - delta, most_false).max(log_ratio(1.0 - most_false - delta, 1.0 - least_true))
    }

    fn limit(&mut self, successes: u16, trials: u16) -> f64 {
        let limit = || chance_lower(successes.into(), trials.into(), self.alpha / 2.0);
        *self.limits.entry((successes, trials)).or_insert_with(limit)
    }
}

/// ln(a / b), at least 0.
fn log_ratio(a: f64, b: f64) -> f64 {
    if a > b { libm::log(a / b) } else { 0.0 }
}

/// The most that so many shadows can prove: every IN shadow above and every OUT shadow below.
pub(crate) fn cap(members: u32, strangers: u32, delta: f64, alpha: f64) -> f64 {
    let count = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let (members, strangers) = (count(members), count(strangers));
    LowerBounds::new(delta, alpha).of(&Hits { members, caught: members, strangers, flagged: 0 })
}

/// The error rate at which thresholds are compared with each other; it only steers the choice.
const STEERING: f64 = 0.05;

/// Chooses thresholds and counts; owns its buffers.
///
/// What a cut proves grows with every IN shadow above it and falls with every OUT one, so that the best cut
/// is the first one, the last one, or lies where the last value above is an IN shadow's and the next one below
/// an OUT shadow's. Taking a group away makes no new such place: only those of all shadows together are
/// looked at, less what the group has above; and what may be the first or the last one without a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thresholds {
    order: Descending,
    groups: Vec<Group>,
    /// By shadow, twice the number of its group, and 1 more if it is OUT.
    slots: Vec<u32>,
    /// The same by place in the order.
    in_order: Vec<u32>,
    /// Shadows above each cut that may be best.
    cuts: Vec<usize>,
    /// By slot, shadows above the cut that is looked at.
    above: Vec<u16>,
    limits: Limits,
}

/// A group of shadows, and the best cut of the others.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// (IN, OUT) shadows with a value; those of the other groups; where the limits of as many begin.
    size: [u16; 2],
    others: [u16; 2],
    limits: [usize; 2],
    /// What the best cut proves, as bits, which have the order of numbers that are not negative, and the
    /// shadows above it; at first [`NOTHING`], or [`ENOUGH`] where there is nothing to choose a cut on.
    proven: i64,
    cut: usize,
}

const NOTHING: i64 = -1;
const ENOUGH: i64 = i64::MAX;

impl Thresholds {
    /// Thresholds the values of every group by the best threshold of the other groups. All zeros if there
    /// is no other group.
    pub fn hits(&mut self, values: &[f64], column: &[u64], groups: &[Range<usize>]) -> Hits {
        // Groups follow one another from the first shadow on.
        let values = &values[..groups.last().map_or(0, |last| last.end)];
        self.order.sort(values);
        self.begin(values, column, groups);
        self.find_cuts(values);
        self.look_at_cuts();
        let mut hits = Hits::default();
        for (index, (group, shadows)) in self.groups.iter().zip(groups).enumerate() {
            let Some(threshold) = self.threshold(index, values) else { continue };
            hits.members += group.size[0];
            hits.strangers += group.size[1];
            for (&value, slot) in values[shadows.clone()].iter().zip(&self.slots[shadows.clone()]) {
                // Neither an absent nor an infinite value is above.
                let (above, outside) =
                    (u16::from((value > threshold) & (value < f64::INFINITY)), *slot as u16 & 1);
                hits.caught += above & !outside;
                hits.flagged += above & outside;
            }
        }
        hits
    }

    /// Counts the groups; none has a cut yet.
    fn begin(&mut self, values: &[f64], column: &[u64], groups: &[Range<usize>]) {
        self.groups.clear();
        self.slots.clear();
        self.slots.resize(values.len(), 0);
        let mut all = [0; 2];
        for (index, shadows) in (0u32..).zip(groups) {
            let (mut there, mut outside) = (0, 0);
            let slots = self.slots[shadows.clone()].iter_mut().zip(&values[shadows.clone()]);
            for (shadow, (slot, value)) in (shadows.start..).zip(slots) {
                let out = !(column[shadow / 64] >> (shadow % 64)) as u16 & 1;
                *slot = 2 * index + u32::from(out);
                let here = u16::from(value.is_finite());
                there += here;
                outside += here & out;
            }
            let size = [there - outside, outside];
            all = [all[0] + size[0], all[1] + size[1]];
            self.groups.push(Group { size, others: [0; 2], limits: [0; 2], proven: ENOUGH, cut: 0 });
        }
        for group in &mut self.groups {
            group.others = [all[0] - group.size[0], all[1] - group.size[1]];
            group.limits = group.others.map(|trials| self.limits.of(trials));
            if !group.others.contains(&0) {
                group.proven = NOTHING;
            }
        }
        let slots = &self.slots[..];
        self.in_order.clear();
        self.in_order.extend(self.order.shadows.iter().map(|&shadow| slots[shadow as usize]));
    }

    /// Finds the cuts that may be best, from the highest. Of equal values, which no cut parts, all are the
    /// last above or the next below.
    fn find_cuts(&mut self, values: &[f64]) {
        let Self { order, in_order, cuts, .. } = self;
        let in_order = &in_order[..];
        cuts.clear();
        // How many are left above, or below, as long as they are of one group.
        let groups = in_order.iter().map(|slot| slot >> 1);
        let (high, low) = (first_of_another(groups.clone()), first_of_another(groups.rev()));
        if order.are_distinct() {
            cuts.resize(in_order.len(), 0);
            let mut found = 0;
            for (pair, place) in in_order.windows(2).zip(1..) {
                // A place that is not wanted is overwritten by the next.
                cuts[found] = place;
                let falls = (!pair[0] & pair[1] & 1) == 1;
                found += usize::from(falls | (place <= high + 1) | (in_order.len() - place <= low + 1));
            }
            return cuts.truncate(found);
        }
        let (mut place, mut last, mut last_has_inside) = (0, 0, false);
        while place < in_order.len() {
            let end = order.end_of_equal(place, values);
            let (has_inside, has_outside) = match &in_order[place..end] {
                [slot] => (slot & 1 == 0, slot & 1 == 1),
                equal => (equal.iter().any(|slot| slot & 1 == 0), equal.iter().any(|slot| slot & 1 == 1)),
            };
            let falls = last_has_inside & has_outside;
            if (place > 0) & (falls | (last <= high) | (in_order.len() - end <= low)) {
                cuts.push(place);
            }
            (last, place, last_has_inside) = (place, end, has_inside);
        }
    }

    /// Goes through the cuts, and has each group keep the first of its best ones.
    fn look_at_cuts(&mut self) {
        let Self { groups, in_order, cuts, above, limits, .. } = self;
        above.clear();
        above.resize(2 * groups.len(), 0);
        // Slices lie in registers where what owns them does not.
        let (groups, in_order, above, limits) =
            (&mut groups[..], &in_order[..], &mut above[..], &limits.all[..]);
        let (mut before, mut outside) = (0, 0);
        for &cut in &*cuts {
            for &slot in &in_order[before..cut] {
                above[slot as usize] += 1;
                outside += slot as u16 & 1;
            }
            before = cut;
            let all = [cut as u16 - outside, outside];
            for (group, above) in groups.iter_mut().zip(above.as_chunks().0) {
                group.look(cut, all, *above, limits);
            }
        }
    }

    /// The threshold that proves most on the other groups than the one at `index`: halfway between
    /// neighbouring values of theirs.
    fn threshold(&self, index: usize, values: &[f64]) -> Option<f64> {
        let Group { proven, cut, .. } = self.groups[index];
        if proven == NOTHING || proven == ENOUGH {
            return None;
        }
        let other = |slot: &u32| (slot >> 1) as usize != index;
        let (above, below) = self.in_order.split_at(cut);
        let (last, next) = (above.iter().rposition(other)?, cut + below.iter().position(other)?);
        let value = |place: usize| values[self.order.shadows[place] as usize];
        Some(0.5 * value(last) + 0.5 * value(next))
    }
}

impl Group {
    /// Looks at a cut with so many shadows above: (IN, OUT) of all groups, and of this one.
    #[inline(always)]
    fn look(&mut self, cut: usize, all: [u16; 2], own: [u16; 2], limits: &[Limit]) {
        let [caught, flagged] = [all[0] - own[0], all[1] - own[1]];
        let [members, strangers] = self.others;
        let yes = &limits[self.limits[0] + usize::from(caught)];
        let no = &limits[self.limits[1] + usize::from(strangers - flagged)];
        // True over false positives, and true over false negatives, each at its limit.
        let (positive, negative) = (yes.least * no.per_rest, no.least * yes.per_rest);
        let proven = if positive > negative { positive } else { negative }.to_bits() as i64;
        let (above, there) = (caught + flagged, members + strangers);
        // Without a branch: which cut is better is anybody's guess.
        let better = (proven > self.proven) & (above > 0) & (above < there);
        self.proven = std::hint::select_unpredictable(better, proven, self.proven);
        self.cut = std::hint::select_unpredictable(better, cut, self.cut);
    }
}

/// How many come before the first one of another group than theirs.
fn first_of_another(mut groups: impl Iterator<Item = u32>) -> usize {
    let Some(first) = groups.next() else { return 0 };
    1 + groups.take_while(|&group| group == first).count()
}

/// The lower limit p of the chance after some successes, and 1 / (1 - p).
#[derive(Debug, Clone, Copy)]
struct Limit {
    least: f64,
    per_rest: f64,
}

/// Limits by trials, each computed once.
#[derive(Debug, Clone, Default)]
struct Limits {
    /// After 0, 1, ... successes.
    all: Vec<Limit>,
    /// By trials, where in `all` they begin.
    begins: Vec<Option<usize>>,
}

impl Limits {
    /// Where those of so many trials begin.
    fn of(&mut self, trials: u16) -> usize {
        let place = usize::from(trials);
        if let Some(begin) = self.begins.get(place).copied().flatten() {
            return begin;
        }
        let begin = self.all.len();
        self.all.extend((0..=u64::from(trials)).map(|successes| {
            let least = chance_lower(successes, trials.into(), STEERING / 2.0);
            Limit { least, per_rest: 1.0 / (1.0 - least) }
        }));
        self.begins.resize(self.begins.len().max(place + 1), None);
        self.begins[place] = Some(begin);
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_core::seed::{Purpose, Seed};

    #[test]
    fn the_cap_is_known_beforehand() {
        // No false positive, all true, alpha .05, delta 0: ln(l / (1 - l)) with l = .025^(1 / n), by hand.
        for (shadows, expected) in [(64, 2.10), (128, 2.82), (256, 3.53)] {
            assert!((cap(shadows / 2, shadows / 2, 0.0, 0.05) - expected).abs() < 0.005);
        }
        // Half of the OUT shadows flagged, all IN caught: the rule itself proves ln(.891 / .681) = .27, its
        // negation ln(.319 / .109) = 1.07 (scipy 1.17.1: beta.ppf(.025, 16, 17) = .31882).
        let hits = Hits { members: 32, caught: 32, strangers: 32, flagged: 16 };
        let expected = libm::log(0.318_819_67 / 0.108_881_16);
        let mut bounds = LowerBounds::new(0.0, 0.05);
        assert!((bounds.of(&hits) - expected).abs() < 1e-3);
        let nothing = Hits { members: 32, caught: 16, strangers: 32, flagged: 16 };
        assert_eq!(bounds.of(&nothing), 0.0);
    }

    #[test]
    fn thresholds_never_see_their_own_group() {
        // Two groups of four, IN = even shadows. In the first IN is above 0, in the second above 10: the
        // threshold of each (halfway, 0 or 10) is useless in the other.
        let values = [1.0, -1.0, 1.0, -1.0, 11.0, 9.0, 11.0, 9.0];
        let groups = [0..4, 4..8];
        let hits = Thresholds::default().hits(&values, &[0b0101_0101], &groups);
        assert_eq!(hits, Hits { members: 4, caught: 2, strangers: 4, flagged: 2 });
        let moved: Vec<f64> = values.iter().map(|v| if *v > 5.0 { v - 10.0 } else { *v }).collect();
        let hits = Thresholds::default().hits(&moved, &[0b0101_0101], &groups);
        assert_eq!(hits, Hits { members: 4, caught: 4, strangers: 4, flagged: 0 });
        assert_eq!(Thresholds::default().hits(&moved, &[0b0101_0101], &groups[..1]), Hits::default());
    }

    /// Against every cut of the other groups, one by one, with ties and absent values.
    #[test]
    fn the_best_cut_is_the_best_of_all_cuts() {
        let mut stream = Seed::new(2).stream(Purpose::Simulation, &[]);
        for trial in 0..300 {
            let (groups, size) = (2 + trial % 4, 4 + trial % 9);
            let shadows = groups * size;
            let column = [stream.next_u64()];
            let is_in = |shadow: usize| column[0] >> shadow & 1 == 1;
            let draw = |shadow: usize| {
                let value = stream.normal_f64() + if is_in(shadow) { 0.7 } else { 0.0 };
                if trial % 3 == 0 { libm::round(3.0 * value) } else { value }
            };
            let mut values: Vec<f64> = (0..shadows).map(draw).collect();
            values[trial % shadows] = f64::NAN;
            let groups: Vec<_> = (0..groups).map(|group| group * size..(group + 1) * size).collect();
            let mut expected = Hits::default();
            for group in &groups {
                let there = |shadow: &usize| values[*shadow].is_finite();
                let others: Vec<usize> =
                    (0..shadows).filter(there).filter(|shadow| !group.contains(shadow)).collect();
                let count = |inside: bool, least: f64| -> u64 {
                    others.iter().filter(|&&s| is_in(s) == inside && values[s] > least).count() as u64
                };
                let (members, strangers) = (count(true, f64::NEG_INFINITY), count(false, f64::NEG_INFINITY));
                if members == 0 || strangers == 0 {
                    continue;
                }
                let mut levels: Vec<f64> = others.iter().map(|&shadow| values[shadow]).collect();
                levels.sort_by(|a, b| b.total_cmp(a));
                let cuts = levels.windows(2).filter(|pair| pair[0] > pair[1]);
                let proven = |threshold: f64| {
                    let least_true = chance_lower(count(true, threshold), members, STEERING / 2.0);
                    let rejected = strangers - count(false, threshold);
                    let least_negative = chance_lower(rejected, strangers, STEERING / 2.0);
                    (least_true / (1.0 - least_negative)).max(least_negative / (1.0 - least_true))
                };
                let cuts = cuts.map(|pair| 0.5 * pair[0] + 0.5 * pair[1]);
                // The first of the best.
                let best =
                    cuts.map(|cut| (proven(cut), cut)).reduce(|a, b| if b.0 > a.0 + 1e-12 { b } else { a });
                let Some((_, threshold)) = best else { continue };
                for shadow in group.clone().filter(there) {
                    let above = u16::from(values[shadow] > threshold);
                    let (n, hits) = match is_in(shadow) {
                        true => (&mut expected.members, &mut expected.caught),
                        false => (&mut expected.strangers, &mut expected.flagged),
                    };
                    (*n, *hits) = (*n + 1, *hits + above);
                }
            }
            assert_eq!(Thresholds::default().hits(&values, &column, &groups), expected, "trial {trial}");
        }
    }
}
