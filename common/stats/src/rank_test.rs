//! The patient test: one number per shadow, IN against OUT, compared within strata and summed over them
//! (van Elteren 1960, unweighted), with its exact conditional null.
//!
//! Within a stratum the statistic is the Mann-Whitney U; where the shadows come in complementary pairs it is
//! Wilcoxon's signed-rank W of the differences IN - OUT.

use std::ops::Range;
use std::sync::Arc;

use crate::anytime;
use crate::evidence::Evidence;
use crate::lanes::dispatch;
use crate::layout::Layout;
use crate::nulls::{Null, NullTables, Strata};
use crate::pairwise::{PAIRWISE, Split, SplitAndCompare};
use crate::ties::{self, MIDRANKS, Pattern, TieTables};

/// Every table that p values are read from.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub nulls: NullTables,
    pub ties: TieTables,
}

/// The comparison of one unit's (or record's) IN and OUT values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Comparison {
    /// Twice the statistic.
    twice: u64,
    /// 2 for every pair compared in which IN is higher, 1 for every tie.
    twice_wins: u64,
    /// Pairs compared.
    pairs: u64,
    /// The statistic with each stratum weighted by [`anytime::weight`].
    weighted: f64,
    /// IN and OUT values per stratum; pairs with a difference, twice.
    strata: Strata,
    paired: bool,
    /// Whether a stratum that gets mid-ranks holds equal values.
    tied: bool,
    /// The values by side.
    split: Split,
    /// Of every stratum of few pairs: twice U, and whether any two values are equal.
    compared: Vec<(u64, bool)>,
    sorted: Vec<f64>,
    last: Option<Arc<Null>>,
    evidence: Evidence,
}

/// What the test says of a unit.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// P(statistic >= observed) under the null.
    pub upper: f64,
    /// P(statistic <= observed) under the null.
    pub lower: f64,
    /// ln of the e-value.
    pub ln_e: f64,
    /// The null without ties of the same strata.
    pub null: Arc<Null>,
}

impl Comparison {
    /// Compares values per shadow (absent: not finite), split by the membership bits of `column`, within
    /// `strata` of `layout`.
    pub fn of(&mut self, values: &[f64], column: &[u64], layout: &Layout, strata: &[Range<usize>]) {
        (self.twice, self.twice_wins, self.pairs, self.weighted) = (0, 0, 0, 0.0);
        (self.tied, self.paired) = (false, layout.paired);
        self.strata.clear();
        self.split.reset(layout.shadows);
        let (split, found) = (&mut self.split, &mut self.compared);
        dispatch(SplitAndCompare { values, column, strata, split, found });
        let mut start = (0, 0);
        for (index, stratum) in strata.iter().enumerate() {
            let end = self.split.ends[index];
            let sides = (start.0..end.0, start.1..end.1);
            match self.paired {
                true => self.compare_pairs(stratum.clone(), values, column),
                false => self.compare_sides(index, sides, stratum.clone(), values, column),
            }
            start = end;
        }
    }

    /// U of one stratum.
    fn compare_sides(
        &mut self,
        index: usize,
        (inside, outside): (Range<usize>, Range<usize>),
        shadows: Range<usize>,
        values: &[f64],
        column: &[u64],
    ) {
        let (m, n) = (inside.len(), outside.len());
        self.strata.push((m as u32, n as u32));
        if m == 0 || n == 0 {
            return;
        }
        let (wins, tied) = if m * n <= PAIRWISE {
            self.compared[index]
        } else {
            sorted(self.split.inside(inside), self.split.outside(outside), &mut self.sorted)
        };
        let mut twice = wins;
        if m + n <= MIDRANKS {
            self.tied |= tied;
        } else if tied {
            twice = 2 * broken_ties(shadows, values, column);
        }
        self.twice += twice;
        self.twice_wins += wins;
        self.pairs += m as u64 * n as u64;
        self.weighted += anytime::weight(m as u32, n as u32) * 0.5 * twice as f64;
    }

    /// W of one stratum of pairs: the ranks, by size, of the differences IN - OUT that are positive. Pairs
    /// without a difference, and such as do not have one shadow IN and one OUT, count for nothing.
    fn compare_pairs(&mut self, shadows: Range<usize>, values: &[f64], column: &[u64]) {
        let mut differences = differences(shadows, values, column);
        let compared = differences.len();
        differences.retain(|&difference| difference != 0.0);
        let n = differences.len();
        let positive = differences.iter().filter(|&&difference| difference > 0.0).count();
        self.pairs += compared as u64;
        self.twice_wins += (2 * positive + compared - n) as u64;
        self.strata.push((n as u32, n as u32));
        if n == 0 {
            return;
        }
        // Stable: where ties are broken they are so by the order of the pairs.
        differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let ascending: Vec<f64> = differences.iter().map(|difference| difference.abs()).collect();
        let pattern = Pattern::new((n as u32, n as u32), &ascending);
        let ones = vec![1; n];
        let equal = if pattern.equal.is_empty() { &ones } else { &pattern.equal };
        self.tied |= !pattern.equal.is_empty();
        let ranks = ties::doubled_midranks(equal);
        let twice: usize =
            ranks.iter().zip(&differences).filter(|(_, d)| **d > 0.0).map(|(r, _)| r + 2).sum();
        self.twice += twice as u64;
        self.weighted += anytime::weight(n as u32, n as u32) * 0.5 * twice as f64;
    }

    /// The stratified AUC: the share of pairs compared in which IN is higher; NaN without pairs.
    pub fn auc(&self) -> f64 {
        if self.pairs == 0 { f64::NAN } else { self.twice_wins as f64 / (2.0 * self.pairs as f64) }
    }

    /// IN and OUT values that were compared; for pairs their number.
    pub fn counts(&self) -> (u32, u32) {
        let (m, n) = self.split.n();
        if self.paired { (self.pairs as u32, self.pairs as u32) } else { (m as u32, n as u32) }
    }

    /// The IN and the OUT values.
    pub fn sides(&self) -> (&[f64], &[f64]) {
        let (m, n) = self.split.n();
        (self.split.inside(0..m), self.split.outside(0..n))
    }

    /// The exact p values of the comparison that [`Self::of`] just made of `values`; `None` without pairs.
    pub fn verdict(
        &mut self,
        values: &[f64],
        column: &[u64],
        strata: &[Range<usize>],
        tables: &Tables,
    ) -> Option<Verdict> {
        if self.pairs == 0 {
            return None;
        }
        let null = tables.nulls.get(self.paired, &self.strata, &mut self.last);
        if !self.tied {
            let x = (self.twice / 2) as usize;
            let ln_e = self.evidence.ln_e(self.weighted, &null);
            return Some(Verdict { upper: null.upper(x), lower: null.lower(x), ln_e, null });
        }
        let conditional = tables.ties.get(self.paired, self.patterns(values, column, strata));
        let (upper, lower) = conditional.tails(self.twice);
        Some(Verdict { upper, lower, ln_e: anytime::ln_e(self.weighted, &conditional.ln_mgf), null })
    }

    /// The ties of every stratum with something to compare.
    fn patterns(&mut self, values: &[f64], column: &[u64], strata: &[Range<usize>]) -> Vec<Pattern> {
        let mut start = (0, 0);
        let mut patterns = Vec::with_capacity(strata.len());
        for ((stratum, &end), &sides) in strata.iter().zip(&self.split.ends).zip(&self.strata) {
            self.sorted.clear();
            if self.paired {
                let differences = differences(stratum.clone(), values, column);
                self.sorted.extend(differences.iter().map(|d| d.abs()).filter(|&size| size > 0.0));
            } else {
                self.sorted.extend(self.split.inside(start.0..end.0));
                self.sorted.extend(self.split.outside(start.1..end.1));
            }
            start = end;
            if sides.0 > 0 && sides.1 > 0 {
                self.sorted.sort_unstable_by(by_value);
                patterns.push(Pattern::new(sides, &self.sorted));
            }
        }
        patterns
    }
}

/// IN - OUT of every pair of consecutive shadows that has both.
fn differences(shadows: Range<usize>, values: &[f64], column: &[u64]) -> Vec<f64> {
    let bit = |shadow: usize| column[shadow / 64] >> (shadow % 64) & 1 == 1;
    let pairs = shadows.step_by(2).map(|first| (first, first + 1));
    pairs
        .filter(|&(a, b)| values[a].is_finite() && values[b].is_finite() && bit(a) != bit(b))
        .map(|(a, b)| if bit(a) { values[a] - values[b] } else { values[b] - values[a] })
        .collect()
}

fn by_value(a: &f64, b: &f64) -> std::cmp::Ordering {
    a.partial_cmp(b).expect("only finite values are loaded")
}

/// Twice U and whether any two values are equal, by sorting both sides.
fn sorted(inside: &[f64], outside: &[f64], buffer: &mut Vec<f64>) -> (u64, bool) {
    buffer.clear();
    buffer.extend(inside);
    buffer.extend(outside);
    let (inside, outside) = buffer.split_at_mut(inside.len());
    inside.sort_unstable_by(by_value);
    outside.sort_unstable_by(by_value);
    let repeats = |side: &[f64]| side.windows(2).any(|pair| pair[0] == pair[1]);
    let mut tied = repeats(inside) || repeats(outside);
    let (mut below, mut not_above, mut twice_u) = (0, 0, 0u64);
    for &x in inside.iter() {
        while outside.get(below).is_some_and(|&y| y < x) {
            below += 1;
        }
        while outside.get(not_above).is_some_and(|&y| y <= x) {
            not_above += 1;
        }
        twice_u += (below + not_above) as u64;
        tied |= below != not_above;
    }
    (twice_u, tied)
}

/// U where of equal values the one of the later shadow counts as higher.
fn broken_ties(shadows: Range<usize>, values: &[f64], column: &[u64]) -> u64 {
    let mut order: Vec<usize> = shadows.filter(|&shadow| values[shadow].is_finite()).collect();
    order.sort_by(|&a, &b| by_value(&values[a], &values[b]));
    let (mut outside, mut u) = (0, 0);
    for shadow in order {
        let inside = column[shadow / 64] >> (shadow % 64) & 1;
        u += inside * outside;
        outside += 1 - inside;
    }
    u
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;

    #[test]
    fn sorting_counts_as_by_hand() {
        let inside = [3.0, -1.0, 2.0, 2.0, -0.0];
        let outside = [0.0, 2.0, 5.0, -3.0];
        // By hand: 3 beats 3, -1 beats 1, 2 beats 2 and ties 1 (twice), -0 beats 1 and ties 1.
        let buffer = &mut Vec::new();
        assert_eq!(sorted(&inside, &outside, buffer), (2 * (3 + 1 + 4 + 1) + 3, true));
        assert_eq!(sorted(&[1.0, 2.0], &[0.5, 1.5], buffer), (6, false));
    }

    /// What the test says of values under the column whose bit is set where `inside` says so.
    fn judge(design: &Design, values: &[f64], inside: &[u8]) -> (f64, Verdict) {
        let layout = Layout::new(&design.resolve(values.len()).unwrap());
        let mut column = vec![0u64; values.len().div_ceil(64)];
        inside.iter().enumerate().for_each(|(s, &bit)| column[s / 64] |= u64::from(bit) << (s % 64));
        let mut comparison = Comparison::default();
        comparison.of(values, &column, &layout, &layout.whole);
        let verdict = comparison.verdict(values, &column, &layout.whole, &Tables::default()).unwrap();
        (comparison.auc(), verdict)
    }

    /// Expected: `vectors/patient_reference.py` (scipy 1.17.1, or all columns enumerated).
    #[test]
    fn p_values_are_those_of_scipy_and_enumeration() {
        let values = [2.1, -0.3, 1.7, 0.4, 3.3, -1.2, 0.9, 0.2, 1.1, -2.0, 0.6, 1.95];
        let inside = [1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0];
        let tied: Vec<f64> = values.iter().map(|v| f64::round(*v)).collect();
        for (design, values, expected) in [
            (Design::exact(), &values[..], EXPECTED[0]),
            (Design::exact(), &tied, EXPECTED[1]),
            (Design::blocks(4), &values, EXPECTED[2]),
            (Design::blocks(4), &tied, EXPECTED[3]),
            (Design::blocks(2), &values, EXPECTED[4]),
            (Design::blocks(2), &tied, EXPECTED[5]),
        ] {
            let (auc, verdict) = judge(&design, values, &inside);
            let found = [auc, verdict.upper, verdict.lower];
            let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14);
            assert!(close, "{design:?}: {found:?}, expected {expected:?}");
        }
    }

    const EXPECTED: [[f64; 3]; 6] = [
        [0.6944444444444444, 0.15476190476190477, 0.8798701298701299],
        [0.7222222222222222, 0.13095238095238096, 0.920995670995671],
        [0.6666666666666666, 0.25925925925925924, 0.8657407407407407],
        [0.7083333333333334, 0.14814814814814814, 0.9074074074074074],
        [0.6666666666666666, 0.34375, 0.71875],
        [0.6666666666666666, 0.25, 0.8125],
    ];

    #[test]
    fn many_shadows_break_their_ties_by_order() {
        // 40 IN then 40 OUT, all equal: the later ones count as higher, and no AUC but a half comes of it.
        let inside: Vec<u8> = (0..80).map(|shadow| u8::from(shadow < 40)).collect();
        let (auc, verdict) = judge(&Design::exact(), &[1.0; 80], &inside);
        assert_eq!((auc, verdict.upper), (0.5, 1.0));
    }
}
