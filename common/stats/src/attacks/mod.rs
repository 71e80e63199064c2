//! The attacks, one file each, behind one trait.

mod base;
mod block;
mod both_sides;
mod calibrated;
mod centres;
mod channels;
mod eights;
mod gather;
mod global;
mod likelihood;
mod lira;
mod multivariate;
mod odds;
mod offline;
mod predictive;
#[cfg(test)]
mod reuse;
mod rmia;
mod run;
mod shares;
mod strip;
mod tile;
mod tiny;
mod variances;

pub(crate) use base::Base;
pub(crate) use gather::{Curves, Outcome};
pub(crate) use global::Global;
pub(crate) use lira::Lira;
#[cfg(test)]
pub(crate) use lira::gaussian;
pub(crate) use multivariate::Multivariate;
pub(crate) use rmia::Rmia;
pub(crate) use run::{Entry, Nobody, Observer, run};

use crate::config::{AttackKind, Config};
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::lanes::LANES;
use crate::references::{References, Scheme};
use crate::signal::View;
use block::ScoreBlocks;
use likelihood::Likelihood;
use odds::Odds;
use strip::Strip;

/// An attack: it may learn from some passes over all records, and then scores every record with every
/// shadow as the target, the others being its references.
pub(crate) trait Attack: Sync {
    /// Passes it learns from before it can score.
    fn passes(&self) -> usize;

    /// How many sums over records pass number `pass` forms.
    fn width(&self, pass: usize) -> usize;

    /// Adds one record to the sums of pass number `pass`.
    fn observe(&self, pass: usize, view: &View<'_>, work: &mut Work, sums: &mut [f64]);

    /// Whether pass number `pass` takes plain records strip by strip.
    fn observes_strips(&self, _pass: usize) -> bool {
        false
    }

    /// Adds the plain records of a strip, in place of [`Self::observe`].
    fn observe_strip(&self, _pass: usize, _strip: &Strip, _work: &mut Work, _sums: &mut [f64]) {}

    /// Takes the sums over all records of pass number `pass`.
    fn learn(&mut self, pass: usize, sums: &[f64]);

    /// Scores one record, one value per shadow as the target, anything not finite being absent. Returns
    /// the number of scores in which the variance floor acted.
    fn score(&self, view: &View<'_>, work: &mut Work, scores: &mut [f64]) -> u64;

    /// Whether plain records are scored strip by strip.
    fn scores_strips(&self) -> bool {
        false
    }

    /// Scores the plain records of a strip, in place of [`Self::score`].
    fn score_strip(&self, _strip: &Strip, _work: &mut Work, _blocks: &mut ScoreBlocks) {}

    /// Turns what [`Self::score`] left for one target over a run of records into scores. A look-up in
    /// something large is best done here, where the target stays the same.
    fn finish(&self, _target: usize, _scores: &mut [f64]) {}
}

/// Buffers that a thread lends to attacks.
#[derive(Default)]
pub(crate) struct Work {
    pub references: References,
    pub likelihood: Likelihood,
    pub odds: Odds,
    pub formed: Vec<u32>,
    scratch: variances::Scratch,
    channels: channels::Channels,
    vectors: multivariate::Vectors,
    found: Vec<f64>,
    eights: eights::Scratch,
    /// Squares of a strip, `[IN, OUT][shadow]`, lane by lane.
    squares: [Vec<[f64; LANES]>; 2],
    /// The scores of a strip, `[eight][shadow][lane]`, and the lanes that are not regular.
    lanes: Vec<[f64; LANES]>,
    irregular: Vec<u8>,
    /// The scores of one record.
    row: Vec<f64>,
}

/// The attack of a kind.
pub(crate) fn build(
    kind: AttackKind,
    config: &Config,
    checked: &Checked<'_>,
) -> Result<Box<dyn Attack>, StatsError> {
    let blocks = &checked.blocks;
    Ok(match kind {
        AttackKind::LiraOnline if config.multivariate => {
            Box::new(Multivariate::new(config.counts, config.center, checked.shape.queries, blocks))
        }
        AttackKind::LiraOnline => {
            let scheme = Scheme::LeaveOneOut(config.counts);
            Box::new(Lira::new(scheme, config.center, config.variance, blocks))
        }
        AttackKind::LiraOffline => {
            Box::new(Lira::new(Scheme::OutsideOnly(config.counts), config.center, config.variance, blocks))
        }
        AttackKind::Global => Box::new(Global),
        AttackKind::Rmia => Box::new(Rmia::new(config, checked)?),
        AttackKind::Base => Box::new(Base::new(config)),
    })
}
