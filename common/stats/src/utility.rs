//! How good the shadows are at their task, on records they were trained on and on others.

use crate::analysis::{ShadowUtility, Utility};
use crate::error::StatsError;
use crate::lanes::{Kernel, LANES, Vector, dispatch};
use crate::roc::{Collector, Want};
use crate::signal::View;
use crate::task::Task;

/// Sums per shadow and side: records, credit, log loss.
const SUMS: usize = 3;

/// Sums over records that [`observe`] forms.
pub(crate) fn width(shadows: usize) -> usize {
    2 * SUMS * shadows
}

/// Adds a record.
pub(crate) fn observe(view: &View<'_>, sums: &mut [f64]) {
    if let Some(task) = view.task {
        dispatch(Observe { task, column: view.column, sums });
    }
}

struct Observe<'a> {
    task: Task<'a>,
    column: &'a [u64],
    /// `[IN, OUT][records, credit, loss][shadow]`.
    sums: &'a mut [f64],
}

impl Kernel for Observe<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { task: Task { credit, loss }, column, sums } = self;
        let shadows = loss.len();
        let (inside, outside) = sums.split_at_mut(SUMS * shadows);
        let (mut inside, mut outside) = (SideSums::of(inside, shadows), SideSums::of(outside, shadows));
        let (credits, rest) = credit.as_chunks::<LANES>();
        let losses = loss.as_chunks::<LANES>().0;
        for (group, (credit, loss)) in credits.iter().zip(losses).enumerate() {
            let bits = (column[group / 8] >> (group % 8 * LANES)) as u8;
            let (credit, loss) = (V::load(credit), V::load(loss));
            let counts = loss.lanes_finite();
            inside.add(group, counts & bits, credit, loss);
            outside.add(group, counts & !bits, credit, loss);
        }
        for shadow in shadows - rest.len()..shadows {
            if loss[shadow].is_finite() {
                let is_in = column[shadow / 64] >> (shadow % 64) & 1 == 1;
                let side = if is_in { &mut inside } else { &mut outside };
                side.add_one(shadow, credit[shadow], loss[shadow]);
            }
        }
    }
}

/// The sums of one side, `[shadow]` each.
struct SideSums<'a> {
    records: &'a mut [f64],
    credits: &'a mut [f64],
    losses: &'a mut [f64],
}

impl<'a> SideSums<'a> {
    #[inline(always)]
    fn of(sums: &'a mut [f64], shadows: usize) -> Self {
        let (records, rest) = sums.split_at_mut(shadows);
        let (credits, losses) = rest.split_at_mut(shadows);
        Self { records, credits, losses }
    }

    /// Adds a record's figures of the eight shadows of a group, in the lanes that count.
    #[inline(always)]
    fn add<V: Vector>(&mut self, group: usize, lanes: u8, credit: V, loss: V) {
        add_in(self.records, group, lanes, V::splat(1.0));
        add_in(self.credits, group, lanes, credit);
        add_in(self.losses, group, lanes, loss);
    }

    /// Adds a record's figures of one shadow.
    #[inline(always)]
    fn add_one(&mut self, shadow: usize, credit: f64, loss: f64) {
        self.records[shadow] += 1.0;
        self.credits[shadow] += credit;
        self.losses[shadow] += loss;
    }
}

/// Adds to the sums of a group of eight, in the lanes that count.
#[inline(always)]
fn add_in<V: Vector>(sums: &mut [f64], group: usize, lanes: u8, more: V) {
    let sums = &mut sums.as_chunks_mut::<LANES>().0[group];
    V::load(sums).add_in(lanes, more).store(sums);
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
