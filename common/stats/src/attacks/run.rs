//! Runs attacks side by side over the tiles: in sweep number k each attack either learns from its pass k,
//! or scores. An observer sees every record once, in the first sweep.

use std::ops::Range;

use super::{Attack, Work};
use crate::config::AttackKind;
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::scores::ScoreMatrix;
use crate::signal::{Extractor, View};
use crate::sink::Sink;
use crate::sweep::{self, StripSums};

/// An attack to be run.
pub(crate) struct Entry {
    pub kind: AttackKind,
    /// Whether its scores go to the sink.
    pub published: bool,
    pub attack: Box<dyn Attack>,
}

/// The scores of an attack.
pub(crate) struct Outcome {
    pub kind: AttackKind,
    pub scores: ScoreMatrix,
    /// Scores in which the variance floor acted.
    pub floored: u64,
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
    /// `[shadow][record of the tile]`.
    Scores {
        values: Vec<f64>,
        floored: u64,
    },
    Nothing,
}

/// Runs `entries` to their scores. `take` gets the observer's parts in record order; `progress` the share
/// done, 0 to 1.
pub(crate) fn run<O: Observer>(
    checked: &Checked<'_>,
    tile_records: usize,
    mut entries: Vec<Entry>,
    observer: &O,
    mut take: impl FnMut(Range<usize>, O::Part),
    sink: &mut dyn Sink,
    progress: &dyn Fn(f64),
) -> Result<Vec<Outcome>, StatsError> {
    let (shadows, records) = (checked.shape.shadows, checked.shape.records);
    let sweeps = entries.iter().map(|entry| entry.attack.passes() + 1).max().unwrap_or(1);
    let mut outcomes: Vec<Outcome> = entries
        .iter()
        .map(|entry| Outcome { kind: entry.kind, scores: ScoreMatrix::new(shadows, records), floored: 0 })
        .collect();
    for sweep in 0..sweeps {
        let mut totals: Vec<Vec<f64>> = entries.iter().map(|entry| vec![0.0; width(entry, sweep)]).collect();
        let reading = &entries;
        sweep::for_each_tile(
            checked,
            tile_records,
            |range, tile| {
                let mut extractor = Extractor::new(checked, sweep == 0);
                let mut tile_work = TileWork::new(reading, sweep, shadows, range.len());
                let mut seen = (sweep == 0).then(|| observer.begin(range.clone()));
                for (index, record) in range.enumerate() {
                    let view = extractor.view(tile, index, record);
                    if let Some(part) = &mut seen {
                        observer.record(part, index, &view);
                    }
                    tile_work.record(reading, sweep, index, &view);
                }
                (seen, tile_work.parts)
            },
            |range, (seen, parts)| {
                if let Some(part) = seen {
                    take(range.clone(), part);
                }
                for (index, part) in parts.into_iter().enumerate() {
                    match part {
                        Part::Sums(sums) => sums.add_to(&mut [&mut totals[index]]),
                        Part::Scores { values, floored } => {
                            outcomes[index].floored += floored;
                            outcomes[index].scores.put(range.clone(), &values);
                            if reading[index].published {
                                sink.scores(reading[index].kind, range.clone(), &values).map_err(
                                    |source| StatsError::Sink { start: range.start, end: range.end, source },
                                )?;
                            }
                        }
                        Part::Nothing => {}
                    }
                }
                progress((sweep as f64 + range.end as f64 / records as f64) / sweeps as f64);
                Ok(())
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

/// One thread's work on one tile.
struct TileWork {
    records: usize,
    parts: Vec<Part>,
    work: Work,
    row: Vec<f64>,
}

impl TileWork {
    fn new(entries: &[Entry], sweep: usize, shadows: usize, records: usize) -> Self {
        let part = |entry: &Entry| match sweep.cmp(&entry.attack.passes()) {
            std::cmp::Ordering::Less => Part::Sums(StripSums::new(records, width(entry, sweep))),
            std::cmp::Ordering::Equal => {
                Part::Scores { values: vec![f64::NAN; records * shadows], floored: 0 }
            }
            std::cmp::Ordering::Greater => Part::Nothing,
        };
        Self {
            records,
            parts: entries.iter().map(part).collect(),
            work: Work::default(),
            row: vec![0.0; shadows],
        }
    }

    fn record(&mut self, entries: &[Entry], sweep: usize, index: usize, view: &View<'_>) {
        for (entry, part) in entries.iter().zip(&mut self.parts) {
            match part {
                Part::Sums(sums) => entry.attack.observe(sweep, view, &mut self.work, sums.of(index)),
                Part::Scores { values, floored } => {
                    *floored += entry.attack.score(view, &mut self.work, &mut self.row);
                    for (shadow, &score) in self.row.iter().enumerate() {
                        values[shadow * self.records + index] =
                            if score.is_finite() { score } else { f64::NAN };
                    }
                }
                Part::Nothing => {}
            }
        }
    }
}
