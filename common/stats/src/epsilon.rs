//! What one patient alone proves about epsilon, the parameter of differential privacy.
//!
//! Under (epsilon, delta) differential privacy no rule that tells IN from OUT shadows has a true positive
//! rate above e^epsilon times its false positive rate plus delta, nor a true negative rate above e^epsilon
//! times its false negative rate plus delta (Kairouz, Oh and Viswanath 2015, arXiv 1311.0776). The rule here is
//! a threshold on the patient's number, chosen for every group of shadows on the other groups.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::beta::{chance_lower, chance_upper};

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

/// The lower bound of epsilon at a delta, with error rate `alpha`: Clopper and Pearson's limits of the true
/// and the false positive rate, each at half of it. At least 0; NaN where nothing was thresholded.
pub(crate) fn lower_bound(hits: &Hits, delta: f64, alpha: f64) -> f64 {
    let Hits { members, caught, strangers, flagged } = *hits;
    if members == 0 || strangers == 0 {
        return f64::NAN;
    }
    let least_true = chance_lower(caught.into(), members.into(), alpha / 2.0);
    let most_false = chance_upper(flagged.into(), strangers.into(), alpha / 2.0);
    // Both limits at once hold for the rule and for its negation.
    log_ratio(least_true - delta, most_false).max(log_ratio(1.0 - most_false - delta, 1.0 - least_true))
}

/// ln(a / b), at least 0.
fn log_ratio(a: f64, b: f64) -> f64 {
    if a > b { libm::log(a / b) } else { 0.0 }
}

/// The most that so many shadows can prove: every IN shadow above and every OUT shadow below.
pub(crate) fn cap(members: u32, strangers: u32, delta: f64, alpha: f64) -> f64 {
    let count = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let (members, strangers) = (count(members), count(strangers));
    lower_bound(&Hits { members, caught: members, strangers, flagged: 0 }, delta, alpha)
}

/// The error rate at which thresholds are compared with each other; it only steers the choice.
const STEERING: f64 = 0.05;

/// Chooses thresholds and counts; owns its buffers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thresholds {
    /// (value, group, whether IN), descending.
    order: Vec<(f64, u32, bool)>,
    /// (IN, OUT) shadows per group.
    sizes: Vec<(usize, usize)>,
    /// By a number of trials: the lower limits of the chance after 0, 1, ... successes.
    limits: HashMap<usize, Arc<Vec<f64>>>,
}

impl Thresholds {
    /// Thresholds the values of every group by the best threshold of the other groups. All zeros if there
    /// is no other group.
    pub fn hits(&mut self, values: &[f64], column: &[u64], groups: &[Range<usize>]) -> Hits {
        self.order.clear();
        self.sizes.clear();
        for (index, group) in (0u32..).zip(groups) {
            let before = self.order.len();
            for shadow in group.clone().filter(|&shadow| values[shadow].is_finite()) {
                self.order.push((values[shadow], index, column[shadow / 64] >> (shadow % 64) & 1 == 1));
            }
            let here = self.order.len() - before;
            let inside = self.order[before..].iter().filter(|(_, _, inside)| *inside).count();
            self.sizes.push((inside, here - inside));
        }
        self.order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let all = self.sizes.iter().fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
        let mut hits = Hits::default();
        for group in 0..groups.len() {
            let size = self.sizes[group];
            let Some(threshold) = self.best(group as u32, (all.0 - size.0, all.1 - size.1)) else { continue };
            hits.members += size.0 as u16;
            hits.strangers += size.1 as u16;
            for &(_, _, inside) in
                self.order.iter().filter(|(value, of, _)| *of == group as u32 && *value > threshold)
            {
                *(if inside { &mut hits.caught } else { &mut hits.flagged }) += 1;
            }
        }
        hits
    }

    /// The threshold that proves most on the groups other than `group`, which hold `members` IN and
    /// `strangers` OUT shadows: halfway between neighbouring values of theirs.
    fn best(&mut self, group: u32, (members, strangers): (usize, usize)) -> Option<f64> {
        if members == 0 || strangers == 0 {
            return None;
        }
        let (of_members, of_strangers) = (self.limits(members), self.limits(strangers));
        let (mut best, mut threshold) = (f64::NEG_INFINITY, None);
        let (mut caught, mut flagged, mut previous) = (0, 0, f64::NAN);
        for &(value, _, inside) in self.order.iter().filter(|(_, of, _)| *of != group) {
            if value < previous {
                let (least_true, least_true_negative) =
                    (of_members[caught], of_strangers[strangers - flagged]);
                let most_false = 1.0 - least_true_negative;
                let proven = (least_true / most_false).max(least_true_negative / (1.0 - least_true));
                if proven > best {
                    (best, threshold) = (proven, Some(0.5 * previous + 0.5 * value));
                }
            }
            previous = value;
            *(if inside { &mut caught } else { &mut flagged }) += 1;
        }
        threshold
    }

    fn limits(&mut self, trials: usize) -> Arc<Vec<f64>> {
        let make = || {
            let limit = |successes| chance_lower(successes, trials as u64, STEERING / 2.0);
            Arc::new((0..=trials as u64).map(limit).collect())
        };
        Arc::clone(self.limits.entry(trials).or_insert_with(make))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!((lower_bound(&hits, 0.0, 0.05) - expected).abs() < 1e-3);
        let nothing = Hits { members: 32, caught: 16, strangers: 32, flagged: 16 };
        assert_eq!(lower_bound(&nothing, 0.0, 0.05), 0.0);
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
}
