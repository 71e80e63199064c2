//! From logits to the signal phi: how confident a shadow is in the label, on the logit scale.
//!
//! phi is the log odds of the label (Carlini et al. 2022, section IV-A), formed from the logits without
//! going through a probability, which would saturate. A record of several labels (sigmoids) has one signal
//! per label; the labels' log-likelihood ratios add up.

use crate::inputs::Checked;
use crate::labels::{Label, Labels};
use crate::lanes::{Kernel, Vector, dispatch};
use crate::log_odds::{Scratch, log_odds, signed};
use crate::membership::Membership;
use crate::source::{Shape, Values};
use crate::task::{Task, TaskWork};

/// What is known about one record: signals per shadow, NaN where absent.
pub(crate) struct View<'a> {
    /// Queries put to every shadow.
    pub queries: usize,
    /// Signals per query: one, or one a label.
    pub labels: usize,
    /// Per label, whether it is known of this record; a label that is not has no signal.
    pub present: &'a [bool],
    /// `[query][label][shadow]`.
    pub signals: &'a [f64],
    /// Per shadow, the sum over known labels of the mean over the queries that gave a signal.
    pub mean: &'a [f64],
    /// Membership bits of the record's unit; none for a record of the population.
    pub column: &'a [u64],
    /// How right the shadows are; only where it was asked for.
    pub task: Option<Task<'a>>,
    /// The logits themselves.
    pub logits: RecordLogits<'a>,
}

/// The logits of one record, `[query][class][shadow]`.
#[derive(Clone, Copy)]
pub(crate) struct RecordLogits<'a> {
    pub values: Values<'a>,
    pub label: Label<'a>,
}

impl View<'_> {
    /// One query, one label, and no more than the signals themselves.
    pub fn of_signals<'a>(signals: &'a [f64], column: &'a [u64]) -> View<'a> {
        let logits = RecordLogits { values: Values::F64(signals), label: Label::Class(1) };
        View { queries: 1, labels: 1, present: &[true], signals, mean: signals, column, task: None, logits }
    }
}

/// Extracts the views of the records of a tile; owns the buffers.
pub(crate) struct Extractor<'a> {
    shape: Shape,
    labels: Labels<'a>,
    /// Lost shadows.
    lost: Vec<usize>,
    /// Membership and the unit of every record; none for the population.
    members: Option<(Membership<'a>, &'a [u32])>,
    scratch: Scratch,
    present: Vec<bool>,
    signals: Vec<f64>,
    mean: Vec<f64>,
    means: Vec<f64>,
    count: Vec<f64>,
    task: Option<TaskWork>,
    column: Vec<u64>,
}

impl<'a> Extractor<'a> {
    /// For the records of the audit; `tasks` asks for [`View::task`] too.
    pub fn new(checked: &Checked<'a>, tasks: bool) -> Self {
        let members = Some((checked.membership, checked.units));
        Self::of(checked.shape, checked.labels, &checked.blocks.lost, members, tasks)
    }

    /// For other records of the same shadows, of which there is no membership.
    pub fn of_population(shape: Shape, labels: Labels<'a>, lost: &[bool]) -> Self {
        Self::of(shape, labels, lost, None, false)
    }

    fn of(
        shape: Shape,
        labels: Labels<'a>,
        lost: &[bool],
        members: Option<(Membership<'a>, &'a [u32])>,
        tasks: bool,
    ) -> Self {
        let channels = labels.channels(&shape);
        Self {
            shape,
            labels,
            lost: (0..lost.len()).filter(|&shadow| lost[shadow]).collect(),
            members,
            scratch: Scratch::default(),
            present: vec![true; channels],
            signals: vec![0.0; shape.queries * channels * shape.shadows],
            mean: vec![0.0; shape.shadows],
            means: Vec::new(),
            count: Vec::new(),
            task: tasks.then(TaskWork::default),
            column: Vec::new(),
        }
    }

    /// The view of `record`, which is the one at `index` of the tile.
    pub fn view<'v>(&'v mut self, tile: Values<'v>, index: usize, record: usize) -> View<'v> {
        let size = self.shape.per_record();
        let values = tile
            .get(index * size..(index + 1) * size)
            .expect("a tile was checked to hold all of its records");
        let label = self.labels.of(&self.shape, record);
        match values {
            Values::F32(logits) => self.extract(logits, label),
            Values::F64(logits) => self.extract(logits, label),
        }
        View {
            queries: self.shape.queries,
            labels: self.present.len(),
            present: &self.present,
            signals: &self.signals,
            mean: if self.is_single() { &self.signals } else { &self.mean },
            column: match self.members {
                Some((members, units)) => members.column(units[record] as usize, &mut self.column),
                None => &[],
            },
            task: self.task.as_ref().map(TaskWork::task),
            logits: RecordLogits { values, label },
        }
    }

    /// Whether there is one signal, which is its own mean; it is absent where its label is not known.
    fn is_single(&self) -> bool {
        self.shape.queries * self.present.len() == 1
    }

    fn extract<T: Copy + Into<f64>>(&mut self, logits: &[T], label: Label<'_>) {
        let Shape { shadows, queries, classes, .. } = self.shape;
        let channels = self.present.len();
        for query in 0..queries {
            let logits = &logits[query * classes * shadows..(query + 1) * classes * shadows];
            let signals = &mut self.signals[query * channels * shadows..(query + 1) * channels * shadows];
            match label {
                Label::Class(class) => log_odds(logits, shadows, class, 1.0, &mut self.scratch, signals),
                Label::Multi(labels) => {
                    let rows = signals.chunks_exact_mut(shadows).zip(logits.chunks_exact(shadows));
                    for ((phi, z), &label) in rows.zip(labels) {
                        if label == Labels::MISSING { phi.fill(f64::NAN) } else { signed(z, label == 1, phi) }
                    }
                }
            }
            for row in signals.chunks_exact_mut(shadows) {
                self.lost.iter().for_each(|&shadow| row[shadow] = f64::NAN);
            }
        }
        if let Label::Multi(labels) = label {
            for (present, &label) in self.present.iter_mut().zip(labels) {
                *present = label != Labels::MISSING;
            }
        }
        let means = match queries {
            1 => &self.signals,
            _ => {
                self.means.resize(channels * shadows, 0.0);
                self.count.resize(channels * shadows, 0.0);
                let (means, count) = (&mut self.means[..], &mut self.count[..]);
                dispatch(QueryMeans { signals: &self.signals, means, count });
                &self.means
            }
        };
        if !self.is_single() {
            sum_of_present(means, shadows, &self.present, &mut self.mean);
        }
        if let Some(work) = &mut self.task {
            match label {
                Label::Class(class) if classes > 2 => {
                    work.of_classes(logits, &self.signals, shadows, class, &mut self.scratch);
                }
                Label::Class(_) | Label::Multi(_) => work.of_odds(means, shadows, &self.present),
            }
        }
    }
}

/// Means over queries of the finite signals `[query][label][shadow]`, `[label][shadow]`; NaN where there is
/// none.
struct QueryMeans<'a> {
    signals: &'a [f64],
    means: &'a mut [f64],
    count: &'a mut [f64],
}

impl Kernel for QueryMeans<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { signals, means, count } = self;
        means.fill(0.0);
        count.fill(0.0);
        for query in signals.chunks_exact(means.len()) {
            for ((sum, n), &signal) in means.iter_mut().zip(&mut *count).zip(query) {
                let there = signal.is_finite();
                *sum += if there { signal } else { 0.0 };
                *n += if there { 1.0 } else { 0.0 };
            }
        }
        // Without any 0 / 0: absent.
        means.iter_mut().zip(&*count).for_each(|(sum, n)| *sum /= n);
    }
}

/// Per shadow the sum over known labels of numbers `[label][shadow]`; NaN if one of them is, or no label is
/// known.
fn sum_of_present(numbers: &[f64], shadows: usize, present: &[bool], out: &mut [f64]) {
    let mut known = numbers.chunks_exact(shadows).zip(present).filter(|(_, present)| **present);
    match known.next() {
        Some((first, _)) => out.copy_from_slice(first),
        None => out.fill(f64::NAN),
    }
    for (row, _) in known {
        out.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Tile;

    fn multi(values: Vec<f64>, labels: &[u8], queries: usize) -> (Vec<f64>, Vec<f64>, Vec<bool>) {
        let shape = Shape { shadows: 2, records: 1, queries, classes: labels.len() };
        let mut tile = Tile::new();
        tile.reset_f64(&shape, 1).copy_from_slice(&values);
        let mut extractor = Extractor::of_population(shape, Labels::Multi(labels), &[false; 2]);
        let view = extractor.view(tile.values(), 0, 0);
        (view.signals.to_vec(), view.mean.to_vec(), view.present.to_vec())
    }

    #[test]
    fn labels_have_a_signal_each_and_add_up() {
        let nan = f64::NAN;
        // Two queries, three labels (holds, not known, does not hold), two shadows.
        let logits = vec![1.0, 2.0, 9.0, 9.0, -3.0, 4.0, 5.0, nan, 9.0, 9.0, 1.0, 2.0];
        let (signals, mean, present) = multi(logits, &[1, Labels::MISSING, 0], 2);
        let expected = [1.0, 2.0, nan, nan, 3.0, -4.0, 5.0, nan, nan, nan, -1.0, -2.0];
        assert_eq!(format!("{signals:?}"), format!("{expected:?}"));
        // By hand: (1 + 5) / 2 + (3 - 1) / 2, and 2 (one query only) + (-4 - 2) / 2.
        assert_eq!(mean, [4.0, -1.0]);
        assert_eq!(present, [true, false, true]);
        assert!(multi(vec![1.0, nan, 1.0, 1.0], &[1, 1], 1).1[1].is_nan(), "a known label without a signal");
        assert!(multi(vec![1.0, 2.0], &[Labels::MISSING], 1).1.iter().all(|mean| mean.is_nan()));
    }
}
