//! Runs attacks side by side over the tiles: in sweep number k each attack either learns from its pass k,
//! or scores. An observer sees every record once, in the first sweep.

use std::ops::Range;

use super::Attack;
use super::gather::{Curves, Outcomes};
use super::tile::{Contribution, Part, Scored, Sweep};
use crate::config::AttackKind;
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::signal::View;
use crate::sink::Sink;
use crate::sweep::{self, Tiling};

/// An attack to be run.
pub(crate) struct Entry {
    pub kind: AttackKind,
    pub attack: Box<dyn Attack>,
}

/// What looks at every record once; tiles in parallel.
pub(crate) trait Observer: Sync {
    /// What is gathered from a tile.
    type Part: Send;

    /// What a thread works with, for one tile after the other.
    type Worker: Default + Send;

    /// Whether its views tell how the shadows did their own task.
    const SEES_TASK: bool;

    /// Nothing gathered yet from a tile of `records`.
    fn begin(&self, records: Range<usize>) -> Self::Part;

    /// Adds the record at `index` of the tile.
    fn record(&self, worker: &mut Self::Worker, part: &mut Self::Part, index: usize, view: &View<'_>);
}

/// Looks at no record.
pub(crate) struct Nobody;

impl Observer for Nobody {
    type Part = ();
    type Worker = ();

    const SEES_TASK: bool = false;

    fn begin(&self, _: Range<usize>) {}

    fn record(&self, (): &mut (), (): &mut (), _: usize, _: &View<'_>) {}
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
    let sweeps = entries.iter().map(|entry| entry.attack.passes() + 1).max().unwrap_or(1);
    let mut outcomes = Outcomes::new(checked, &entries, &curves)?;
    let mut room = Vec::new();
    for number in 0..sweeps {
        let sweep = Sweep::new(checked, &entries, curves, observer, number, &outcomes);
        let mut totals: Vec<Vec<f64>> = entries.iter().map(|entry| vec![0.0; sweep.width(entry)]).collect();
        sweep::for_each_tile(
            checked,
            Tiling::new(checked, tile_records, sweep.result_bytes(), sweep.scores_any()),
            || sweep.worker(),
            |worker, tile, pieces| sweep.map(worker, tile, pieces),
            |tile, Contribution { seen, task, parts }| {
                if let Some(seen) = seen {
                    take(sink, tile.clone(), seen)?;
                }
                if let (Some(collector), Some(sorted)) = (&mut outcomes.task, task) {
                    collector.take(sorted)?;
                }
                for ((part, totals), outcome) in parts.into_iter().zip(&mut totals).zip(&mut outcomes.attacks)
                {
                    match part {
                        Part::Sums(sums) => sums.add_to(&mut [totals]),
                        Part::Scores(Scored { blocks, sorted, calibrated }) => {
                            outcome.take(&blocks, sorted, calibrated)?;
                            let (start, end) = (tile.start, tile.end);
                            let (scores, shadows) = (blocks.values(), checked.shape.shadows);
                            let scores = checked.order.restored_scores(scores, shadows, &mut room);
                            sink.scores(outcome.kind, tile.clone(), scores)
                                .map_err(|source| StatsError::Sink { start, end, source })?;
                            sweep.give_back(blocks);
                        }
                        Part::Nothing => {}
                    }
                }
                let share = tile.end as f64 / checked.shape.records as f64;
                progress((number as f64 + share) / sweeps as f64)
            },
        )?;
        for (entry, sums) in entries.iter_mut().zip(&totals) {
            if number < entry.attack.passes() {
                entry.attack.learn(number, sums);
            }
        }
    }
    Ok(outcomes)
}
