//! The running figure of an audit that is still under way.

use crate::attacks::{self, Curves, Entry, Lira, Nobody};
use crate::config::{AttackKind, Center, Variance};
use crate::error::StatsError;
use crate::inputs::Inputs;
use crate::references::Scheme;
use crate::scratch::MemoryScratch;
use crate::sink::{NoSink, Sink};

/// A running figure: provisional, for a progress display and not for a report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Provisional {
    /// Pooled AUC of online LiRA.
    pub auc: f64,
    /// Shadows it rests on, in complete blocks.
    pub shadows: usize,
    /// Records it rests on.
    pub records: usize,
    /// Scored (shadow, record) pairs.
    pub scored: u64,
}

/// The pooled AUC of online LiRA over the blocks that are complete so far, on a sample of the records.
///
/// `inputs` holds those blocks and records only: a source of (complete blocks x sampled records), with the
/// labels, units and membership that go with them; attributes are not looked at. It is prequential: each
/// block is scored with the earlier blocks as references (shrunk variances), so a block's scores never
/// change as more blocks come in. `None` while there are fewer than two blocks, or nothing can be scored.
///
/// # Errors
/// As [`crate::analyse`].
pub fn provisional(inputs: &Inputs<'_>) -> Result<Option<Provisional>, StatsError> {
    let checked = inputs.check(&MemoryScratch)?;
    if checked.blocks.count() < 2 {
        return Ok(None);
    }
    let attack = Lira::new(Scheme::EarlierBlocks, Center::Mean, Variance::Shrunk, &checked.blocks);
    let entry = Entry { kind: AttackKind::LiraOnline, attack: Box::new(attack) };
    let curves = Curves { scores: true, ..Curves::default() };
    let (take, progress) = (|_: &mut dyn Sink, _, ()| Ok(()), |_| Ok(()));
    let outcomes = attacks::run(&checked, None, vec![entry], curves, &Nobody, take, &mut NoSink, &progress)?;
    let scores = outcomes.attacks.into_iter().find_map(|outcome| outcome.scores);
    let pooled = scores.expect("one attack was run, for its curve").pooled()?;
    let scored = pooled.members + pooled.nonmembers;
    Ok((scored > 0 && pooled.figures.auc.is_finite()).then_some(Provisional {
        auc: pooled.figures.auc,
        shadows: checked.shape.shadows,
        records: checked.shape.records,
        scored,
    }))
}
