//! The attacks, one file each, behind one trait.

mod block;
mod gather;
mod global;
mod lira;
mod predictive;
mod run;

pub(crate) use gather::{Curves, Outcome};
pub(crate) use global::Global;
pub(crate) use lira::Lira;
#[cfg(test)]
pub(crate) use lira::gaussian;
pub(crate) use run::{Entry, Observer, run};

use crate::config::{AttackKind, Config};
use crate::design::Blocks;
use crate::error::StatsError;
use crate::references::{References, Scheme};
use crate::signal::View;

/// An attack: it may learn from some passes over all records, and then scores every record with every
/// shadow as the target, the others being its references.
pub(crate) trait Attack: Sync {
    /// Passes it learns from before it can score.
    fn passes(&self) -> usize;

    /// How many sums over records pass number `pass` forms.
    fn width(&self, pass: usize) -> usize;

    /// Adds one record to the sums of pass number `pass`.
    fn observe(&self, pass: usize, view: &View<'_>, work: &mut Work, sums: &mut [f64]);

    /// Takes the sums over all records of pass number `pass`.
    fn learn(&mut self, pass: usize, sums: &[f64]);

    /// Scores one record, one value per shadow as the target, anything not finite being absent. Returns
    /// the number of scores in which the variance floor acted.
    fn score(&self, view: &View<'_>, work: &mut Work, scores: &mut [f64]) -> u64;
}

/// Buffers that a thread lends to attacks.
#[derive(Default)]
pub(crate) struct Work {
    pub references: References,
    pub formed: Vec<u32>,
    pub floored: Vec<bool>,
}

/// The attack of a kind.
pub(crate) fn build(
    kind: AttackKind,
    config: &Config,
    blocks: &Blocks,
) -> Result<Box<dyn Attack>, StatsError> {
    Ok(match kind {
        AttackKind::LiraOnline => {
            Box::new(Lira::new(Scheme::LeaveOneOut(config.counts), config.variance, blocks))
        }
        AttackKind::Global => Box::new(Global),
        AttackKind::LiraOffline | AttackKind::Rmia | AttackKind::Base => {
            return Err(StatsError::Config(format!("attack '{kind}' is not available")));
        }
    })
}
