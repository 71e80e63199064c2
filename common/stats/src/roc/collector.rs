//! Collects scores, and finds their curves.

use super::Roc;
use super::bootstrap::{Histogram, Sampling};
use super::distribute::Sorted;
use super::finish::{Finish, Sizes};
use super::key::Layout;
use super::reader::Reader;
use super::runs::Runs;
use super::thin::Thinner;
use crate::analysis::{Figures, Interval};
use crate::error::StatsError;
use crate::scratch::Scratch;

/// Takes scores in any order.
pub(crate) struct Collector<'a> {
    layout: Layout,
    sizes: Sizes,
    scratch: &'a dyn Scratch,
    runs: Runs<'a>,
    /// Scores by tag (without group).
    totals: Vec<u64>,
}

/// What to find.
#[derive(Clone, Copy, Default)]
pub(crate) struct Want<'a> {
    /// The curve of all scores together.
    pub pooled: bool,
    /// The figures of every curve of the layout.
    pub curves: bool,
    /// Intervals of the pooled figures.
    pub intervals: Option<&'a Sampling>,
}

/// What was found of what was wanted.
pub(crate) struct Found {
    pub pooled: Option<Roc>,
    /// By tag without side and group; NaN where there are no scores of one side.
    pub curves: Vec<Figures>,
    pub interval: Option<Interval>,
}

impl<'a> Collector<'a> {
    pub fn new(layout: Layout, sizes: Sizes, scratch: &'a dyn Scratch) -> Self {
        Self {
            layout,
            sizes,
            scratch,
            runs: Runs::new(sizes.memory, scratch),
            totals: vec![0; layout.tags()],
        }
    }

    /// Takes the scores of a tile.
    pub fn take(&mut self, sorted: Sorted) -> Result<(), StatsError> {
        for (total, more) in self.totals.iter_mut().zip(&sorted.totals) {
            *total += more;
        }
        sorted.parts.into_iter().try_for_each(|part| self.runs.take(part, &sorted.spare))
    }

    /// The curve of all scores together.
    pub fn pooled(self) -> Result<Roc, StatsError> {
        let found = self.find(Want { pooled: true, ..Want::default() })?;
        Ok(found.pooled.expect("the pooled curve was asked for"))
    }

    /// Finds what is wanted.
    pub fn find(self, want: Want<'_>) -> Result<Found, StatsError> {
        let side = |side: usize| self.totals.iter().skip(side).step_by(2).sum::<u64>();
        let (members, nonmembers) = (side(1), side(0));
        let histogram =
            want.intervals.map(|sampling| Histogram::new(sampling, self.layout, members + nonmembers));
        let curves = self.totals.chunks_exact(2).filter(|_| want.curves);
        let mut finish = Finish {
            layout: self.layout,
            sizes: self.sizes,
            scratch: self.scratch,
            pooled: want
                .pooled
                .then(|| (Reader::new(members, nonmembers), Thinner::new(members, nonmembers))),
            curves: curves.map(|counts| Reader::new(counts[1], counts[0])).collect(),
            histogram: histogram.as_ref(),
            rank: 0,
        };
        finish.descend(&self.runs)?;
        let curves = finish.curves.iter().map(Reader::figures).collect();
        let pooled = finish.pooled.map(|(reader, drawing)| Roc {
            figures: reader.figures(),
            members,
            nonmembers,
            curve: drawing.curve(),
        });
        let interval = match (want.intervals, &histogram, &pooled) {
            (Some(sampling), Some(histogram), Some(pooled)) => sampling.interval(histogram, &pooled.figures),
            _ => None,
        };
        Ok(Found { pooled, curves, interval })
    }
}
