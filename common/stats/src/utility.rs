//! How good the shadows are at their task, on records they were trained on and on others.

use crate::analysis::{ShadowUtility, Utility};
use crate::error::StatsError;
use crate::roc::{Collector, Want};
use crate::signal::View;

/// Sums per shadow and side: records, credit, log loss.
const SUMS: usize = 3;

/// Sums over records that [`observe`] forms.
pub(crate) fn width(shadows: usize) -> usize {
    2 * SUMS * shadows
}

/// Adds a record.
pub(crate) fn observe(view: &View<'_>, sums: &mut [f64]) {
    let Some(task) = &view.task else { return };
    let shadows = task.loss.len();
    for (shadow, &loss) in task.loss.iter().enumerate().filter(|(_, loss)| loss.is_finite()) {
        let outside = view.column[shadow / 64] >> (shadow % 64) & 1 == 0;
        let base = usize::from(outside) * SUMS * shadows + shadow;
        sums[base] += 1.0;
        sums[base + shadows] += task.credit[shadow];
        sums[base + 2 * shadows] += loss;
    }
}

/// The figures of every shadow. `task` holds the margins of label 1, if the task has a ROC curve: a curve
/// per shadow and side, OUT before IN.
pub(crate) fn finish(
    shadows: usize,
    sums: &[f64],
    task: Option<Collector<'_>>,
) -> Result<Vec<ShadowUtility>, StatsError> {
    let curves = task.map(|task| task.find(Want { curves: true, ..Want::default() })).transpose()?;
    let curves = curves.map_or(Vec::new(), |found| found.curves);
    let of_side = |shadow: usize, side: usize| {
        let [records, credit, loss] = [0, 1, 2].map(|i| sums[(side * SUMS + i) * shadows + shadow]);
        Utility {
            records: records as usize,
            accuracy: credit / records,
            log_loss: loss / records,
            auc: curves.get(2 * shadow + 1 - side).map_or(f64::NAN, |figures| figures.auc),
        }
    };
    let shadow = |shadow| ShadowUtility { inside: of_side(shadow, 0), outside: of_side(shadow, 1) };
    Ok((0..shadows).map(shadow).collect())
}
