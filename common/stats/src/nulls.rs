//! Exact null distributions of the test statistics, without ties.
//!
//! Under the null a unit's column is uniform over the choices of its IN shadows within each stratum: every
//! choice of IN ranks is equally likely (rank sums), or every pattern of signs (pairs). The statistics of
//! the strata are independent, and their sum has the convolution as its null. All sums here have positive
//! terms, from the far end inwards: the tails are good to the last digits however far out, and no normal
//! approximation is used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::anytime::{self, LAMBDAS};
use crate::counts;

/// (IN, OUT) shadows with a signal per stratum; for pairs (n, n) with n pairs.
pub(crate) type Strata = Vec<(u32, u32)>;

/// From this many shadows a stratum's neighbours, one more IN and one less OUT, are made along with it.
const NEIGHBOURS: u32 = 128;

/// What a null distribution depends on: the strata, normalised: smaller side first, sorted, none with an
/// empty side. The distribution is symmetric and the same with the sides exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub paired: bool,
    pub strata: Strata,
}

impl Key {
    pub fn new(paired: bool, strata: &[(u32, u32)]) -> Self {
        let mut strata: Strata =
            strata.iter().map(|&(m, n)| (m.min(n), m.max(n))).filter(|&(few, _)| few > 0).collect();
        strata.sort_unstable();
        Self { paired, strata }
    }

    /// Whether these strata have this key; cheaper than making theirs.
    fn is_of(&self, paired: bool, strata: &[(u32, u32)]) -> bool {
        self.paired == paired
            && self.strata.len() == strata.len()
            && self.strata.iter().zip(strata).all(|(key, &(m, n))| *key == (m, n))
    }
}

/// The null distribution of the summed statistic: U = pairs of a stratum in which IN is higher, or W = sum
/// of the ranks of the positive differences IN - OUT.
#[derive(Debug)]
pub(crate) struct Null {
    pub key: Key,
    /// P(statistic <= x) = P(statistic >= most - x), for x up to half of `most`.
    tail: Vec<f64>,
    /// The largest value of the statistic.
    pub most: usize,
    /// ln E exp(lambda U) over all strata, for the lambdas of [`crate::anytime`].
    pub ln_mgf: [f64; LAMBDAS.len()],
    /// For pairs: the same tail of the number of pairs in which IN is higher.
    signs: Vec<f64>,
}

impl Null {
    fn new(key: Key) -> Self {
        let tail = match &key.strata[..] {
            [(few, many)] if !key.paired => {
                let mut tail = Vec::new();
                counts::tails(few + many, *few, *few, |found| tail = found.lower);
                tail
            }
            strata => convolved(strata, key.paired),
        };
        Self::of(key, tail)
    }

    fn of(key: Key, tail: Vec<f64>) -> Self {
        let size = |&(m, n): &(u32, u32)| match key.paired {
            true => n as usize * (n as usize + 1) / 2,
            false => m as usize * n as usize,
        };
        let most = key.strata.iter().map(size).sum();
        let ln_mgf = std::array::from_fn(|i| {
            key.strata.iter().map(|&(m, n)| anytime::ln_mgf(LAMBDAS[i], key.paired, m, n)).sum()
        });
        let pairs: u32 = key.strata.iter().map(|&(_, n)| n).sum();
        let signs = if key.paired { binomial_tail(pairs as usize) } else { Vec::new() };
        Self { key, tail, most, ln_mgf, signs }
    }

    /// P(statistic >= x).
    pub fn upper(&self, x: usize) -> f64 {
        upper(&self.tail, self.most, x)
    }

    /// P(statistic <= x).
    pub fn lower(&self, x: usize) -> f64 {
        self.upper(self.most - x)
    }

    /// Number of comparisons that the AUC is a share of: (IN, OUT) pairs within strata, or pairs.
    pub fn pairs(&self) -> u64 {
        let of =
            |&(m, n): &(u32, u32)| if self.key.paired { u64::from(n) } else { u64::from(m) * u64::from(n) };
        self.key.strata.iter().map(of).sum()
    }

    /// Standard deviation of the AUC: within a stratum var U = m n (m + n + 1) / 12; a pair is a fair coin.
    pub fn auc_sd(&self) -> f64 {
        let variance = |&(m, n): &(u32, u32)| match self.key.paired {
            true => f64::from(n) / 4.0,
            false => f64::from(m) * f64::from(n) * f64::from(m + n + 1) / 12.0,
        };
        self.key.strata.iter().map(variance).sum::<f64>().sqrt() / self.pairs() as f64
    }

    /// P(AUC >= a).
    pub fn survival(&self, auc: f64) -> f64 {
        let (pairs, tail) = (self.pairs() as usize, if self.key.paired { &self.signs } else { &self.tail });
        upper(tail, pairs, (auc * pairs as f64 - 1e-9).ceil().max(0.0) as usize)
    }
}

/// P(X >= x) of a symmetric X on 0 ..= `most` with P(X <= x) in `tail`, up to the middle.
fn upper(tail: &[f64], most: usize, x: usize) -> f64 {
    match (x, most.checked_sub(x)) {
        (_, None) => 0.0,
        (0, _) => 1.0,
        // Never 0 where the value is possible, however small.
        (_, Some(left)) if left < tail.len() => tail[left].max(f64::MIN_POSITIVE),
        _ => 1.0 - tail[x - 1],
    }
}

/// The tail of the summed statistic, up to the middle.
fn convolved(strata: &[(u32, u32)], paired: bool) -> Vec<f64> {
    let mut total = vec![1.0];
    for same in strata.chunk_by(|a, b| a == b) {
        let (m, n) = same[0];
        let one = one_stratum(paired, m, n);
        for _ in same {
            total = convolve(&total, &one);
        }
    }
    total.truncate(total.len().div_ceil(2));
    (1..total.len()).for_each(|x| total[x] += total[x - 1]);
    total
}

/// The distribution of the statistic of one stratum.
pub(crate) fn one_stratum(paired: bool, m: u32, n: u32) -> Vec<f64> {
    if paired { signed_rank(n as usize) } else { rank_sum(m, n) }
}

/// The distribution of U of m against n.
fn rank_sum(m: u32, n: u32) -> Vec<f64> {
    let (m, n) = (m.min(n), m.max(n));
    let mut half = Vec::new();
    counts::tails(m + n, m, m, |found| half = found.lower);
    (1..half.len()).rev().for_each(|u| half[u] -= half[u - 1]);
    let degree = (m * n) as usize;
    let mirrored: Vec<f64> = (half.len()..=degree).map(|u| half[degree - u]).collect();
    half.extend(mirrored);
    half
}

/// The distribution of the sum of those of the ranks 1 ..= n whose coin falls on heads (Wilcoxon 1945).
fn signed_rank(n: usize) -> Vec<f64> {
    let mut distribution = vec![0.0; n * (n + 1) / 2 + 1];
    distribution[0] = 1.0;
    for rank in 1..=n {
        for sum in (0..=rank * (rank + 1) / 2).rev() {
            let with = if sum >= rank { distribution[sum - rank] } else { 0.0 };
            distribution[sum] = 0.5 * (distribution[sum] + with);
        }
    }
    distribution
}

/// P(X <= x) for the number of heads of n coins, up to the middle.
fn binomial_tail(n: usize) -> Vec<f64> {
    let mut heads = vec![1.0];
    for _ in 0..n {
        heads = convolve(&heads, &[0.5, 0.5]);
    }
    heads.truncate(n / 2 + 1);
    (1..heads.len()).for_each(|x| heads[x] += heads[x - 1]);
    heads
}

/// The distribution of the sum of two independent numbers.
pub(crate) fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; a.len() + b.len() - 1];
    let (a, b) = if a.len() < b.len() { (a, b) } else { (b, a) };
    for (i, &x) in a.iter().enumerate().filter(|&(_, &x)| x > 0.0) {
        for (sum, &y) in out[i..].iter_mut().zip(b) {
            *sum += x * y;
        }
    }
    out
}

/// Null distributions made so far. A table is a function of its key, so whoever makes it first does not
/// matter.
#[derive(Debug, Default)]
pub(crate) struct NullTables {
    tables: RwLock<HashMap<Key, Arc<Null>>>,
    /// Held while a table is made, so that no two threads make the same.
    making: Mutex<()>,
}

impl NullTables {
    /// The null for these strata; those with an empty side count for nothing. `last` is what the caller
    /// got before, and mostly gets again.
    pub fn get(&self, paired: bool, strata: &[(u32, u32)], last: &mut Option<Arc<Null>>) -> Arc<Null> {
        if let Some(null) = last.as_ref().filter(|null| null.key.is_of(paired, strata)) {
            return Arc::clone(null);
        }
        let key = Key::new(paired, strata);
        let null = self.find(&key).unwrap_or_else(|| self.make(key));
        *last = Some(Arc::clone(&null));
        null
    }

    fn find(&self, key: &Key) -> Option<Arc<Null>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).get(key).map(Arc::clone)
    }

    fn make(&self, key: Key) -> Arc<Null> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(null) = self.find(&key) {
            return null;
        }
        let made = match key.strata[..] {
            [(few, many)] if !key.paired && few + many >= NEIGHBOURS => {
                // Where IN is drawn by coins, units differ in how many IN shadows they have: one run
                // through the factors makes the tables of all splits from this one to the even one.
                let mut made = Vec::new();
                counts::tails(few + many, few, (few + many) / 2, |found| {
                    let key = Key { paired: false, strata: vec![(found.few, few + many - found.few)] };
                    made.push(Arc::new(Null::of(key, found.lower)));
                });
                made
            }
            _ => vec![Arc::new(Null::new(key))],
        };
        let asked = Arc::clone(&made[0]);
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for null in made {
            tables.entry(null.key.clone()).or_insert(null);
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null(paired: bool, strata: &[(u32, u32)]) -> Arc<Null> {
        NullTables::default().get(paired, strata, &mut None)
    }

    #[test]
    fn eight_against_eight_counts_the_choices() {
        let null = null(false, &[(8, 8)]);
        // 1 and 2 of C(16, 8) = 12870 choices reach U = 64 and U >= 63.
        assert!((null.upper(64) * 12870.0 - 1.0).abs() < 1e-12);
        assert!((null.upper(63) * 12870.0 - 2.0).abs() < 1e-12);
        assert!(null.upper(0) == 1.0 && null.lower(64) == 1.0 && null.upper(65) == 0.0);
        assert!((null.upper(32) + null.lower(31) - 1.0).abs() < 1e-15);
        // sqrt((B + 1) / (3 B S)) with one block of 16.
        assert!((null.auc_sd() - (17.0f64 / (3.0 * 16.0 * 16.0)).sqrt()).abs() < 1e-15);
    }

    /// Expected: complete enumeration of all columns by `vectors/patient_reference.py`.
    #[test]
    fn sums_over_strata_are_those_of_enumeration() {
        let two = null(false, &[(2, 3), (0, 4), (3, 1)]);
        assert_eq!(two.most, 9);
        for (u, ways) in [(9, 1.0), (8, 3.0), (7, 7.0), (6, 13.0)] {
            assert!((two.upper(u) * 40.0 - ways).abs() < 1e-13, "{u}: {}", two.upper(u) * 40.0);
        }
        let signed = null(true, &[(3, 3), (2, 2)]);
        for (w, ways) in [(9, 1.0), (8, 3.0), (7, 6.0), (6, 11.0)] {
            assert!((signed.upper(w) * 32.0 - ways).abs() < 1e-13, "{w}: {}", signed.upper(w) * 32.0);
        }
        // Four or five heads of five coins.
        assert!((signed.survival(0.8) - 6.0 / 32.0).abs() < 1e-15);
    }

    /// Expected: the subsets of 1 ..= 64 with a sum of at most 66, counted in Python's whole numbers
    /// (`vectors/patient_reference.py`), over 2^64.
    #[test]
    fn pairs_have_the_null_of_wilcoxon() {
        let null = null(true, &[(64, 64)]);
        let found = null.upper(64 * 65 / 2 - 66);
        assert!((found / 1.0683402947020415e-14 - 1.0).abs() < 1e-12, "{found}");
        // P(W >= most) = 2^-64.
        assert!((null.upper(2080) * 2f64.powi(64) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_least_p_is_never_nothing() {
        assert!(null(false, &[(8, 8); 128]).upper(64 * 128) > 0.0);
    }
}
