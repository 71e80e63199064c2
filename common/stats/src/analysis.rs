//! What an analysis finds: plain data, ready for tables and reports. Absent numbers are NaN.

use crate::config::AttackKind;
use crate::groups::AttributeResult;

/// The false positive rates at which true positive rates are reported.
pub const FPRS: [f64; 4] = [0.1, 0.01, 0.001, 0.0001];

/// [`FPRS`] as keys of `summary.json`.
pub const FPR_KEYS: [&str; 4] = ["0.1", "0.01", "0.001", "0.0001"];

/// The false positive rates at which single records' true positive rates are extrapolated.
pub const EXTRAPOLATED_FPRS: [f64; 2] = [0.01, 0.001];

/// The levels of patient AUC at which "recognisable" is counted.
pub const RECOGNISABLE: [f64; 3] = [0.75, 0.9, 0.99];

/// Everything that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// One entry per configured attack, in the configured order.
    pub attacks: Vec<AttackResult>,
    /// What the record table comes to; its rows go to the [`crate::Sink`].
    pub records: RecordSummary,
    /// What the records' extrapolated rates would be without any leak.
    pub extrapolation: Extrapolation,
    /// The headlines about patients; the rows of their table go to the [`crate::Sink`].
    pub summary: PatientSummary,
    /// How many patients have at least a given AUC, and how many would under no leak.
    pub survival: Survival,
    /// One entry per attribute, in the given order, then one per intersection.
    pub attributes: Vec<AttributeResult>,
    /// One entry per shadow, in shadow order; lost ones have no records.
    pub utility: Vec<ShadowUtility>,
}

/// How well one attack tells members from non-members.
#[derive(Debug, Clone, PartialEq)]
pub struct AttackResult {
    /// Which attack.
    pub attack: AttackKind,
    /// Over all scored (shadow, record) pairs at once.
    pub figures: Figures,
    /// Two-way bootstrap interval of `figures`; `None` if not asked for, or with too few patients or shadows
    /// to resample.
    pub interval: Option<Interval>,
    /// Over the targets one by one.
    pub per_target: PerTarget,
    /// The pooled ROC curve, thinned for drawing; figures never come from it.
    pub curve: RocCurve,
    /// The same after every record's scores were put on one scale; `None` if not asked for.
    pub calibrated: Option<Calibrated>,
    /// Shadows that were played as a target: all that gave any signal.
    pub targets: usize,
    /// Pairs that got a score.
    pub scored: u64,
    /// Pairs of a target and a record that could not be scored (non-finite, too few references).
    pub dropped: u64,
    /// Scores in which the variance floor acted.
    pub floored: u64,
}

/// A pooled ROC curve of calibrated scores: each as z among its own record's OUT scores. A threshold on
/// them has about the same false positive rate for every record, while one on the scores themselves may owe
/// its false positives to few records.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// Over all calibrated (shadow, record) pairs at once.
    pub figures: Figures,
    /// The curve, thinned for drawing.
    pub curve: RocCurve,
    /// Pairs that could be calibrated.
    pub scored: u64,
}

/// The ends of 95 % percentile intervals, each figure for itself.
///
/// Sampling units are groups of patients and blocks of shadows: both are drawn again, whole, with
/// replacement, since pairs that share a patient or a block are not independent (pigeonhole bootstrap,
/// Owen 2007, doi 10.1214/07-AOAS122). So the interval speaks of other patients and other shadows of the
/// same kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower ends.
    pub low: Figures,
    /// Upper ends.
    pub high: Figures,
    /// Sampling units of patients: each one patient, or a random group where patients are many.
    pub patients: usize,
    /// Sampling units of shadows: blocks, single shadows where there are few blocks, or random groups where
    /// those are many.
    pub shadows: usize,
}

/// The figures read off one ROC curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Area under the curve, ties with half credit.
    pub auc: f64,
    /// Maximum over thresholds of (true positive rate + true negative rate) / 2.
    pub balanced_accuracy: f64,
    /// The largest true positive rate within each false positive rate of [`FPRS`].
    pub tpr_at_fpr: [f64; 4],
}

/// Figures of the targets one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct PerTarget {
    /// Mean over the targets.
    pub mean: Figures,
    /// Standard deviation over the targets, divisor n - 1.
    pub sd: Figures,
    /// The AUC of every shadow as target, in shadow order; NaN where it was none.
    pub auc: Vec<f64>,
}

/// A ROC curve for drawing: true vertices, from (0, 0) to (1, 1).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RocCurve {
    /// False positive rate of every vertex, ascending.
    pub fpr: Vec<f64>,
    /// True positive rate of every vertex, ascending.
    pub tpr: Vec<f64>,
}

/// What the rows of the record table come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordSummary {
    /// Records.
    pub records: usize,
    /// Records with an AUC.
    pub scored: usize,
    /// Mean of their AUC.
    pub mean_auc: f64,
    /// Mean of the binormal AUC of the records that have one.
    pub mean_binormal_auc: f64,
}

/// Per record: the columns of `records.parquet`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordTable {
    /// Unit of the record.
    pub unit: Vec<u32>,
    /// Its class; of records with several labels, how many of them hold.
    pub label: Vec<u32>,
    /// AUC of the signal, IN against OUT shadows, stratified by block.
    pub auc: Vec<f64>,
    /// Phi((mean_in - mean_out) / sqrt(sd_in^2 + sd_out^2)).
    pub binormal_auc: Vec<f64>,
    /// Mean signal of the IN shadows.
    pub mean_in: Vec<f64>,
    /// Mean signal of the OUT shadows.
    pub mean_out: Vec<f64>,
    /// Standard deviation of the IN signals, divisor n - 1.
    pub sd_in: Vec<f64>,
    /// Standard deviation of the OUT signals, divisor n - 1.
    pub sd_out: Vec<f64>,
    /// IN shadows with a signal.
    pub n_in: Vec<u32>,
    /// OUT shadows with a signal.
    pub n_out: Vec<u32>,
    /// At each of [`EXTRAPOLATED_FPRS`] the true positive rate Phi((mean_in - mean_out + sd_out Phi^-1(fpr)) /
    /// sd_in): an extrapolation by two normal distributions, not a measurement. [`Extrapolation`] tells what
    /// it is where nothing leaks.
    pub extrapolated_tpr: [Vec<f64>; EXTRAPOLATED_FPRS.len()],
}

/// The extrapolated true positive rates of records that do not leak, signals being normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extrapolation {
    /// IN shadows of a typical record.
    pub n_in: u32,
    /// OUT shadows of a typical record.
    pub n_out: u32,
    /// Mean at each of [`EXTRAPOLATED_FPRS`].
    pub null_mean: [f64; EXTRAPOLATED_FPRS.len()],
    /// 99th percentile at each of [`EXTRAPOLATED_FPRS`].
    pub null_p99: [f64; EXTRAPOLATED_FPRS.len()],
}

/// Per patient: the columns of `patients.parquet`. A unit without a comparison (no record, or signals on
/// one side only) was not tested: its numbers are NaN and it counts nowhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PatientTable {
    /// The unit.
    pub unit: Vec<u32>,
    /// Its records.
    pub records: Vec<u32>,
    /// Stratified AUC of the patient's score, IN against OUT shadows.
    pub auc: Vec<f64>,
    /// The highest binormal AUC of the patient's records, a maximum of noisy figures: no test.
    pub binormal_auc: Vec<f64>,
    /// Exact one-sided p value of "its signals do not depend on membership".
    pub p: Vec<f64>,
    /// Benjamini-Hochberg adjusted p value over all tested patients.
    pub q: Vec<f64>,
    /// Whether `q` is at most the false discovery rate.
    pub detected: Vec<bool>,
    /// Lower confidence bound of the AUC, at the false coverage rate of the detected patients.
    pub auc_lower: Vec<f64>,
    /// e-value of the same hypothesis, which may be looked at any time; see [`PatientSummary::detected_anytime`].
    pub e: Vec<f64>,
    /// Lower confidence bound of epsilon at the same rate; 0 where the patient is not detected.
    pub epsilon_lower: Vec<f64>,
}

/// The headlines about patients.
#[derive(Debug, Clone, PartialEq)]
pub struct PatientSummary {
    /// Patients that were tested.
    pub units: usize,
    /// Patients detected at the false discovery rate: a count of rejected nulls, not a risk.
    pub detected: usize,
    /// Detected patients whose lower bound reaches each level of [`RECOGNISABLE`].
    pub recognisable: [usize; 3],
    /// Patients "detected" on the opposite tail; near 0 unless something is broken.
    pub mirror: usize,
    /// Mean of the patients' AUC.
    pub mean_auc: f64,
    /// The error rate of each lower bound: fdr x detected / (units x looks).
    pub bound_alpha: f64,
    /// Planned looks at the growing audit, by which every p value was multiplied.
    pub looks: u32,
    /// Patients detected at the false discovery rate by e-values alone: this count may be looked at after any
    /// block, and the audit stopped or extended on it.
    pub detected_anytime: usize,
    /// The largest lower bound of epsilon of any detected patient; 0 if none is detected.
    pub epsilon_worst: f64,
    /// The delta of that bound and of every patient's.
    pub delta: f64,
    /// What this design can show at all.
    pub limit: DetectionLimit,
}

/// What a design can show for a number of patients, before anything is known about them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionLimit {
    /// Patients it was computed for.
    pub patients: usize,
    /// The smallest p value there is: every IN signal above every OUT signal of its block.
    pub least_p: f64,
    /// The smallest q value that a patient can reach alone: `least_p` times patients and looks, at most 1.
    pub least_q: f64,
    /// The smallest patient AUC that is detected alone at the false discovery rate; NaN if none is. For
    /// pairs the AUC at which the signed-rank statistic is expected to get there, differences being normal.
    pub detectable_auc: f64,
    /// Standard deviation of a patient's AUC under no leak.
    pub null_sd: f64,
    /// Lower bound of a patient with AUC 1, taken for itself.
    pub bound_alone: f64,
    /// Lower bound of a patient with AUC 1 that is the only one detected.
    pub bound_worst: f64,
    /// The highest level of [`RECOGNISABLE`] that the former reaches; NaN if none.
    pub certifiable_alone: f64,
    /// The highest level of [`RECOGNISABLE`] that the latter reaches; NaN if none.
    pub certifiable_worst: f64,
    /// The most that can be proven of epsilon: every IN signal of a patient above and every OUT signal below
    /// its threshold, taken for itself.
    pub epsilon_alone: f64,
    /// The same of a patient that is the only one detected.
    pub epsilon_worst: f64,
}

/// Shares of patients whose AUC is at least `auc`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survival {
    /// The grid, 0 to 1.
    pub auc: Vec<f64>,
    /// Share found.
    pub observed: Vec<f64>,
    /// Share expected if no patient's signals depended on membership, from the exact null.
    pub null: Vec<f64>,
    /// Under no leak the whole observed curve lies between this and `high` with probability .95 at least.
    pub low: Vec<f64>,
    /// See `low`.
    pub high: Vec<f64>,
}

/// How good one shadow is at its task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShadowUtility {
    /// On the records it was trained on.
    pub inside: Utility,
    /// On the records it never saw.
    pub outside: Utility,
}

/// Task metrics over some records, by the logits averaged over queries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Utility {
    /// Records with finite logits.
    pub records: usize,
    /// Share of records whose label has the highest logit; k-fold ties count 1/k. Of records with several
    /// labels, the mean over the known labels of a record of whether its logit has the right sign.
    pub accuracy: f64,
    /// Mean of -ln p(label); of records with several labels, the mean over the known labels of a record.
    pub log_loss: f64,
    /// Area under the task's ROC curve; NaN for more than two classes, several labels a record, or records
    /// of one class only.
    pub auc: f64,
}
