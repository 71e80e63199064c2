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

#[cfg(test)]
mod tests {
    use umbra_core::seed::{Purpose, Seed};

    use crate::{Config, Design, Inputs, Labels, MemoryLogits, Shape, analyse, roc};

    #[test]
    fn a_task_of_two_classes_has_a_curve_per_shadow_and_side() {
        let (shadows, records) = (8, 300);
        let seed = Seed::new(6);
        let mut stream = seed.stream(Purpose::Simulation, &[]);
        let membership = crate::testing::blocked(shadows, records, 4, &mut stream);
        let labels: Vec<u32> = (0..records as u32).map(|record| u32::from(record % 3 == 0)).collect();
        let mut logits = vec![0.0; records * 2 * shadows];
        for (record, logits) in logits.chunks_exact_mut(2 * shadows).enumerate() {
            // Rounded, so that margins tie.
            let mut draw = |shift: f64| (4.0 * (stream.normal_f64() + shift)).round() as f32 / 4.0;
            (0..shadows).for_each(|shadow| logits[shadow] = draw(0.0));
            (0..shadows).for_each(|shadow| logits[shadows + shadow] = draw(f64::from(labels[record])));
        }
        let shape = Shape { shadows, records, queries: 1, classes: 2 };
        let source = MemoryLogits::try_new(shape, logits.clone()).unwrap();
        let inputs = Inputs {
            source: &source,
            labels: Labels::Class(&labels),
            units: &(0..records as u32).collect::<Vec<_>>(),
            membership: membership.view(),
            design: &Design::blocks(4),
            attributes: &[],
            seed: &seed,
            population: None,
        };
        let found = analyse(&inputs, &Config { attacks: Vec::new(), ..Config::default() }, &|_| {}).unwrap();
        for (shadow, utility) in found.utility.iter().enumerate() {
            for (inside, found) in [(true, utility.inside), (false, utility.outside)] {
                let margins = |label: u32| -> Vec<f64> {
                    (0..records)
                        .filter(|&record| membership.view().is_in(shadow, record) == inside)
                        .filter(|&record| labels[record] == label)
                        .map(|record| {
                            let logits = &logits[record * 2 * shadows..];
                            f64::from(logits[shadows + shadow]) - f64::from(logits[shadow])
                        })
                        .collect()
                };
                assert_eq!(found.auc, roc(&margins(1), &margins(0)).figures.auc);
            }
        }
    }
}
