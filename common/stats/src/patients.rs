//! Findings about patients: one number per patient and shadow, tested against membership.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::analysis::{PatientSummary, PatientTable, RECOGNISABLE, Survival};
use crate::bounds::auc_lower_bound;
use crate::config::Config;
use crate::fdr::benjamini_hochberg;
use crate::inputs::Checked;
use crate::limit;
use crate::moments::Moments;
use crate::nulls::{Null, NullTables};
use crate::rank_test::Comparison;
use crate::survival;

/// The test of one patient.
#[derive(Debug, Clone)]
pub(crate) struct Tested {
    auc: f64,
    /// p value, and that of the opposite tail.
    upper: f64,
    lower: f64,
    /// The smaller of the IN and OUT counts.
    n: u32,
    null: Arc<Null>,
}

impl Tested {
    /// Tests one number per shadow; `None` if there is nothing to compare.
    pub fn new(
        values: &[f64],
        column: &[u64],
        checked: &Checked<'_>,
        tables: &NullTables,
        comparison: &mut Comparison,
    ) -> Option<Self> {
        comparison.of(values, column, &checked.blocks);
        Self::compared(values, column, checked, tables, comparison)
    }

    /// The same where the comparison has just been made.
    pub fn compared(
        values: &[f64],
        column: &[u64],
        checked: &Checked<'_>,
        tables: &NullTables,
        comparison: &mut Comparison,
    ) -> Option<Self> {
        let verdict = comparison.verdict(values, column, &checked.blocks, tables)?;
        let (inside, outside) = comparison.n;
        Some(Self {
            auc: comparison.auc(),
            upper: verdict.upper,
            lower: verdict.lower,
            n: inside.min(outside),
            null: verdict.null,
        })
    }
}

/// A patient's number where it has several records: the sum over its records of the signal,
/// standardised over all shadows. No membership enters, so the null stays exact; an absent signal
/// contributes nothing.
pub(crate) struct Combined {
    shadows: usize,
    /// The place of a unit among those with several records.
    places: Vec<Option<u32>>,
    /// Units with several records.
    units: Vec<u32>,
    sums: Vec<f64>,
}

impl Combined {
    pub fn new(shadows: usize, records_of: &[u32]) -> Self {
        let mut units = Vec::new();
        let places = (0u32..)
            .zip(records_of)
            .map(|(unit, &records)| {
                (records > 1).then(|| {
                    units.push(unit);
                    units.len() as u32 - 1
                })
            })
            .collect();
        Self { shadows, places, sums: vec![f64::NAN; units.len() * shadows], units }
    }

    /// A record's part of its patient's sums: its signals less their mean, over their standard
    /// deviation; 0 if they are all equal.
    pub fn standardised(signals: &[f64]) -> Vec<f64> {
        let moments = Moments::of(signals.iter().copied().filter(|signal| signal.is_finite()));
        let sd = (moments.ss / f64::from(moments.n)).sqrt();
        let scale = if sd > 0.0 { 1.0 / sd } else { 0.0 };
        signals.iter().map(|signal| (signal - moments.mean) * scale).collect()
    }

    /// Adds a record's part; records come in order.
    pub fn add(&mut self, unit: u32, part: &[f64]) {
        if let Some(place) = self.places[unit as usize] {
            let start = place as usize * self.shadows;
            for (sum, &value) in self.sums[start..start + self.shadows].iter_mut().zip(part) {
                if value.is_finite() {
                    *sum = if sum.is_finite() { *sum + value } else { value };
                }
            }
        }
    }

    /// Tests the units that have several records.
    pub fn test(&self, checked: &Checked<'_>, tables: &NullTables, tested: &mut [Option<Tested>]) {
        let results: Vec<Option<Tested>> = self
            .units
            .par_iter()
            .zip(self.sums.par_chunks_exact(self.shadows))
            .map_init(Comparison::default, |comparison, (&unit, values)| {
                let column = checked.membership.column(unit as usize);
                Tested::new(values, column, checked, tables, comparison)
            })
            .collect();
        for (&unit, result) in self.units.iter().zip(results) {
            tested[unit as usize] = result;
        }
    }
}

/// The table, the headlines and the survival curve.
pub(crate) fn findings(
    checked: &Checked<'_>,
    config: &Config,
    records_of: &[u32],
    tested: &[Option<Tested>],
    tables: &NullTables,
) -> (PatientTable, PatientSummary, Survival) {
    let units: Vec<usize> = (0..tested.len()).filter(|&unit| tested[unit].is_some()).collect();
    let of_tested = |read: fn(&Tested) -> f64| -> Vec<f64> { tested.iter().flatten().map(read).collect() };
    let q = benjamini_hochberg(&of_tested(|patient| patient.upper));
    let rejected = |q: &[f64]| q.iter().filter(|&&q| q <= config.fdr).count();
    let detected = rejected(&q);
    let mirror = rejected(&benjamini_hochberg(&of_tested(|patient| patient.lower)));
    // The false coverage rate over the detected (Benjamini and Yekutieli 2005,
    // doi 10.1198/016214504000001907); with none detected the column shows the bounds of a single one.
    let count = units.len().max(1) as f64;
    let bound_alpha = config.fdr * detected.max(1) as f64 / count;

    let absent = vec![f64::NAN; tested.len()];
    let mut table = PatientTable {
        unit: (0..tested.len() as u32).collect(),
        records: records_of.to_vec(),
        auc: absent.clone(),
        p: absent.clone(),
        q: absent.clone(),
        detected: vec![false; tested.len()],
        auc_lower: absent,
    };
    let mut recognisable = [0; RECOGNISABLE.len()];
    // Patients share few values of the AUC: it is a fraction of the pairs.
    let mut bounds = HashMap::<(u64, u32), f64>::new();
    for ((&unit, patient), &q) in units.iter().zip(tested.iter().flatten()).zip(&q) {
        let lower = *bounds
            .entry((patient.auc.to_bits(), patient.n))
            .or_insert_with(|| auc_lower_bound(patient.auc, patient.n, bound_alpha));
        table.auc[unit] = patient.auc;
        table.p[unit] = patient.upper;
        table.q[unit] = q;
        table.detected[unit] = q <= config.fdr;
        table.auc_lower[unit] = lower;
        for (count, level) in recognisable.iter_mut().zip(RECOGNISABLE) {
            *count += usize::from(q <= config.fdr && lower >= level);
        }
    }
    let summary = PatientSummary {
        units: units.len(),
        detected,
        recognisable,
        mirror,
        mean_auc: of_tested(|patient| patient.auc).iter().sum::<f64>() / units.len() as f64,
        bound_alpha,
        limit: limit::limit(&checked.blocks, units.len(), config.fdr, tables),
    };
    let survival = survival::curve(tested.iter().flatten().map(|patient| (patient.auc, &*patient.null)));
    (table, summary, survival)
}
