//! What is known about single records.

use crate::analysis::{RecordSummary, RecordTable};
use crate::extrapolation;
use crate::moments::Moments;
use crate::rank_test::Comparison;
use crate::special::normal_cdf;

/// IN and OUT moments of a record's signal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RecordRow {
    /// Stratified AUC.
    pub auc: f64,
    pub inside: Moments,
    pub outside: Moments,
}

impl RecordRow {
    /// From the comparison of the record's signals.
    pub fn new(comparison: &Comparison) -> Self {
        let (inside, outside) = comparison.sides();
        Self { auc: comparison.auc(), inside: Moments::of_slice(inside), outside: Moments::of_slice(outside) }
    }
}

impl RecordTable {
    /// Appends a row; returns its binormal AUC.
    pub(crate) fn push(&mut self, unit: u32, label: u32, row: &RecordRow) -> f64 {
        let (mean_in, sd_in) = mean_and_sd(&row.inside);
        let (mean_out, sd_out) = mean_and_sd(&row.outside);
        self.unit.push(unit);
        self.label.push(label);
        self.auc.push(row.auc);
        let binormal_auc = binormal_auc(mean_in, sd_in, mean_out, sd_out);
        self.binormal_auc.push(binormal_auc);
        self.mean_in.push(mean_in);
        self.mean_out.push(mean_out);
        self.sd_in.push(sd_in);
        self.sd_out.push(sd_out);
        self.n_in.push(row.inside.n);
        self.n_out.push(row.outside.n);
        for (column, quantile) in self.extrapolated_tpr.iter_mut().zip(extrapolation::QUANTILES) {
            column.push(extrapolation::tpr(mean_in, sd_in, mean_out, sd_out, quantile));
        }
        binormal_auc
    }
}

/// Sums over the rows of the record table, in record order.
#[derive(Debug, Default)]
pub(crate) struct RecordSums {
    records: usize,
    auc: Mean,
    binormal_auc: Mean,
}

/// A mean of what is there.
#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    n: usize,
}

impl Mean {
    fn add(&mut self, values: &[f64]) {
        for &value in values.iter().filter(|value| !value.is_nan()) {
            self.sum += value;
            self.n += 1;
        }
    }

    fn of(&self) -> f64 {
        self.sum / self.n as f64
    }
}

impl RecordSums {
    /// Adds the rows that follow.
    pub fn add(&mut self, rows: &RecordTable) {
        self.records += rows.auc.len();
        self.auc.add(&rows.auc);
        self.binormal_auc.add(&rows.binormal_auc);
    }

    pub fn summary(&self) -> RecordSummary {
        RecordSummary {
            records: self.records,
            scored: self.auc.n,
            mean_auc: self.auc.of(),
            mean_binormal_auc: self.binormal_auc.of(),
        }
    }
}

/// Mean and standard deviation (divisor n - 1); NaN where there are too few values.
fn mean_and_sd(moments: &Moments) -> (f64, f64) {
    match moments.n {
        0 => (f64::NAN, f64::NAN),
        1 => (moments.mean, f64::NAN),
        n => (moments.mean, (moments.ss / f64::from(n - 1)).sqrt()),
    }
}

/// The AUC of two normal distributions: Phi((mu_in - mu_out) / sqrt(s_in^2 + s_out^2)), unclipped.
fn binormal_auc(mean_in: f64, sd_in: f64, mean_out: f64, sd_out: f64) -> f64 {
    let spread = (sd_in * sd_in + sd_out * sd_out).sqrt();
    if spread == 0.0 && mean_in == mean_out { 0.5 } else { normal_cdf((mean_in - mean_out) / spread) }
}
