//! The analysis from end to end.

use std::ops::ControlFlow;

use crate::analysis::{Analysis, AttackResult, Calibrated};
use crate::attacks::{self, Curves, Entry, Nobody, Outcome};
use crate::config::{AttackKind, Config};
use crate::error::StatsError;
use crate::extrapolation;
use crate::groups;
use crate::inputs::{Checked, Inputs};
use crate::layout::Layout;
use crate::patient::{self, About, Exam};
use crate::rank_test::Tables;
use crate::roc::{self, Collector, Sampling, Want};
use crate::scratch::{MemoryScratch, Scratch};
use crate::sink::{NoSink, Sink};
use crate::survey::{Survey, Surveyed};
use crate::utility;

/// Share of the progress that the sweeps over the logits take.
const SWEEPS_SHARE: f64 = 0.7;

/// That of the tests of patients with several records.
const PATIENTS_SHARE: f64 = 0.1;

/// Analyses an audit in memory; see [`analyse_into`]. The scores of the single pairs and the rows of the
/// record table are not kept.
///
/// # Errors
/// As [`analyse_into`].
pub fn analyse(inputs: &Inputs<'_>, config: &Config, progress: &dyn Fn(f64)) -> Result<Analysis, StatsError> {
    let going_on = |share: f64| {
        progress(share);
        ControlFlow::Continue(())
    };
    analyse_into(inputs, config, &going_on, &mut NoSink, &MemoryScratch)
}

/// Analyses an audit, handing the scores of all (target, record) pairs and the rows of the tables to `sink`
/// as they are made.
///
/// `progress` hears the share done, 0 to 1, now and then, on the calling thread, and breaks off the analysis
/// by returning [`ControlFlow::Break`]: nothing more is begun then. The work is spread over
/// the threads of the current rayon pool; no byte of the result depends on their number or on the tile
/// size.
///
/// What does not fit in memory goes to `scratch` for as long as it is needed; no byte depends on where that
/// is.
///
/// # Errors
/// If the inputs contradict each other, the configuration is out of range, or source, sink or scratch
/// fail; and [`StatsError::Stopped`] if `progress` broke it off.
pub fn analyse_into(
    inputs: &Inputs<'_>,
    config: &Config,
    progress: &dyn Fn(f64) -> ControlFlow<()>,
    sink: &mut dyn Sink,
    scratch: &dyn Scratch,
) -> Result<Analysis, StatsError> {
    let progress = |share| match progress(share) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(StatsError::Stopped),
    };
    config.check()?;
    let checked = inputs.check(scratch)?;
    // Groups that cannot be formed are refused before the work, not after it.
    groups::check(inputs.attributes, &config.intersections)?;
    let exam = Exam { layout: Layout::new(&checked.blocks), tables: Tables::default(), level: config.fdr };
    let mut records_of = vec![0u32; checked.membership.units()];
    checked.units.iter().for_each(|&unit| records_of[unit as usize] += 1);

    let survey = Survey { checked: &checked, exam: &exam, records_of: &records_of };
    let mut surveyed = Surveyed::new(&checked, &records_of)?;
    let sampling = (config.bootstrap > 0)
        .then(|| Sampling::new(checked.units, &checked.blocks, inputs.seed, config.bootstrap));
    let outcomes = attacks::run(
        &checked,
        config.tile_records,
        entries(config, &checked)?,
        Curves { scores: true, sampling: sampling.as_ref(), calibrated: config.calibrated, task: true },
        &survey,
        |sink, tile, seen| surveyed.take(sink, tile, seen),
        sink,
        &|share| progress(SWEEPS_SHARE * share),
    )?;
    let Surveyed { mut patients, several, records, utility_sums, signals } = surveyed;
    several.test(&checked, &exam, |tested, share| {
        tested.iter().try_for_each(|(unit, patient)| patients.put(*unit, patient))?;
        progress(SWEEPS_SHARE + PATIENTS_SHARE * share)
    })?;
    drop(several);
    progress(SWEEPS_SHARE + PATIENTS_SHARE)?;

    let utility = utility::finish(checked.shape.shadows, &utility_sums, outcomes.task)?;
    let utility = checked.order.restored(&utility);
    let targets = signals.iter().filter(|&&count| count > 0.0).count();
    let patients = patients.close()?;
    let attack = |outcome| attack_result(outcome, targets, &checked, sampling.as_ref());
    let (begin, all) = (SWEEPS_SHARE + PATIENTS_SHARE, outcomes.attacks.len() as f64);
    let mut outcomes = outcomes.attacks.into_iter();
    let (first, strata) = (outcomes.next(), exam.layout.typical_strata(&checked.blocks.lost));
    // What is said of the patients is worked out by one thread: the others have the first curves meanwhile, whose
    // scores lie in the caches still.
    let (first, (about, extrapolation)) = rayon::join(
        || first.map(attack).transpose(),
        || {
            rayon::join(
                || patient::findings(inputs, &checked, config, &records_of, &patients, &exam, sink),
                || extrapolation::nulls(&strata),
            )
        },
    );
    let mut attacks: Vec<AttackResult> = first?.into_iter().collect();
    let About { summary, survival, attributes } = about?;
    for outcome in outcomes {
        progress(begin + (1.0 - begin) * attacks.len() as f64 / all)?;
        attacks.push(attack(outcome)?);
    }
    progress(1.0)?;
    let records = records.summary();
    Ok(Analysis { attacks, records, extrapolation, summary, survival, attributes, utility })
}

/// Scores all (target, record) pairs by the configured attacks and hands them to `sink`, and computes
/// nothing else. They are those of [`analyse_into`].
///
/// # Errors
/// As [`analyse_into`].
pub fn score_into(inputs: &Inputs<'_>, config: &Config, sink: &mut dyn Sink) -> Result<(), StatsError> {
    config.check()?;
    let checked = inputs.check(&MemoryScratch)?;
    let entries = entries(config, &checked)?;
    let (take, progress) = (|_: &mut dyn Sink, _, ()| Ok(()), |_| Ok(()));
    attacks::run(&checked, config.tile_records, entries, Curves::default(), &Nobody, take, sink, &progress)?;
    Ok(())
}

/// The configured attacks.
fn entries(config: &Config, checked: &Checked<'_>) -> Result<Vec<Entry>, StatsError> {
    let entry = |&kind: &AttackKind| Ok(Entry { kind, attack: attacks::build(kind, config, checked)? });
    config.attacks.iter().map(entry).collect()
}

fn attack_result(
    outcome: Outcome<'_>,
    targets: usize,
    checked: &Checked<'_>,
    intervals: Option<&Sampling>,
) -> Result<AttackResult, StatsError> {
    let scores = outcome.scores.expect("the curves were asked for");
    let found = scores.find(Want { pooled: true, curves: true, intervals })?;
    let pooled = found.pooled.expect("the pooled curve was asked for");
    let calibrated = outcome.calibrated.map(Collector::pooled).transpose()?;
    let scored = pooled.members + pooled.nonmembers;
    Ok(AttackResult {
        attack: outcome.kind,
        figures: pooled.figures,
        interval: found.interval,
        per_target: roc::per_target(&checked.order.restored(&found.curves[..checked.shape.shadows])),
        curve: pooled.curve,
        calibrated: calibrated.map(|roc| Calibrated {
            figures: roc.figures,
            scored: roc.members + roc.nonmembers,
            curve: roc.curve,
        }),
        targets,
        scored,
        // A score may be formed where the mean signal is too large for a number.
        dropped: (targets as u64 * checked.shape.records as u64).saturating_sub(scored),
        floored: outcome.floored,
    })
}
