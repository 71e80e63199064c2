//! Findings about all patients together.

use std::collections::HashMap;

use crate::analysis::{PatientSummary, PatientTable, RECOGNISABLE, Survival};
use crate::anytime;
use crate::bounds::auc_lower_bound;
use crate::config::Config;
use crate::epsilon::{self, Hits};
use crate::fdr::Tally;
use crate::inputs::Checked;
use crate::limit;
use crate::patient::tester::{Exam, Tested};
use crate::survival::Curve;

/// The table, the headlines and the survival curve.
pub(crate) fn findings(
    checked: &Checked<'_>,
    config: &Config,
    records_of: &[u32],
    tested: &[Option<Tested>],
    strongest: &[f64],
    exam: &Exam,
) -> (PatientTable, PatientSummary, Survival) {
    let mut tallies = [Tally::default(), Tally::default(), Tally::default()];
    let mut sum = 0.0;
    for patient in tested.iter().flatten() {
        let values = [patient.upper, patient.lower, patient.ln_e];
        tallies.iter_mut().zip(values).for_each(|(tally, value)| tally.add(value));
        sum += patient.auc;
    }
    let [upper, mirror, evidence] = tallies;
    let (adjusted, mirror) = (upper.adjusted(config.looks), mirror.adjusted(config.looks));
    let is_detected = |patient: &Tested| adjusted.q(patient.upper) <= config.fdr;
    let units = tested.iter().flatten().count();
    let detected = tested.iter().flatten().filter(|patient| is_detected(patient)).count();
    // The false coverage rate over the detected (Benjamini and Yekutieli 2005,
    // doi 10.1198/016214504000001907); with none detected the column shows the bounds of a single one.
    let count = units.max(1) as f64;
    let bound_alpha = config.fdr * detected.max(1) as f64 / (count * f64::from(config.looks));

    let mut table = PatientTable::default();
    let mut bounds = Bounds::new(bound_alpha, config.delta);
    let (mut recognisable, mut epsilon_worst) = ([0; RECOGNISABLE.len()], 0.0f64);
    for (unit, (patient, &records)) in tested.iter().zip(records_of).enumerate() {
        table.unit.push(unit as u32);
        table.records.push(records);
        table.binormal_auc.push(strongest[unit]);
        let Some(patient) = patient else {
            table.push_untested();
            continue;
        };
        let q = adjusted.q(patient.upper);
        let is_detected = q <= config.fdr;
        let auc_lower = bounds.auc(patient.auc, patient.n);
        let epsilon_lower = if is_detected { bounds.epsilon(&patient.hits) } else { 0.0 };
        table.auc.push(patient.auc);
        table.p.push(patient.upper);
        table.q.push(q);
        table.detected.push(is_detected);
        table.auc_lower.push(auc_lower);
        table.e.push(anytime::from_ln(patient.ln_e));
        table.epsilon_lower.push(epsilon_lower);
        epsilon_worst = epsilon_worst.max(epsilon_lower);
        for (count, level) in recognisable.iter_mut().zip(RECOGNISABLE) {
            *count += usize::from(is_detected && auc_lower >= level);
        }
    }
    let summary = PatientSummary {
        units,
        detected,
        recognisable,
        mirror: tested.iter().flatten().filter(|patient| mirror.q(patient.lower) <= config.fdr).count(),
        mean_auc: sum / units as f64,
        bound_alpha,
        looks: config.looks,
        detected_anytime: evidence.rejected_by_e(config.fdr) as usize,
        epsilon_worst,
        delta: config.delta,
        limit: limit::limit(&exam.layout, &checked.blocks.lost, units, config, &exam.tables.nulls),
    };
    let mut curve = Curve::default();
    tested.iter().flatten().for_each(|patient| curve.add(patient.auc, &patient.null));
    let survival = curve.finish();
    (table, summary, survival)
}

/// Lower bounds at one error rate; patients share few figures, each computed once.
struct Bounds {
    alpha: f64,
    delta: f64,
    auc: HashMap<(u64, u32), f64>,
    epsilon: HashMap<Hits, f64>,
}

impl Bounds {
    fn new(alpha: f64, delta: f64) -> Self {
        Self { alpha, delta, auc: HashMap::new(), epsilon: HashMap::new() }
    }

    fn auc(&mut self, auc: f64, n: u32) -> f64 {
        let bound = || auc_lower_bound(auc, n, self.alpha);
        *self.auc.entry((auc.to_bits(), n)).or_insert_with(bound)
    }

    /// 0 where there was nothing to choose a threshold on.
    fn epsilon(&mut self, hits: &Hits) -> f64 {
        let bound = || epsilon::lower_bound(hits, self.delta, self.alpha).max(0.0);
        *self.epsilon.entry(*hits).or_insert_with(bound)
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
