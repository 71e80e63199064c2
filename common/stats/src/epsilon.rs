//! What one patient alone proves about epsilon, the parameter of differential privacy.
//!
//! Under (epsilon, delta) differential privacy no rule that tells IN from OUT shadows has a true positive
//! rate above e^epsilon times its false positive rate plus delta, nor a true negative rate above e^epsilon
//! times its false negative rate plus delta (Kairouz, Oh and Viswanath 2015, arXiv 1311.0776). The rule here is
//! a threshold on the patient's number, chosen for every group of shadows on the other groups.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::beta::chance_lower;
use crate::sort_key::{key, number};

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
    /// Value, group and side of every shadow with a value, as [`pack`] does, descending.
    order: Vec<u128>,
    /// (IN, OUT) shadows per group.
    sizes: Vec<[u16; 2]>,
    /// Shadows above each cut.
    cuts: Vec<usize>,
    /// (IN, OUT) shadows above each cut: `[cut][group]`, and after the groups all together.
    above: Vec<[u16; 2]>,
    /// By a number of trials.
    limits: HashMap<u16, Arc<Vec<Limit>>>,
}

/// A shadow's value, its group, and whether it is IN.
#[derive(Debug, Clone, Copy)]
struct Sorted {
    value: f64,
    group: u32,
    inside: bool,
}

/// The lower limit p of the chance after some successes, and 1 / (1 - p).
#[derive(Debug, Clone, Copy)]
struct Limit {
    least: f64,
    per_rest: f64,
}

impl Thresholds {
    /// Thresholds the values of every group by the best threshold of the other groups. All zeros if there
    /// is no other group.
    pub fn hits(&mut self, values: &[f64], column: &[u64], groups: &[Range<usize>]) -> Hits {
        let bit = |shadow: usize| column[shadow / 64] >> (shadow % 64) & 1 == 1;
        self.order.clear();
        self.sizes.clear();
        for (index, group) in (0u32..).zip(groups) {
            let mut size = [0; 2];
            for shadow in group.clone().filter(|&shadow| values[shadow].is_finite()) {
                self.order.push(pack(values[shadow], index, bit(shadow)));
                size[usize::from(!bit(shadow))] += 1;
            }
            self.sizes.push(size);
        }
        self.order.sort_unstable_by(|a, b| b.cmp(a));
        self.cut();
        let all = self.sizes.iter().fold([0; 2], |sum: [u16; 2], size| [sum[0] + size[0], sum[1] + size[1]]);
        let mut hits = Hits::default();
        for (index, group) in groups.iter().enumerate() {
            let size = self.sizes[index];
            let others = [all[0] - size[0], all[1] - size[1]];
            let Some(threshold) = self.best(index, others) else { continue };
            hits.members += size[0];
            hits.strangers += size[1];
            // Neither an absent nor an infinite value is one.
            let above = |shadow: &usize| values[*shadow] > threshold && values[*shadow] < f64::INFINITY;
            for shadow in group.clone().filter(above) {
                *(if bit(shadow) { &mut hits.caught } else { &mut hits.flagged }) += 1;
            }
        }
        hits
    }

    /// Finds the cuts that may be best, and counts what is above them. Of equal values, which no cut parts,
    /// all are the last above or the next below.
    fn cut(&mut self) {
        self.cuts.clear();
        self.above.clear();
        let mut counts = vec![[0u16; 2]; self.sizes.len() + 1];
        // How many are left above, or below, as long as they are of one group.
        let [high, low] = [first_of_another(self.order.iter()), first_of_another(self.order.iter().rev())];
        let (mut place, mut last, mut last_has_inside) = (0, 0, false);
        for equal in self.order.chunk_by(|a, b| a >> 64 == b >> 64) {
            let inside = equal.iter().filter(|&&shadow| unpack(shadow).inside).count();
            let falls = last_has_inside && inside < equal.len();
            let (is_first, is_last) = (last <= high, self.order.len() - place - equal.len() <= low);
            if place > 0 && (falls || is_first || is_last) {
                self.cuts.push(place);
                self.above.extend_from_slice(&counts);
            }
            last = place;
            for &shadow in equal {
                let Sorted { group, inside, .. } = unpack(shadow);
                counts[group as usize][usize::from(!inside)] += 1;
                counts[self.sizes.len()][usize::from(!inside)] += 1;
            }
            place += equal.len();
            last_has_inside = inside > 0;
        }
    }

    /// The threshold that proves most on the groups other than `group`, which hold so many `[IN, OUT]`
    /// shadows: halfway between neighbouring values of theirs.
    fn best(&mut self, group: usize, [members, strangers]: [u16; 2]) -> Option<f64> {
        if members == 0 || strangers == 0 {
            return None;
        }
        let (of_members, of_strangers) = (self.limits(members), self.limits(strangers));
        let (mut best, mut found) = (f64::NEG_INFINITY, None);
        for (&cut, above) in self.cuts.iter().zip(self.above.chunks_exact(self.sizes.len() + 1)) {
            let (all, own) = (above[self.sizes.len()], above[group]);
            let [caught, flagged] = [all[0] - own[0], all[1] - own[1]];
            let (yes, no) = (of_members[caught as usize], of_strangers[(strangers - flagged) as usize]);
            // True over false positives, and true over false negatives, each at its limit.
            let proven = (yes.least * no.per_rest).max(no.least * yes.per_rest);
            if proven > best && caught + flagged > 0 && caught + flagged < members + strangers {
                (best, found) = (proven, Some(cut));
            }
        }
        let other = |&&shadow: &&u128| unpack(shadow).group as usize != group;
        let (above, below) = self.order.split_at(found?);
        let (last, next) = (above.iter().rev().find(other)?, below.iter().find(other)?);
        Some(0.5 * unpack(*last).value + 0.5 * unpack(*next).value)
    }

    /// After 0, 1, ... successes.
    fn limits(&mut self, trials: u16) -> Arc<Vec<Limit>> {
        let make = || {
            let limit = |successes| {
                let least = chance_lower(successes, trials.into(), STEERING / 2.0);
                Limit { least, per_rest: 1.0 / (1.0 - least) }
            };
            Arc::new((0..=u64::from(trials)).map(limit).collect())
        };
        Arc::clone(self.limits.entry(trials).or_insert_with(make))
    }
}

/// How many come before the first one of another group than theirs.
fn first_of_another<'a>(mut order: impl Iterator<Item = &'a u128>) -> usize {
    let Some(&first) = order.next() else { return 0 };
    let group = unpack(first).group;
    1 + order.take_while(|&&shadow| unpack(shadow).group == group).count()
}

/// A finite value, in its order, above the group and the side.
fn pack(value: f64, group: u32, inside: bool) -> u128 {
    u128::from(key(value)) << 64 | u128::from(group) << 1 | u128::from(inside)
}

fn unpack(packed: u128) -> Sorted {
    let rest = packed as u64;
    Sorted { value: number((packed >> 64) as u64), group: (rest >> 1) as u32, inside: rest & 1 == 1 }
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
