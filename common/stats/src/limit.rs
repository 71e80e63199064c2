//! What a design can show, before anything is spent.

use crate::analysis::{DetectionLimit, RECOGNISABLE};
use crate::bounds::auc_lower_bound;
use crate::config::Config;
use crate::design::Design;
use crate::epsilon;
use crate::error::StatsError;
use crate::layout::Layout;
use crate::nulls::NullTables;
use crate::special::normal_cdf;

/// What `shadows` shadows of a design can show about `patients` patients with one record each, by the same
/// tables that the test uses. Of `config` the false discovery rate, the looks and delta count.
///
/// # Errors
/// If the shadows do not fit the design, or the configuration is out of range.
pub fn detection_limit(
    design: &Design,
    shadows: usize,
    patients: usize,
    config: &Config,
) -> Result<DetectionLimit, StatsError> {
    config.check()?;
    let blocks = design.resolve(shadows)?;
    Ok(limit(&Layout::new(&blocks), &blocks.lost, patients, config, &NullTables::default()))
}

pub(crate) fn limit(
    layout: &Layout,
    lost: &[bool],
    patients: usize,
    config: &Config,
    tables: &NullTables,
) -> DetectionLimit {
    let strata = layout.typical_strata(lost);
    let null = tables.get(layout.paired, &strata, &mut None);
    let (inside, outside) = strata.iter().fold((0, 0), |(a, b), &(m, n)| (a + m, b + n));
    let n = inside.min(outside);
    let (looks, count) = (f64::from(config.looks), patients.max(1) as f64);
    let least_p = null.upper(null.most);
    // Alone, a patient is detected at p times looks <= fdr / patients.
    let (alone, worst) = (config.fdr / looks, config.fdr / looks / count);
    let first = first_at_most(&null, worst);
    let detectable_auc = match first {
        Some(u) if layout.paired => auc_of_signed_rank(u as f64, null.pairs() as f64),
        Some(u) if null.pairs() > 0 => u as f64 / null.pairs() as f64,
        _ => f64::NAN,
    };
    let (bound_alone, bound_worst) = (auc_lower_bound(1.0, n, alone), auc_lower_bound(1.0, n, worst));
    DetectionLimit {
        patients,
        least_p,
        least_q: (least_p * count * looks).min(1.0),
        detectable_auc,
        null_sd: if null.pairs() > 0 { null.auc_sd() } else { f64::NAN },
        bound_alone,
        bound_worst,
        certifiable_alone: highest_level(bound_alone),
        certifiable_worst: highest_level(bound_worst),
        epsilon_alone: epsilon::cap(inside, outside, config.delta, alone),
        epsilon_worst: epsilon::cap(inside, outside, config.delta, worst),
    }
}

/// The highest level of [`RECOGNISABLE`] that a bound reaches; NaN if none.
fn highest_level(bound: f64) -> f64 {
    RECOGNISABLE.into_iter().rfind(|&level| bound >= level).unwrap_or(f64::NAN)
}

/// The least value of the statistic whose p value is at most `level`.
fn first_at_most(null: &crate::nulls::Null, level: f64) -> Option<usize> {
    let (mut above, mut found) = (0, null.most + 1);
    while above < found {
        let middle = (above + found) / 2;
        if null.upper(middle) <= level { found = middle } else { above = middle + 1 }
    }
    (found <= null.most).then_some(found)
}

/// The AUC at which W of `n` pairs is expected to be `w`, differences being normal: with AUC Phi(x),
/// E W = n Phi(x) + n (n - 1) / 2 Phi(sqrt(2) x), as W counts the pairwise means above 0 (Tukey 1949).
fn auc_of_signed_rank(w: f64, n: f64) -> f64 {
    let expected =
        |x: f64| n * normal_cdf(x) + 0.5 * n * (n - 1.0) * normal_cdf(std::f64::consts::SQRT_2 * x);
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if expected(middle) < w { low = middle } else { high = middle }
    }
    normal_cdf(high)
}
