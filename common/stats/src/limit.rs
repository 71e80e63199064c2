//! What a design can show, before anything is spent.

use crate::analysis::DetectionLimit;
use crate::bounds::auc_lower_bound;
use crate::design::{Blocks, Design};
use crate::error::StatsError;
use crate::nulls::NullTables;

/// The least attainable p and q, and the detectable AUC, of `shadows` shadows for `patients` patients at
/// a false discovery rate, by the same tables that the test uses.
///
/// # Errors
/// If the shadows do not fit the design, or the rate is not between 0 and 1.
pub fn detection_limit(
    design: &Design,
    shadows: usize,
    patients: usize,
    fdr: f64,
) -> Result<DetectionLimit, StatsError> {
    if !(fdr > 0.0 && fdr < 1.0) {
        return Err(StatsError::Config(format!("fdr is {fdr}; give a rate between 0 and 1")));
    }
    Ok(limit(&design.resolve(shadows)?, patients, fdr, &NullTables::default()))
}

pub(crate) fn limit(blocks: &Blocks, patients: usize, fdr: f64, tables: &NullTables) -> DetectionLimit {
    let strata = blocks.typical_strata();
    let null = tables.get(&strata);
    let least_p = *null.upper.last().expect("a distribution has at least one value");
    let count = patients.max(1) as f64;
    // Alone, a patient is detected at p <= fdr / patients.
    let first = null.upper.partition_point(|&p| p > fdr / count);
    let (inside, outside) = strata.iter().fold((0, 0), |(a, b), &(m, n)| (a + m, b + n));
    let n = inside.min(outside);
    DetectionLimit {
        patients,
        least_p,
        least_q: (least_p * count).min(1.0),
        detectable_auc: if first < null.upper.len() && null.pairs() > 0 {
            first as f64 / null.pairs() as f64
        } else {
            f64::NAN
        },
        null_sd: if null.pairs() > 0 { null.auc_sd() } else { f64::NAN },
        bound_alone: auc_lower_bound(1.0, n, fdr),
        bound_worst: auc_lower_bound(1.0, n, fdr / count),
    }
}
