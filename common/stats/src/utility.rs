//! How good the shadows are at their task, on records they were trained on and on others.

use rayon::prelude::*;

use crate::analysis::{ShadowUtility, Utility};
use crate::inputs::Checked;
use crate::labels::Labels;
use crate::roc;
use crate::scores::ScoreMatrix;
use crate::signal::View;
use crate::sort;

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

/// The figures of every shadow. `signals` are the log odds of the label of two-class tasks, for the AUC.
pub(crate) fn finish(
    checked: &Checked<'_>,
    sums: &[f64],
    signals: Option<&ScoreMatrix>,
) -> Vec<ShadowUtility> {
    let shadows = checked.shape.shadows;
    (0..shadows)
        .into_par_iter()
        .map(|shadow| {
            let aucs =
                signals.map_or([f64::NAN; 2], |signals| task_auc(checked, shadow, signals.row(shadow)));
            let side = |side: usize| {
                let [records, credit, loss] = [0, 1, 2].map(|i| sums[(side * SUMS + i) * shadows + shadow]);
                Utility {
                    records: records as usize,
                    accuracy: credit / records,
                    log_loss: loss / records,
                    auc: aucs[side],
                }
            };
            ShadowUtility { inside: side(0), outside: side(1) }
        })
        .collect()
}

/// AUC of label 1 against label 0 on the shadow's IN and OUT records.
fn task_auc(checked: &Checked<'_>, shadow: usize, odds: &[f64]) -> [f64; 2] {
    // [IN, OUT][label]
    let mut keys: [[Vec<u64>; 2]; 2] = Default::default();
    let Labels::Class(labels) = checked.labels else { return [f64::NAN; 2] };
    for ((&odds, &label), &unit) in odds.iter().zip(labels).zip(checked.units) {
        if odds.is_finite() {
            let margin = if label == 1 { odds } else { -odds };
            let outside = !checked.membership.is_in(shadow, unit as usize);
            keys[usize::from(outside)][label as usize].push(sort::key(margin));
        }
    }
    keys.map(|[negative, positive]| roc::auc_of_keys(positive, negative))
}
