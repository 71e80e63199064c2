//! How many patients have at least a given AUC, and how many would without any leak.

use std::collections::BTreeMap;

use crate::analysis::Survival;
use crate::nulls::{Key, Null};

/// Steps of the grid from 0 to 1.
const STEPS: usize = 200;

/// The curve of the tested patients: their AUC and (tie-free) null.
pub(crate) fn curve<'a>(tested: impl Iterator<Item = (f64, &'a Null)>) -> Survival {
    let mut patients: BTreeMap<&Key, (&Null, usize)> = BTreeMap::new();
    let mut aucs = Vec::new();
    for (auc, null) in tested {
        aucs.push(auc);
        patients.entry(&null.key).or_insert((null, 0)).1 += 1;
    }
    if aucs.is_empty() {
        return Survival::default();
    }
    aucs.sort_by(f64::total_cmp);
    let n = aucs.len() as f64;
    let auc: Vec<f64> = (0..=STEPS).map(|i| i as f64 / STEPS as f64).collect();
    let observed =
        auc.iter().map(|&a| (aucs.len() - aucs.partition_point(|&x| x < a - 1e-12)) as f64 / n).collect();
    let expected = |a: f64| -> f64 {
        patients.values().map(|(null, count)| null.survival(a) * *count as f64).sum::<f64>() / n
    };
    let null = auc.iter().map(|&a| expected(a)).collect();
    Survival { auc, observed, null }
}
