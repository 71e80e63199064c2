//! Where the scores of a run go: to collectors, of which ROC curves are read.

use std::ops::Range;

use super::block::ScoreBlocks;
use super::run::Entry;
use crate::config::AttackKind;
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::labels::Labels;
use crate::roc::{Collector, Layout, Sampling, Sizes, Sorted, Sorter, TileMembers};

/// Bytes that the collectors of a run hold together before scores go to scratch room.
const MEMORY: usize = 48 << 20;

/// Which curves will be read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Curves<'a> {
    /// Whether those of the scores: pooled, and per target.
    pub scores: bool,
    /// What is drawn again for intervals.
    pub sampling: Option<&'a Sampling>,
    /// Whether those of calibrated scores, too.
    pub calibrated: bool,
    /// Whether those of the shadows' own task, too: single labels of two classes have one.
    pub task: bool,
}

/// The collected scores of an attack.
pub(crate) struct Outcome<'a> {
    pub kind: AttackKind,
    /// Positive for members; a curve per target ([`Layout::per_shadow`]). Only if curves were wanted.
    pub scores: Option<Collector<'a>>,
    /// The same, calibrated record by record; one curve ([`Layout::POOLED`]).
    pub calibrated: Option<Collector<'a>>,
    /// Scores in which the variance floor acted.
    pub floored: u64,
}

impl Outcome<'_> {
    /// Takes the scores of a tile.
    pub fn take(
        &mut self,
        blocks: &ScoreBlocks,
        sorted: Option<Sorted>,
        calibrated: Option<Sorted>,
    ) -> Result<(), StatsError> {
        self.floored += blocks.floored;
        for (collector, sorted) in [(&mut self.scores, sorted), (&mut self.calibrated, calibrated)] {
            if let (Some(collector), Some(sorted)) = (collector, sorted) {
                collector.take(sorted)?;
            }
        }
        Ok(())
    }
}

/// All that was collected.
pub(crate) struct Outcomes<'a> {
    pub attacks: Vec<Outcome<'a>>,
    /// The margins of label 1; a curve per shadow and side ([`Layout::per_shadow_and_side`]). Only if there
    /// are records of both labels, as there is no curve otherwise.
    pub task: Option<Collector<'a>>,
    sizes: Sizes,
}

impl<'a> Outcomes<'a> {
    /// Nothing collected yet.
    pub fn new(checked: &Checked<'a>, entries: &[Entry], curves: &Curves<'_>) -> Result<Self, StatsError> {
        let shadows = checked.shape.shadows;
        Layout::check(shadows)?;
        let both = |labels: &[u32]| labels.contains(&0) && labels.contains(&1);
        let task = curves.task && task_labels(checked).is_some_and(both);
        // Where scratch room is memory, too, moving there gains nothing.
        let memory = if checked.scratch.is_memory() { usize::MAX } else { MEMORY };
        let kinds = usize::from(curves.scores) + usize::from(curves.calibrated);
        let collectors = entries.len() * kinds + usize::from(task);
        let sizes = Sizes::holding(memory / collectors.max(1));
        let pooled = || Collector::new(Layout::POOLED, sizes, checked.scratch);
        let attacks = entries.iter().map(|entry| Outcome {
            kind: entry.kind,
            scores: curves
                .scores
                .then(|| Collector::new(Layout::per_shadow(shadows), sizes, checked.scratch)),
            calibrated: curves.calibrated.then(pooled),
            floored: 0,
        });
        Ok(Self {
            attacks: attacks.collect(),
            task: task.then(|| Collector::new(Layout::per_shadow_and_side(shadows), sizes, checked.scratch)),
            sizes,
        })
    }

    /// What sorts tiles for the collectors.
    pub fn sorters(&self, checked: &Checked<'_>) -> Sorters {
        let shadows = checked.shape.shadows;
        let cells = self.sizes.cells((checked.shape.records * shadows) as u64);
        let scores = || Sorter::new(Layout::per_shadow(shadows), cells);
        let calibrated = || Sorter::new(Layout::POOLED, cells);
        Sorters {
            attacks: self.attacks.iter().map(|_| (scores(), calibrated())).collect(),
            task: Sorter::new(Layout::per_shadow_and_side(shadows), cells),
        }
    }
}

/// The labels, if the shadows' task has a ROC curve.
fn task_labels<'a>(checked: &Checked<'a>) -> Option<&'a [u32]> {
    match checked.labels {
        Labels::Class(labels) if checked.two_classes() => Some(labels),
        _ => None,
    }
}

/// What sorts tiles.
pub(crate) struct Sorters {
    /// By attack, for scores and for calibrated scores.
    attacks: Vec<(Sorter, Sorter)>,
    task: Sorter,
}

/// Sorts the scores of a tile for the collectors.
pub(super) struct TileSorter<'a> {
    sorters: &'a Sorters,
    records: usize,
    members: TileMembers,
    /// By record of the tile, the tag of its group.
    groups: Vec<u64>,
    /// Its labels, if the task has a curve.
    labels: Option<&'a [u32]>,
}

impl<'a> TileSorter<'a> {
    pub fn new(checked: &Checked<'a>, curves: &Curves<'_>, sorters: &'a Sorters, tile: Range<usize>) -> Self {
        let shadows = checked.shape.shadows;
        let units = &checked.units[tile.clone()];
        let group = |&unit: &u32| {
            curves.sampling.map_or(0, |sampling| sampling.tag(Layout::per_shadow(shadows), unit))
        };
        Self {
            sorters,
            records: tile.len(),
            members: TileMembers::new(&checked.membership, units),
            groups: units.iter().map(group).collect(),
            labels: task_labels(checked).map(|labels| &labels[tile]),
        }
    }

    /// The scores `[shadow][record of the tile]` of the attack of that number.
    pub fn scores(&self, attack: usize, scores: &[f64]) -> Sorted {
        self.sorters.attacks[attack].0.sort(scores, self.records, |shadow| {
            let tags = self.groups.iter().zip(self.members.of(shadow));
            tags.map(move |(group, member)| group | (shadow as u64) << 1 | member)
        })
    }

    /// Its calibrated scores `[shadow][record of the tile]`.
    pub fn calibrated(&self, attack: usize, scores: &[f64]) -> Sorted {
        self.sorters.attacks[attack].1.sort(scores, self.records, |shadow| self.members.of(shadow))
    }

    /// The margins of label 1, `[shadow][record of the tile]`; `None` if the task has no curve.
    pub fn margins(&self, margins: &[f64]) -> Option<Sorted> {
        let labels = self.labels?;
        Some(self.sorters.task.sort(margins, self.records, |shadow| {
            let tags = labels.iter().zip(self.members.of(shadow));
            tags.map(move |(&label, member)| (shadow as u64) << 2 | member << 1 | u64::from(label))
        }))
    }
}

/// The log odds of label 1, per shadow, from those of the record's label.
pub(super) fn margins(checked: &Checked<'_>, record: usize, odds: &[f64], out: &mut [f64]) {
    let negated = task_labels(checked).is_some_and(|labels| labels[record] != 1);
    for (margin, &odds) in out.iter_mut().zip(odds) {
        *margin = if negated { -odds } else { odds };
    }
}
