//! Exact null distributions of the Mann-Whitney U within blocks, and of its sum over blocks.
//!
//! Under the null a unit's column is uniform over the choices of its IN shadows within each block, so
//! every assignment of the block's mid-ranks to IN is equally likely. All sums here have positive terms:
//! the tails are good to the last digits however far out (no normal approximation is used).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// (IN, OUT) shadows with a signal, per block.
pub(crate) type Strata = Vec<(u32, u32)>;

/// The null distribution of U summed over blocks, without ties.
#[derive(Debug, Clone)]
pub(crate) struct Null {
    /// The blocks, normalised: smaller side first, sorted, no empty side.
    pub strata: Strata,
    /// P(U >= u) for u = 0 ..= pairs.
    pub upper: Vec<f64>,
}

impl Null {
    fn new(strata: &[(u32, u32)]) -> Self {
        let strata = normalised(strata);
        let mut total = vec![1.0];
        for &(few, many) in &strata {
            let ranks: Vec<u32> = (0..few + many).collect();
            total = convolve(&total, &subset_sums(&ranks, few));
        }
        Self { strata, upper: upper_tails(&total) }
    }

    /// Number of (IN, OUT) pairs within blocks.
    pub fn pairs(&self) -> u64 {
        self.upper.len() as u64 - 1
    }

    /// Standard deviation of U / pairs: within a block, var U = m n (m + n + 1) / 12.
    pub fn auc_sd(&self) -> f64 {
        let variance: f64 =
            self.strata.iter().map(|&(m, n)| f64::from(m) * f64::from(n) * f64::from(m + n + 1) / 12.0).sum();
        variance.sqrt() / self.pairs() as f64
    }

    /// P(AUC >= a).
    pub fn survival(&self, auc: f64) -> f64 {
        let least = (auc * self.pairs() as f64 - 1e-9).ceil().max(0.0) as usize;
        self.upper.get(least).copied().unwrap_or(0.0)
    }
}

/// The distribution of U is symmetric, the same with the sides exchanged and in any order of the blocks:
/// one table for all of these.
fn normalised(strata: &[(u32, u32)]) -> Strata {
    let mut strata: Strata =
        strata.iter().map(|&(m, n)| (m.min(n), m.max(n))).filter(|&(few, _)| few > 0).collect();
    strata.sort_unstable();
    strata
}

/// Null distributions made so far. A table is a function of its blocks, so whoever makes it first does
/// not matter.
#[derive(Debug, Default)]
pub(crate) struct NullTables {
    tables: RwLock<HashMap<Strata, Arc<Null>>>,
}

impl NullTables {
    /// The null for these blocks; blocks with an empty side count for nothing.
    pub fn get(&self, strata: &[(u32, u32)]) -> Arc<Null> {
        let key = normalised(strata);
        if let Some(null) = self.tables.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(null);
        }
        let null = Arc::new(Null::new(&key));
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(key).or_insert(null))
    }
}

/// The distribution of the sum of `chosen` of the `scores`, every choice equally likely; index 0 is the
/// smallest sum. `scores` ascend.
pub(crate) fn subset_sums(scores: &[u32], chosen: u32) -> Vec<f64> {
    let (n, k) = (scores.len(), chosen as usize);
    let least: usize = scores[..k].iter().map(|&score| score as usize).sum();
    let most: usize = scores[n - k..].iter().map(|&score| score as usize).sum();
    if 2 * k > n {
        // The sum of those left over, seen from the other end.
        let mut sums = subset_sums(scores, (n - k) as u32);
        sums.reverse();
        return sums;
    }
    // ways[j][s]: weight of choosing j scores of sum s, each choice of n scores weighing 2^-n.
    let mut ways = vec![vec![0.0; most + 1]; k + 1];
    ways[0][0] = 1.0;
    for (seen, &score) in scores.iter().enumerate() {
        for j in (0..=k.min(seen + 1)).rev() {
            if j > 0 {
                let (below, rest) = ways.split_at_mut(j);
                let (from, to) = (&below[j - 1], &mut rest[0]);
                to.iter_mut().for_each(|weight| *weight *= 0.5);
                for (weight, &add) in to[score as usize..].iter_mut().zip(from.iter()) {
                    *weight += 0.5 * add;
                }
            } else {
                ways[0].iter_mut().for_each(|weight| *weight *= 0.5);
            }
        }
    }
    let sums = ways[k][least..].to_vec();
    let total: f64 = sums.iter().sum();
    sums.into_iter().map(|weight| weight / total).collect()
}

/// The distribution of the sum of two independent numbers.
pub(crate) fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; a.len() + b.len() - 1];
    for (i, &x) in a.iter().enumerate().filter(|&(_, &x)| x > 0.0) {
        for (sum, &y) in out[i..].iter_mut().zip(b) {
            *sum += x * y;
        }
    }
    out
}

/// P(X >= x) per x, summed from the far end so that small tails keep their digits.
pub(crate) fn upper_tails(distribution: &[f64]) -> Vec<f64> {
    let mut tails = distribution.to_vec();
    for x in (0..tails.len().saturating_sub(1)).rev() {
        tails[x] += tails[x + 1];
    }
    tails.iter_mut().for_each(|tail| *tail = tail.min(1.0));
    tails
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_against_eight_counts_the_choices() {
        let null = NullTables::default().get(&[(8, 8)]);
        // 1 and 2 of C(16, 8) = 12870 choices reach U = 64 and U >= 63.
        assert!((null.upper[64] * 12870.0 - 1.0).abs() < 1e-12);
        assert!((null.upper[63] * 12870.0 - 2.0).abs() < 1e-12);
        assert!((null.upper[0] - 1.0).abs() < 1e-14);
        // sqrt((B + 1) / (3 B S)) with one block of 16.
        assert!((null.auc_sd() - (17.0f64 / (3.0 * 16.0 * 16.0)).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn sums_over_an_unequal_choice_mirror_the_rest() {
        // Choosing 3 of (0, 2, 3, 7): sums 5, 9, 10, 12, one choice each.
        let sums = subset_sums(&[0, 2, 3, 7], 3);
        let expected = [0.25, 0.0, 0.0, 0.0, 0.25, 0.25, 0.0, 0.25];
        assert!(sums.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15) && sums.len() == 8);
    }
}
