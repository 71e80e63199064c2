//! The patient test: Mann-Whitney U of one number per shadow, IN against OUT, within blocks, summed over
//! blocks (van Elteren 1960, unweighted), with its exact conditional null.

use std::sync::Arc;

use crate::design::Blocks;
use crate::nulls::{self, Null, NullTables};

/// Up to this many pairs in a block are compared one by one; more are sorted.
const PAIRWISE: usize = 256;

/// The comparison of one unit's (or record's) IN and OUT values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Comparison {
    /// Twice U: 2 for every pair of a block in which IN is higher, 1 for every tie.
    pub twice_u: u64,
    /// Pairs within blocks.
    pub pairs: u64,
    /// IN and OUT values, over all blocks.
    pub n: (u32, u32),
    /// (IN, OUT) values per block.
    strata: Vec<(u32, u32)>,
    /// Whether a block with pairs holds two equal values.
    tied: bool,
    /// Scratch: the values of a block.
    inside: Vec<f64>,
    outside: Vec<f64>,
}

/// What the test says of a unit.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// P(U >= observed) under the null.
    pub upper: f64,
    /// P(U <= observed) under the null.
    pub lower: f64,
    /// The null without ties of the same blocks.
    pub null: Arc<Null>,
}

impl Comparison {
    /// Compares values per shadow (absent: not finite), split by the membership bits of `column`.
    pub fn of(&mut self, values: &[f64], column: &[u64], blocks: &Blocks) {
        (self.twice_u, self.pairs, self.n, self.tied) = (0, 0, (0, 0), false);
        self.strata.clear();
        for block in 0..blocks.count() {
            self.load(block, values, column, blocks);
            let (m, n) = (self.inside.len(), self.outside.len());
            self.strata.push((m as u32, n as u32));
            self.n = (self.n.0 + m as u32, self.n.1 + n as u32);
            if m == 0 || n == 0 {
                continue;
            }
            let (twice_u, tied) = if m * n <= PAIRWISE {
                pairwise(&self.inside, &self.outside)
            } else {
                sorted(&mut self.inside, &mut self.outside)
            };
            self.twice_u += twice_u;
            self.pairs += m as u64 * n as u64;
            self.tied |= tied;
        }
    }

    /// The stratified AUC: U / pairs; NaN without pairs.
    pub fn auc(&self) -> f64 {
        if self.pairs == 0 { f64::NAN } else { self.twice_u as f64 / (2.0 * self.pairs as f64) }
    }

    /// The exact p values of the comparison that [`Self::of`] just made; `None` without pairs.
    pub fn verdict(
        &mut self,
        values: &[f64],
        column: &[u64],
        blocks: &Blocks,
        tables: &NullTables,
    ) -> Option<Verdict> {
        if self.pairs == 0 {
            return None;
        }
        let null = tables.get(&self.strata);
        if !self.tied {
            let u = (self.twice_u / 2) as usize;
            let (upper, lower) = (null.upper[u], null.upper[null.upper.len() - 1 - u]);
            return Some(Verdict { upper, lower, null });
        }
        // Given the ties, IN holds a uniform choice of each block's mid-ranks (in halves: twice U).
        let mut total = vec![1.0];
        let mut least = 0;
        for block in 0..blocks.count() {
            self.load(block, values, column, blocks);
            let (m, n) = (self.inside.len(), self.outside.len());
            if m == 0 || n == 0 {
                continue;
            }
            let ranks = doubled_midranks(&self.inside, &self.outside);
            let smallest: u64 = ranks[..m].iter().map(|&rank| u64::from(rank)).sum();
            // Ranks count from 0 here: twice U is the doubled rank sum less m (m - 1).
            least += smallest - (m * (m - 1)) as u64;
            total = nulls::convolve(&total, &nulls::subset_sums(&ranks, m as u32));
        }
        let at = (self.twice_u - least) as usize;
        let upper = nulls::upper_tails(&total)[at];
        total.reverse();
        let mirrored = total.len() - 1 - at;
        let lower = nulls::upper_tails(&total)[mirrored];
        Some(Verdict { upper, lower, null })
    }

    /// Fetches the finite values of a block, by side.
    fn load(&mut self, block: usize, values: &[f64], column: &[u64], blocks: &Blocks) {
        self.inside.clear();
        self.outside.clear();
        for shadow in block * blocks.size..(block + 1) * blocks.size {
            if values[shadow].is_finite() {
                let inside = column[shadow / 64] >> (shadow % 64) & 1 == 1;
                if inside { &mut self.inside } else { &mut self.outside }.push(values[shadow]);
            }
        }
    }
}

/// Twice U and whether any two values are equal, by looking at every pair.
fn pairwise(inside: &[f64], outside: &[f64]) -> (u64, bool) {
    let (mut wins, mut ties) = (0u32, 0u32);
    for &x in inside {
        for &y in outside {
            wins += u32::from(x > y);
            ties += u32::from(x == y);
        }
    }
    let repeats = |side: &[f64]| -> u32 {
        let equal = |i: usize| side[..i].iter().map(|&y| u32::from(y == side[i])).sum::<u32>();
        (1..side.len()).map(equal).sum()
    };
    (u64::from(2 * wins + ties), ties + repeats(inside) + repeats(outside) > 0)
}

/// The same by sorting both sides.
fn sorted(inside: &mut [f64], outside: &mut [f64]) -> (u64, bool) {
    let order = |a: &f64, b: &f64| a.partial_cmp(b).expect("only finite values are loaded");
    inside.sort_unstable_by(order);
    outside.sort_unstable_by(order);
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

/// The mid-ranks of all values of a block, counted from 0, doubled and ascending.
fn doubled_midranks(inside: &[f64], outside: &[f64]) -> Vec<u32> {
    let mut values: Vec<f64> = inside.iter().chain(outside).copied().collect();
    values.sort_unstable_by(|a, b| a.partial_cmp(b).expect("only finite values are loaded"));
    let mut ranks = Vec::with_capacity(values.len());
    for group in values.chunk_by(|a, b| a == b) {
        let first = ranks.len() as u32;
        ranks.resize(ranks.len() + group.len(), 2 * first + group.len() as u32 - 1);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_and_pairing_agree() {
        let inside = [3.0, -1.0, 2.0, 2.0, -0.0];
        let outside = [0.0, 2.0, 5.0, -3.0];
        // By hand: 3 beats 3, -1 beats 1, 2 beats 2 and ties 1 (twice), -0 beats 1 and ties 1.
        assert_eq!(pairwise(&inside, &outside), (2 * (3 + 1 + 4 + 1) + 3, true));
        assert_eq!(sorted(&mut { inside }, &mut { outside }), (2 * (3 + 1 + 4 + 1) + 3, true));
        assert_eq!(pairwise(&[1.0, 2.0], &[0.5, 1.5]), (6, false));
        assert_eq!(sorted(&mut [1.0, 2.0], &mut [0.5, 1.5]), (6, false));
        assert_eq!(doubled_midranks(&[1.0, 2.0], &[2.0, 0.0]), [0, 2, 5, 5]);
    }
}
