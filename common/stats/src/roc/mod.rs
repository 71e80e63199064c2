//! ROC curves, exact, of billions of scores in bounded memory: tied scores form one vertex, counts are
//! integers, nothing is thinned before a figure is read off.
//!
//! A [`Collector`] takes scores tile by tile as packed words: bucketed by the highest bits of their keys,
//! the rest of the key beside a tag that says whose score it is. Buckets that outgrow memory go to scratch
//! room. In the end the buckets are sorted one by one, from the highest, and one walk over them reads the
//! pooled curve, the curve of every target and the bootstrap's histogram. Everything found is an integer
//! count, so neither threads nor tiles nor the order of arrival show.

mod bootstrap;
mod buckets;
mod collector;
mod curves;
mod distribute;
mod finish;
mod key;
mod reader;
mod sort;
mod targets;
#[cfg(test)]
mod tests;
mod thin;
mod walk;

pub(crate) use bootstrap::Sampling;
pub(crate) use collector::{Collector, Want};
pub use curves::{ScoreCurves, ScoreFindings};
pub(crate) use distribute::{Sorted, TileMembers, distribute};
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
    let mut collector = Collector::new(Layout::POOLED, Sizes::holding(usize::MAX), &MemoryScratch);
    for (member, scores) in [(1, members), (0, nonmembers)] {
        for scores in scores.chunks(1 << 20) {
            let sorted = distribute(Layout::POOLED, scores, scores.len(), |_| move |_| member);
            collector.take(&sorted).expect("memory without bound never spills, so nothing can fail");
        }
    }
    collector.pooled().expect("memory without bound never spills, so nothing can fail")
}
