//! Findings about all patients together.

use std::collections::HashMap;

use crate::analysis::{PatientSummary, PatientTable, RECOGNISABLE, Survival};
use crate::anytime;
use crate::bounds::auc_lower_bound;
use crate::config::Config;
use crate::epsilon::LowerBounds;
use crate::error::StatsError;
use crate::fdr::Tally;
use crate::groups::{AttributeResult, AucCounts, GroupTally, PatientOutcome};
use crate::inputs::{Checked, Inputs};
use crate::limit;
use crate::patient::store::{Patient, Patients};
use crate::patient::tester::Exam;
use crate::sink::Sink;
use crate::survival::Curve;

/// Rows of the table that are handed on at once.
const ROWS: usize = 1 << 14;

/// What is said of all patients together; the rows of the table go to the sink.
pub(crate) struct About {
    pub summary: PatientSummary,
    pub survival: Survival,
    pub attributes: Vec<AttributeResult>,
}

/// What the patients come to.
pub(crate) fn findings(
    inputs: &Inputs<'_>,
    checked: &Checked<'_>,
    config: &Config,
    records_of: &[u32],
    patients: &Patients,
    exam: &Exam,
    sink: &mut dyn Sink,
) -> Result<About, StatsError> {
    let counted = Counted::new(patients)?;
    let [upper, mirror, evidence] = counted.tallies;
    let (adjusted, mirror) = (upper.adjusted(config.looks), mirror.adjusted(config.looks));
    let (units, detected) = (counted.units, adjusted.rejected(config.fdr) as usize);
    // The false coverage rate over the detected (Benjamini and Yekutieli 2005,
    // doi 10.1198/016214504000001907); with none detected the column shows the bounds of a single one.
    let bound_alpha = config.fdr * detected.max(1) as f64 / (units.max(1) as f64 * f64::from(config.looks));

    let mut bounds = AucBounds { alpha: bound_alpha, found: HashMap::new() };
    let mut epsilons = LowerBounds::new(config.delta, bound_alpha);
    let (mut recognisable, mut epsilon_worst) = ([0; RECOGNISABLE.len()], 0.0f64);
    let mut groups = GroupTally::new(inputs.attributes, &config.intersections, counted.aucs.cut())?;
    let mut table = PatientTable::default();
    patients.for_each(|unit, Patient { tested, strongest }, _| {
        table.unit.push(unit as u32);
        table.records.push(records_of[unit]);
        table.binormal_auc.push(*strongest);
        if let Some(tested) = tested {
            let q = adjusted.q(tested.upper);
            let is_detected = q <= config.fdr;
            let auc_lower = bounds.of(tested.auc, tested.n);
            // 0 where there was nothing to choose a threshold on.
            let epsilon_lower = if is_detected { epsilons.of(&tested.hits).max(0.0) } else { 0.0 };
            table.auc.push(tested.auc);
            table.p.push(tested.upper);
            table.q.push(q);
            table.detected.push(is_detected);
            table.auc_lower.push(auc_lower);
            table.e.push(anytime::from_ln(tested.ln_e));
            table.epsilon_lower.push(epsilon_lower);
            epsilon_worst = epsilon_worst.max(epsilon_lower);
            for (count, level) in recognisable.iter_mut().zip(RECOGNISABLE) {
                *count += usize::from(is_detected && auc_lower >= level);
            }
            let outcome = PatientOutcome {
                records: records_of[unit],
                detected: is_detected,
                recognisable: is_detected && auc_lower >= RECOGNISABLE[0],
                auc: tested.auc,
            };
            groups.add(unit, &outcome);
        } else {
            table.push_untested();
        }
        if table.len() == ROWS { hand_on(&mut table, sink) } else { Ok(()) }
    })?;
    hand_on(&mut table, sink)?;
    let summary = PatientSummary {
        units,
        detected,
        recognisable,
        mirror: mirror.rejected(config.fdr) as usize,
        mean_auc: counted.sum / units as f64,
        bound_alpha,
        looks: config.looks,
        detected_anytime: evidence.rejected_by_e(config.fdr) as usize,
        epsilon_worst,
        delta: config.delta,
        limit: limit::limit(&exam.layout, &checked.blocks.lost, units, config, &exam.tables.nulls),
    };
    let attributes = groups.finish(inputs.seed, config.permutations);
    Ok(About { summary, survival: counted.survival, attributes })
}

/// Hands rows on, and begins anew.
fn hand_on(table: &mut PatientTable, sink: &mut dyn Sink) -> Result<(), StatsError> {
    let Some(&first) = table.unit.first() else { return Ok(()) };
    let (start, end) = (first as usize, first as usize + table.len());
    sink.patients(start, table).map_err(|source| StatsError::Sink { start, end, source })?;
    *table = PatientTable::default();
    Ok(())
}

/// What is counted before anything is said of single patients.
struct Counted {
    /// p values, those of the opposite tail, and logarithms of e-values.
    tallies: [Tally; 3],
    units: usize,
    /// Of the AUC.
    sum: f64,
    aucs: AucCounts,
    survival: Survival,
}

impl Counted {
    fn new(patients: &Patients) -> Result<Self, StatsError> {
        let mut tallies = [Tally::default(), Tally::default(), Tally::default()];
        let (mut units, mut sum) = (0, 0.0);
        let (mut aucs, mut curve) = (AucCounts::default(), Curve::default());
        patients.for_each(|_, patient, null| {
            let (Some(tested), Some(null)) = (&patient.tested, null) else { return Ok(()) };
            let values = [tested.upper, tested.lower, tested.ln_e];
            tallies.iter_mut().zip(values).for_each(|(tally, value)| tally.add(value));
            units += 1;
            sum += tested.auc;
            aucs.add(tested.auc);
            curve.add(tested.auc, null);
            Ok(())
        })?;
        Ok(Self { tallies, units, sum, aucs, survival: curve.finish() })
    }
}

/// Lower bounds of AUCs at one error rate; patients share few figures, each computed once.
struct AucBounds {
    alpha: f64,
    found: HashMap<(u64, u32), f64>,
}

impl AucBounds {
    fn of(&mut self, auc: f64, n: u32) -> f64 {
        let bound = || auc_lower_bound(auc, n, self.alpha);
        *self.found.entry((auc.to_bits(), n)).or_insert_with(bound)
    }
}

impl PatientTable {
    fn push_untested(&mut self) {
        self.detected.push(false);
        for column in [
            &mut self.auc,
            &mut self.p,
            &mut self.q,
            &mut self.auc_lower,
            &mut self.e,
            &mut self.epsilon_lower,
        ] {
            column.push(f64::NAN);
        }
    }
}
