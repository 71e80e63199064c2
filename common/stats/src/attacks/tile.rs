//! One tile in one sweep: every record is shown to the observer and to the attacks.

use std::cmp::Ordering;
use std::ops::Range;

use super::Work;
use super::block::{ScoreBlocks, Spare};
use super::calibrated::calibrated;
use super::gather::{Curves, Outcomes, Sorters, TileSorter, margins};
use super::run::{Entry, Observer};
use super::strip::Strip;
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::roc::Sorted;
use crate::signal::Extractor;
use crate::sweep::{Pieces, STRIP, StripSums};

/// What a tile gives to one attack: sums to learn from, scores, or nothing as it is through.
pub(super) enum Part<S> {
    Sums(StripSums),
    Scores(S),
    Nothing,
}

/// The scores of a tile.
pub(super) struct Scored {
    pub blocks: ScoreBlocks,
    /// The same for the collector.
    pub sorted: Option<Sorted>,
    /// The same, calibrated record by record.
    pub calibrated: Option<Sorted>,
}

/// What a tile gives.
pub(super) struct Contribution<S> {
    /// To the observer.
    pub seen: Option<S>,
    /// Margins of the shadows' task.
    pub task: Option<Sorted>,
    /// By attack.
    pub parts: Vec<Part<Scored>>,
}

/// A pass over all records.
pub(super) struct Sweep<'s, 'a, O> {
    checked: &'s Checked<'a>,
    entries: &'s [Entry],
    curves: Curves<'s>,
    /// In the first sweep only.
    observer: Option<&'s O>,
    number: usize,
    /// Whether the margins of the shadows' task are wanted.
    task: bool,
    sorters: Sorters,
    /// Buffers of one size; another sweep's tiles have another.
    spare: Spare,
}

/// What a thread works with, for one tile after the other.
pub(super) struct Worker<'a, O: Observer> {
    extractor: Extractor<'a>,
    work: Work,
    /// Plain records that wait for the end of their strip.
    strip: Strip,
    observer: O::Worker,
}

impl<'s, 'a, O: Observer> Sweep<'s, 'a, O> {
    /// For what `outcomes` collect.
    pub fn new(
        checked: &'s Checked<'a>,
        entries: &'s [Entry],
        curves: Curves<'s>,
        observer: &'s O,
        number: usize,
        outcomes: &Outcomes<'_>,
    ) -> Self {
        let first = number == 0;
        let observer = first.then_some(observer);
        let (task, sorters) = (first && outcomes.task.is_some(), outcomes.sorters(checked));
        Self { checked, entries, curves, observer, number, task, sorters, spare: Spare::default() }
    }

    pub fn worker(&self) -> Worker<'a, O> {
        let with_task = self.observer.is_some() && O::SEES_TASK;
        Worker {
            extractor: Extractor::new(self.checked, with_task),
            work: Work::default(),
            strip: Strip::default(),
            observer: O::Worker::default(),
        }
    }

    /// Sums that an attack forms.
    pub fn width(&self, entry: &Entry) -> usize {
        if self.number < entry.attack.passes() { entry.attack.width(self.number) } else { 0 }
    }

    /// Bytes that are gathered for each record of a tile.
    pub fn result_bytes(&self) -> usize {
        let shadows = self.checked.shape.shadows;
        let of = |entry: &Entry| match self.number.cmp(&entry.attack.passes()) {
            Ordering::Less => self.width(entry).div_ceil(STRIP),
            // The scores, and the same sorted.
            Ordering::Equal => {
                shadows * (1 + usize::from(self.curves.scores) + 2 * usize::from(self.curves.calibrated))
            }
            Ordering::Greater => 0,
        };
        // What the observer gathers, and the margins of the task.
        let row = if self.number == 0 { 4 * shadows } else { 0 };
        (self.entries.iter().map(of).sum::<usize>() + row) * size_of::<f64>()
    }

    /// Whether an attack scores in this sweep.
    pub fn scores_any(&self) -> bool {
        self.entries.iter().any(|entry| self.number == entry.attack.passes())
    }

    /// Whether an attack takes plain records strip by strip.
    fn by_strip(&self, entry: &Entry) -> bool {
        match self.number.cmp(&entry.attack.passes()) {
            Ordering::Less => entry.attack.observes_strips(self.number),
            Ordering::Equal => entry.attack.scores_strips(),
            Ordering::Greater => false,
        }
    }

    fn begin(&self, entry: &Entry, records: usize) -> Part<ScoreBlocks> {
        match self.number.cmp(&entry.attack.passes()) {
            Ordering::Less => Part::Sums(StripSums::new(records, self.width(entry))),
            Ordering::Equal => Part::Scores(self.spare.blocks(self.checked.shape.shadows, records)),
            Ordering::Greater => Part::Nothing,
        }
    }

    /// Shows every record of a tile to the observer and to the attacks.
    ///
    /// # Errors
    /// If the logits cannot be read.
    pub fn map(
        &self,
        worker: &mut Worker<'_, O>,
        tile: Range<usize>,
        mut pieces: Pieces<'_>,
    ) -> Result<Contribution<O::Part>, StatsError> {
        let Worker { extractor, work, strip, observer: looking } = worker;
        strip.clear();
        let mut parts: Vec<_> = self.entries.iter().map(|entry| self.begin(entry, tile.len())).collect();
        let mut seen = self.observer.map(|observer| (observer, observer.begin(tile.clone())));
        let by_strip: Vec<bool> = self.entries.iter().map(|entry| self.by_strip(entry)).collect();
        let any_by_strip = by_strip.contains(&true);
        let mut task = self.task.then(|| self.spare.blocks(self.checked.shape.shadows, tile.len()));
        while let Some((records, logits)) = pieces.next()? {
            for (piece_index, record) in records.enumerate() {
                let (view, index) = (extractor.view(logits, piece_index, record), record - tile.start);
                if let Some((observer, part)) = &mut seen {
                    observer.record(looking, part, index, &view);
                }
                if let Some(blocks) = &mut task {
                    margins(self.checked, record, view.mean, blocks.row());
                    blocks.keep(0);
                }
                let plain = any_by_strip && strip.take(index, &view, &self.checked.blocks);
                let entries = self.entries.iter().zip(&by_strip).zip(&mut parts);
                for ((entry, &by_strip), part) in entries.filter(|((_, by_strip), _)| !(plain && **by_strip))
                {
                    match part {
                        Part::Sums(sums) => entry.attack.observe(self.number, &view, work, sums.of(index)),
                        Part::Scores(blocks) if by_strip => {
                            let mut row = std::mem::take(&mut work.row);
                            row.resize(self.checked.shape.shadows, f64::NAN);
                            let floored = entry.attack.score(&view, work, &mut row);
                            blocks.place(index, &row, floored);
                            work.row = row;
                        }
                        Part::Scores(blocks) => {
                            let floored = entry.attack.score(&view, work, blocks.row());
                            blocks.keep(floored);
                        }
                        Part::Nothing => {}
                    }
                }
                if any_by_strip && ((index + 1).is_multiple_of(STRIP) || index + 1 == tile.len()) {
                    let entries = self.entries.iter().zip(&by_strip).zip(&mut parts);
                    for ((entry, _), part) in entries.filter(|((_, by_strip), _)| **by_strip) {
                        match part {
                            Part::Sums(sums) => {
                                entry.attack.observe_strip(self.number, strip, work, sums.of(index));
                            }
                            Part::Scores(blocks) => entry.attack.score_strip(strip, work, blocks),
                            Part::Nothing => {}
                        }
                    }
                    strip.clear();
                }
            }
        }
        let sorter = TileSorter::new(self.checked, &self.curves, &self.sorters, tile.clone());
        let task = task.and_then(|blocks| {
            let sorted = sorter.margins(blocks.values());
            self.spare.give(blocks);
            sorted
        });
        let finish = |(attack, part): (usize, Part<ScoreBlocks>)| match part {
            Part::Sums(sums) => Part::Sums(sums),
            Part::Scores(blocks) => Part::Scores(self.scored(attack, blocks, tile.clone(), &sorter, work)),
            Part::Nothing => Part::Nothing,
        };
        let parts = parts.into_iter().enumerate().map(finish).collect();
        Ok(Contribution { seen: seen.map(|(_, part)| part), task, parts })
    }

    fn scored(
        &self,
        attack: usize,
        mut blocks: ScoreBlocks,
        tile: Range<usize>,
        sorter: &TileSorter<'_>,
        work: &mut Work,
    ) -> Scored {
        blocks.finish(&*self.entries[attack].attack);
        let sorted = self.curves.scores.then(|| sorter.scores(attack, blocks.values()));
        let calibrated = self.curves.calibrated.then(|| {
            let blocks = calibrated(self.checked, tile, &blocks, &mut work.references, &self.spare);
            let sorted = sorter.calibrated(attack, blocks.values());
            self.spare.give(blocks);
            sorted
        });
        Scored { blocks, sorted, calibrated }
    }

    /// Takes back a buffer that came with scores.
    pub fn give_back(&self, blocks: ScoreBlocks) {
        self.spare.give(blocks);
    }
}
