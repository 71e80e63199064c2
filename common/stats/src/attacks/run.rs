//! Runs attacks side by side over the tiles: in sweep number k each attack either learns from its pass k,
//! or scores. An observer sees every record once, in the first sweep.

use std::cmp::Ordering;
use std::ops::Range;

use super::block::{ScoreBlocks, Spare};
use super::calibrated::calibrated;
use super::gather::{Curves, Outcomes, TileSorter, margins};
use super::{Attack, Work};
use crate::config::AttackKind;
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::roc::Sorted;
use crate::signal::{Extractor, View};
use crate::sink::Sink;
use crate::sweep::{self, Pieces, StripSums, Tiling};

/// An attack to be run.
pub(crate) struct Entry {
    pub kind: AttackKind,
    pub attack: Box<dyn Attack>,
}

/// What looks at every record once; tiles in parallel.
pub(crate) trait Observer: Sync {
    /// What is gathered from a tile.
    type Part: Send;

    /// Nothing gathered yet from a tile of `records`.
    fn begin(&self, records: Range<usize>) -> Self::Part;

    /// Adds the record at `index` of the tile.
    fn record(&self, part: &mut Self::Part, index: usize, view: &View<'_>);
}

/// What one tile contributes to one attack.
enum Part {
    Sums(StripSums),
    Scores(ScoreBlocks),
    /// The same, and for the collectors: as they are, and calibrated.
    Sorted(ScoreBlocks, Sorted, Option<Sorted>),
    Nothing,
}

/// What one tile contributes.
struct Contribution<S> {
    seen: Option<S>,
    /// Margins of the shadows' task.
    task: Option<(ScoreBlocks, Sorted)>,
    /// By attack.
    parts: Vec<Part>,
}

/// Runs `entries` to their collected scores. `take` gets the observer's parts in record order, and the sink;
/// `progress` the share done, 0 to 1, and may stop the run by an error.
pub(crate) fn run<'a, O: Observer>(
    checked: &Checked<'a>,
    tile_records: Option<usize>,
    mut entries: Vec<Entry>,
    curves: Curves<'_>,
    observer: &O,
    mut take: impl FnMut(&mut dyn Sink, Range<usize>, O::Part) -> Result<(), StatsError>,
    sink: &mut dyn Sink,
    progress: &dyn Fn(f64) -> Result<(), StatsError>,
) -> Result<Outcomes<'a>, StatsError> {
    let (shadows, records) = (checked.shape.shadows, checked.shape.records);
    let sweeps = entries.iter().map(|entry| entry.attack.passes() + 1).max().unwrap_or(1);
    let mut outcomes = Outcomes::new(checked, &entries, &curves)?;
    let task_wanted = outcomes.task.is_some();
    for sweep in 0..sweeps {
        // Buffers of one size; another sweep's tiles have another.
        let spare = Spare::default();
        let mut totals: Vec<Vec<f64>> = entries.iter().map(|entry| vec![0.0; width(entry, sweep)]).collect();
        let reading = &entries;
        let tiling =
            Tiling::new(checked, tile_records, result_bytes(reading, sweep, shadows, curves.calibrated));
        sweep::for_each_tile(
            checked,
            tiling,
            || Worker { extractor: Extractor::new(checked, sweep == 0), work: Work::default() },
            |worker, range, pieces| {
                let begin = |entry: &Entry| Part::begin(entry, sweep, shadows, range.len(), &spare);
                let mut parts: Vec<Part> = reading.iter().map(begin).collect();
                let mut seen = (sweep == 0).then(|| (observer, observer.begin(range.clone())));
                let mut task = (sweep == 0 && task_wanted).then(|| spare.blocks(shadows, range.len()));
                worker.tile(
                    checked,
                    reading,
                    sweep,
                    range.start,
                    pieces,
                    &mut parts,
                    &mut seen,
                    &mut task,
                )?;
                let sorter = TileSorter::new(checked, &curves, range.clone());
                let references = &mut worker.work.references;
                let sort = |part| match part {
                    Part::Scores(blocks) => {
                        let of_calibrated = curves.calibrated.then(|| {
                            let blocks = calibrated(checked, range.clone(), &blocks, references, &spare);
                            let sorted = sorter.calibrated(blocks.values());
                            spare.give(blocks);
                            sorted
                        });
                        let sorted = sorter.scores(blocks.values());
                        Part::Sorted(blocks, sorted, of_calibrated)
                    }
                    other => other,
                };
                Ok(Contribution {
                    seen: seen.map(|(_, part)| part),
                    task: task
                        .and_then(|blocks| sorter.margins(blocks.values()).map(|sorted| (blocks, sorted))),
                    parts: parts.into_iter().map(sort).collect(),
                })
            },
            |range, contribution| {
                if let Some(part) = contribution.seen {
                    take(sink, range.clone(), part)?;
                }
                if let (Some(collector), Some((blocks, sorted))) = (&mut outcomes.task, contribution.task) {
                    collector.take(&sorted)?;
                    spare.give(blocks);
                }
                for (index, part) in contribution.parts.into_iter().enumerate() {
                    match part {
                        Part::Sums(sums) => sums.add_to(&mut [&mut totals[index]]),
                        Part::Sorted(blocks, sorted, of_calibrated) => {
                            let outcome = &mut outcomes.attacks[index];
                            outcome.floored += blocks.floored;
                            outcome.scores.take(&sorted)?;
                            if let (Some(collector), Some(sorted)) = (&mut outcome.calibrated, of_calibrated)
                            {
                                collector.take(&sorted)?;
                            }
                            sink.scores(outcome.kind, range.clone(), blocks.values()).map_err(|source| {
                                StatsError::Sink { start: range.start, end: range.end, source }
                            })?;
                            spare.give(blocks);
                        }
                        Part::Scores(_) | Part::Nothing => {}
                    }
                }
                progress((sweep as f64 + range.end as f64 / records as f64) / sweeps as f64)
            },
        )?;
        for (entry, sums) in entries.iter_mut().zip(&totals) {
            if sweep < entry.attack.passes() {
                entry.attack.learn(sweep, sums);
            }
        }
    }
    Ok(outcomes)
}

/// Sums that an attack forms in a sweep.
fn width(entry: &Entry, sweep: usize) -> usize {
    if sweep < entry.attack.passes() { entry.attack.width(sweep) } else { 0 }
}

/// Bytes that the attacks gather for each record of a tile in a sweep, and a row of the observer's.
fn result_bytes(entries: &[Entry], sweep: usize, shadows: usize, calibrated: bool) -> usize {
    let of = |entry: &Entry| match sweep.cmp(&entry.attack.passes()) {
        Ordering::Less => width(entry, sweep).div_ceil(sweep::STRIP),
        // The scores, and the same sorted.
        Ordering::Equal => 2 * shadows * (1 + usize::from(calibrated)),
        Ordering::Greater => 0,
    };
    // What the observer gathers, and the margins of the task.
    let row = if sweep == 0 { 4 * shadows } else { 0 };
    (entries.iter().map(of).sum::<usize>() + row) * size_of::<f64>()
}

impl Part {
    fn begin(entry: &Entry, sweep: usize, shadows: usize, records: usize, spare: &Spare) -> Self {
        match sweep.cmp(&entry.attack.passes()) {
            Ordering::Less => Part::Sums(StripSums::new(records, width(entry, sweep))),
            Ordering::Equal => Part::Scores(spare.blocks(shadows, records)),
            Ordering::Greater => Part::Nothing,
        }
    }
}

/// What a thread works with, for one tile after the other.
struct Worker<'a> {
    extractor: Extractor<'a>,
    work: Work,
}

impl Worker<'_> {
    /// Shows every record of the tile that begins at `first` to the observer and to the attacks.
    fn tile<O: Observer>(
        &mut self,
        checked: &Checked<'_>,
        entries: &[Entry],
        sweep: usize,
        first: usize,
        mut pieces: Pieces<'_>,
        parts: &mut [Part],
        seen: &mut Option<(&O, O::Part)>,
        task: &mut Option<ScoreBlocks>,
    ) -> Result<(), StatsError> {
        while let Some((records, logits)) = pieces.next()? {
            for (piece_index, record) in records.enumerate() {
                let (view, index) = (self.extractor.view(logits, piece_index, record), record - first);
                if let Some((observer, part)) = seen {
                    observer.record(part, index, &view);
                }
                if let Some(blocks) = task {
                    margins(checked, record, view.mean, blocks.row());
                    blocks.keep(0);
                }
                for (entry, part) in entries.iter().zip(&mut *parts) {
                    match part {
                        Part::Sums(sums) => {
                            entry.attack.observe(sweep, &view, &mut self.work, sums.of(index));
                        }
                        Part::Scores(blocks) => {
                            let floored = entry.attack.score(&view, &mut self.work, blocks.row());
                            blocks.keep(floored);
                        }
                        Part::Sorted(..) | Part::Nothing => {}
                    }
                }
            }
        }
        for (entry, part) in entries.iter().zip(parts) {
            if let Part::Scores(blocks) = part {
                blocks.finish(&*entry.attack);
            }
        }
        Ok(())
    }
}
