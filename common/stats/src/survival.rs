//! How many patients have at least a given AUC, and how many would without any leak.

use std::collections::BTreeMap;

use crate::analysis::Survival;
use crate::beta::binomial_upper;
use crate::nulls::{Key, Null};

/// Steps of the grid from 0 to 1.
const STEPS: usize = 200;

/// Chance that the observed curve leaves the band anywhere although nothing leaks.
const LEAVES: f64 = 0.05;

/// The curve of the tested patients, gathered one by one.
#[derive(Debug, Default)]
pub(crate) struct Curve<'a> {
    /// Patients by the last step of the grid that their AUC reaches.
    reached: Vec<u64>,
    /// Patients by their null.
    nulls: BTreeMap<&'a Key, (&'a Null, u64)>,
    patients: u64,
}

impl<'a> Curve<'a> {
    /// One more patient: the AUC and the null without ties.
    pub fn add(&mut self, auc: f64, null: &'a Null) {
        self.reached.resize(STEPS + 1, 0);
        let step = (auc * STEPS as f64 + 1e-9).clamp(0.0, STEPS as f64) as usize;
        self.reached[step] += 1;
        self.nulls.entry(&null.key).or_insert((null, 0)).1 += 1;
        self.patients += 1;
    }

    /// The curve, its null, and a band that holds the curve under the null.
    pub fn finish(&self) -> Survival {
        if self.patients == 0 {
            return Survival::default();
        }
        let n = self.patients as f64;
        let mut curve = Survival::default();
        let mut count = self.patients;
        for step in 0..=STEPS {
            let auc = step as f64 / STEPS as f64;
            let expected: f64 =
                self.nulls.values().map(|(null, patients)| null.survival(auc) * *patients as f64).sum();
            let (low, high) = limits(self.patients, (expected / n).min(1.0));
            curve.auc.push(auc);
            curve.observed.push(count as f64 / n);
            curve.null.push(expected / n);
            curve.low.push(low as f64 / n);
            curve.high.push(high as f64 / n);
            count -= self.reached[step];
        }
        curve
    }
}

/// Limits of a count of `n` independent patients of which a share `mean` is expected, each left with
/// probability LEAVES / (2 grid points) at most, so that all together hold (Bonferroni).
///
/// Patients' columns are independent, whatever their signals. Their chances may differ; but beyond the
/// mean the tails of such a count are within those of the binomial with the same mean (Hoeffding 1956,
/// doi 10.1214/aoms/1177728178, theorem 4).
fn limits(n: u64, mean: f64) -> (u64, u64) {
    let level = LEAVES / (2.0 * (STEPS + 1) as f64);
    let expected = n as f64 * mean;
    // The least c not below the mean with P(X > c) at most the level.
    let highest = |p: f64, expected: f64| {
        let (mut low, mut high) = ((expected.ceil() as u64).min(n), n);
        while low < high {
            let c = low + (high - low) / 2;
            if binomial_upper(c + 1, n, p) <= level { high = c } else { low = c + 1 }
        }
        low
    };
    (n - highest(1.0 - mean, n as f64 - expected), highest(mean, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scipy 1.17.1, stats.binom.isf and ppf at .05 / 402; but never below the mean.
    #[test]
    fn limits_are_binomial_quantiles() {
        assert_eq!(limits(9105, 0.5), LIMITS[0]);
        assert_eq!(limits(9105, 0.01), LIMITS[1]);
        assert_eq!(limits(100, 1e-9), LIMITS[2]);
        assert_eq!(limits(100, 1.0), (100, 100));
    }

    const LIMITS: [(u64, u64); 3] = [(4378, 4727), (58, 128), (0, 1)];
}
