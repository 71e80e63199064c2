//! ROC curves, exact, of billions of scores in bounded memory: tied scores form one vertex, counts are
//! integers, nothing is thinned before a figure is read off.
//!
//! A [`Sorter`] turns the scores of a tile into packed words, cell by cell: a cell is a range of scores, and a
//! word the rest of a score's key beside a tag that says whose it is. A [`Collector`] takes them tile by tile;
//! what outgrows memory goes to scratch room. In the end the cells are sorted one by one, from the highest,
//! and one walk over each finds the strips of the pooled curve and of every target's, a bit a score, and the
//! bootstrap's histogram; readers then go along the strips. Everything found is an integer count, so neither
//! threads nor tiles nor cells nor the order of arrival show.

mod bootstrap;
mod cells;
mod collector;
mod curves;
mod distribute;
mod finish;
mod key;
mod reader;
mod runs;
mod sort;
mod strip;
mod targets;
#[cfg(test)]
mod tests;
mod thin;
mod walk;

pub(crate) use bootstrap::Sampling;
pub(crate) use collector::{Collector, Want};
pub use curves::{ScoreCurves, ScoreFindings};
pub(crate) use distribute::{Sorted, Sorter, TileMembers};
pub(crate) use finish::Sizes;
pub(crate) use key::Layout;
pub(crate) use targets::per_target;

use crate::analysis::{Figures, RocCurve};
use crate::scratch::MemoryScratch;

/// A ROC curve's figures and drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Roc {
    /// The figures, from every vertex; NaN without members or without non-members.
    pub figures: Figures,
    /// Scores of members.
    pub members: u64,
    /// Scores of non-members.
    pub nonmembers: u64,
    /// The curve, thinned for drawing.
    pub curve: RocCurve,
}

/// The ROC curve of scores, higher meaning member. Non-finite scores are absent.
pub fn roc(members: &[f64], nonmembers: &[f64]) -> Roc {
    let sizes = Sizes::holding(usize::MAX);
    let sorter = Sorter::new(Layout::POOLED, sizes.cells((members.len() + nonmembers.len()) as u64));
    let mut collector = Collector::new(Layout::POOLED, sizes, &MemoryScratch);
    for (member, scores) in [(1, members), (0, nonmembers)] {
        for scores in scores.chunks(1 << 15) {
            let sorted = sorter.sort(scores, scores.len(), |_| std::iter::repeat(member));
            collector.take(sorted).expect("memory without bound never spills, so nothing can fail");
        }
    }
    collector.pooled().expect("memory without bound never spills, so nothing can fail")
}
