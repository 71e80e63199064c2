//! The null distribution where values tie: given the ties, IN holds a uniform choice of each stratum's
//! mid-ranks (or each pair a fair sign on its mid-rank).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::anytime::{self, LAMBDAS};
use crate::nulls::{self, convolve};

/// Strata of more shadows (or pairs) do not get mid-ranks: their ties are broken by the shadows' order,
/// which says nothing about membership.
pub(crate) const MIDRANKS: usize = 64;

/// Numbers that are kept for later units with the same ties.
const KEPT: usize = 1 << 20;

/// The ties of one stratum.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pattern {
    /// IN and OUT values; for pairs both their number.
    pub sides: (u32, u32),
    /// How many values are equal, for every distinct value ascending; empty if none tie.
    pub equal: Vec<u32>,
}

impl Pattern {
    /// The pattern of values in ascending order.
    pub fn new(sides: (u32, u32), ascending: &[f64]) -> Self {
        let equal: Vec<u32> = ascending.chunk_by(|a, b| a == b).map(|group| group.len() as u32).collect();
        let tied = equal.iter().any(|&size| size > 1) && ascending.len() <= MIDRANKS;
        Self { sides, equal: if tied { equal } else { Vec::new() } }
    }
}

/// The distribution of the summed statistic, doubled, given the ties.
#[derive(Debug)]
pub(crate) struct Conditional {
    /// The least value of twice the statistic.
    least: u64,
    /// P(X >= x) and P(X <= x), by distance from the least.
    upper: Vec<f64>,
    lower: Vec<f64>,
    /// ln E exp(lambda U) over all strata, for the lambdas of [`crate::anytime`].
    pub ln_mgf: [f64; LAMBDAS.len()],
}

impl Conditional {
    fn new(paired: bool, patterns: &[Pattern]) -> Self {
        let (mut total, mut least, mut ln_mgf) = (vec![1.0], 0, [0.0; LAMBDAS.len()]);
        for pattern in patterns {
            let (from, one) = stratum(paired, pattern);
            let weight = anytime::weight(pattern.sides.0, pattern.sides.1);
            for (sum, lambda) in ln_mgf.iter_mut().zip(LAMBDAS) {
                *sum += anytime::ln_mgf_of(lambda, weight, from, &one);
            }
            least += from;
            total = convolve(&total, &one);
        }
        let mut lower = total.clone();
        (1..lower.len()).for_each(|x| lower[x] += lower[x - 1]);
        (0..total.len() - 1).rev().for_each(|x| total[x] += total[x + 1]);
        Self { least, upper: total, lower, ln_mgf }
    }

    /// P(X >= x) and P(X <= x) of twice the statistic.
    pub fn tails(&self, twice: u64) -> (f64, f64) {
        let at = (twice - self.least) as usize;
        (self.upper[at].min(1.0), self.lower[at].min(1.0))
    }
}

/// The least value and the distribution of a stratum's doubled statistic.
fn stratum(paired: bool, pattern: &Pattern) -> (u64, Vec<f64>) {
    let (m, n) = pattern.sides;
    if pattern.equal.is_empty() {
        return (0, spread(&nulls::one_stratum(paired, m, n)));
    }
    if paired {
        // Ranks count from 1 here.
        let ranks: Vec<usize> = doubled_midranks(&pattern.equal).iter().map(|rank| rank + 2).collect();
        return (0, signed_sums(&ranks));
    }
    let ranks = doubled_midranks(&pattern.equal);
    let smallest: usize = ranks[..m as usize].iter().sum();
    // Ranks count from 0: twice U is the doubled rank sum less m (m - 1).
    ((smallest - (m * (m - 1)) as usize) as u64, subset_sums(&ranks, m as usize))
}

/// A distribution on 0, 1, 2, ... as one on 0, 2, 4, ...
fn spread(distribution: &[f64]) -> Vec<f64> {
    let mut doubled = vec![0.0; 2 * distribution.len() - 1];
    doubled.iter_mut().step_by(2).zip(distribution).for_each(|(to, &p)| *to = p);
    doubled
}

/// The mid-ranks of values that tie like this, counted from 0, doubled and ascending.
pub(crate) fn doubled_midranks(equal: &[u32]) -> Vec<usize> {
    let mut ranks = Vec::new();
    for &size in equal {
        let (first, size) = (ranks.len(), size as usize);
        ranks.resize(first + size, 2 * first + size - 1);
    }
    ranks
}

/// The distribution of the sum of `chosen` of the ascending `scores`, every choice equally likely; index 0
/// is the smallest sum.
fn subset_sums(scores: &[usize], chosen: usize) -> Vec<f64> {
    let n = scores.len();
    if 2 * chosen > n {
        // The sum of those left over, seen from the other end.
        let mut sums = subset_sums(scores, n - chosen);
        sums.reverse();
        return sums;
    }
    let mut below = vec![0; n + 1];
    scores.iter().enumerate().for_each(|(i, score)| below[i + 1] = below[i] + score);
    // ways[j][s]: choices of j scores so far whose sum is s above the least of any j.
    let mut ways: Vec<Vec<f64>> =
        (0..=chosen).map(|j| vec![0.0; below[n] - below[n - j] - below[j] + 1]).collect();
    ways[0][0] = 1.0;
    for (seen, &score) in scores.iter().enumerate() {
        for j in (1..=chosen.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(j);
            let (from, to) = (&fewer[j - 1], &mut more[0]);
            let reach = below[seen] - below[seen - (j - 1)] - below[j - 1] + 1;
            let shift = score - scores[j - 1];
            for (way, &add) in to[shift..].iter_mut().zip(&from[..reach]) {
                *way += add;
            }
        }
    }
    let mut sums = ways.swap_remove(chosen);
    let total: f64 = sums.iter().sum();
    sums.iter_mut().for_each(|way| *way /= total);
    sums
}

/// The distribution of the sum of those scores whose coin falls on heads.
fn signed_sums(scores: &[usize]) -> Vec<f64> {
    let mut distribution = vec![1.0];
    for &score in scores {
        let mut coin = vec![0.0; score + 1];
        (coin[0], coin[score]) = (0.5, 0.5);
        distribution = convolve(&distribution, &coin);
    }
    distribution
}

/// Conditional distributions made so far, up to a bound; which ones are kept changes no figure.
#[derive(Debug, Default)]
pub(crate) struct TieTables {
    tables: RwLock<(usize, Kept)>,
}

type Kept = HashMap<(bool, Vec<Pattern>), Arc<Conditional>>;

impl TieTables {
    /// The null given these ties, in any order of the strata.
    pub fn get(&self, paired: bool, mut patterns: Vec<Pattern>) -> Arc<Conditional> {
        patterns.sort_unstable();
        let key = (paired, patterns);
        if let Some(found) = self.tables.read().unwrap_or_else(PoisonError::into_inner).1.get(&key) {
            return Arc::clone(found);
        }
        let made = Arc::new(Conditional::new(paired, &key.1));
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let size = 2 * made.upper.len();
        if tables.0 + size <= KEPT && tables.1.insert(key, Arc::clone(&made)).is_none() {
            tables.0 += size;
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_an_unequal_choice_mirror_the_rest() {
        // Choosing 3 of (0, 2, 3, 7): sums 5, 9, 10, 12, one choice each.
        let sums = subset_sums(&[0, 2, 3, 7], 3);
        let expected = [0.25, 0.0, 0.0, 0.0, 0.25, 0.25, 0.0, 0.25];
        assert!(sums.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15) && sums.len() == 8);
    }

    /// Expected: complete enumeration by hand. Values 1, 2, 2, 3 with two IN: twice the rank sums (from 0) of
    /// the six choices are 3, 3, 6, 6, 9, 9, less 2.
    #[test]
    fn tied_values_share_their_ranks() {
        let pattern = Pattern::new((2, 2), &[1.0, 2.0, 2.0, 3.0]);
        assert_eq!(doubled_midranks(&pattern.equal), [0, 3, 3, 6]);
        let alone = TieTables::default().get(false, vec![pattern.clone()]);
        for (twice, upper) in [(1, 1.0), (4, 4.0 / 6.0), (7, 2.0 / 6.0)] {
            assert!((alone.tails(twice).0 - upper).abs() < 1e-15);
            assert!((alone.tails(8 - twice).1 - upper).abs() < 1e-15);
        }
        // With a stratum of one against one: twice its U is 0 or 2.
        let both = TieTables::default().get(false, vec![pattern, Pattern::new((1, 1), &[1.0, 2.0])]);
        assert!((both.tails(9).0 - 1.0 / 6.0).abs() < 1e-15);
        assert!((both.tails(7).0 - 2.0 / 6.0).abs() < 1e-15);
    }

    /// Differences of size 1, 1, 2: the mid-ranks are 1.5, 1.5, 3.
    #[test]
    fn tied_pairs_share_their_ranks() {
        let pairs = TieTables::default().get(true, vec![Pattern::new((3, 3), &[1.0, 1.0, 2.0])]);
        for (twice, ways) in [(12, 1.0), (9, 3.0), (6, 5.0), (3, 7.0), (0, 8.0)] {
            assert!((pairs.tails(twice).0 * 8.0 - ways).abs() < 1e-14);
        }
    }
}
