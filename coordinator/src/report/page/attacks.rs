//! How well the attacks do on all pairs of a model and a record, and how good the models are.

use umbra_stats::{Analysis, AttackResult, FPRS};

use super::super::chart::{self, Series};
use super::super::numbers::{self, NONE, auc, count, percent, rate, spread};
use super::super::utility::{self, Spread};
use super::super::words;

/// The attacks' part of the page.
pub(super) struct Attacks {
    pub rows: Vec<AttackRow>,
    /// The false positive rates, as heads of columns.
    pub rates: Vec<String>,
    pub roc: String,
    pub roc_words: String,
}

/// One attack's figures.
pub(super) struct AttackRow {
    pub name: &'static str,
    /// Who can do it, and how its figures came about.
    pub note: String,
    pub auc: String,
    /// Its 95 % interval; empty where none was asked for.
    pub interval: String,
    /// AUC of the calibrated scores.
    pub calibrated: String,
    pub per_target: String,
    pub balanced_accuracy: String,
    pub tpr: Vec<String>,
}

/// The shadows' task metrics.
pub(super) struct UtilityPart {
    pub rows: Vec<UtilityRow>,
    pub records_in: String,
    pub records_out: String,
    /// The accuracies and their gap in percentage points, if there are any.
    pub gap: Option<Gap>,
}

pub(super) struct Gap {
    pub inside: String,
    pub outside: String,
    pub points: String,
}

/// One metric.
pub(super) struct UtilityRow {
    pub name: &'static str,
    pub inside: String,
    pub outside: String,
    pub gap: String,
}

impl Attacks {
    pub fn of(analysis: &Analysis) -> Self {
        let series: Vec<_> = analysis
            .attacks
            .iter()
            .map(|attack| Series { name: words::attack(attack.attack).to_owned(), curve: &attack.curve })
            .collect();
        let found: Vec<_> = analysis
            .attacks
            .iter()
            .map(|result| {
                format!(
                    "{}: AUC {}, {} of the members found at 1 % false alarms.",
                    words::attack(result.attack),
                    auc(result.figures.auc),
                    percent(result.figures.tpr_at_fpr[1])
                )
            })
            .collect();
        let roc_words = format!(
            "Share of members found against share of non-members taken for members, over all pairs of a model and \
             a record, both axes logarithmic. {} On the grey diagonal an attack is no better than guessing.",
            found.join(" ")
        );
        Self {
            rows: analysis.attacks.iter().map(row).collect(),
            rates: FPRS.iter().map(|&fpr| rate(fpr)).collect(),
            roc: chart::roc(&series, &roc_words),
            roc_words,
        }
    }
}

fn row(result: &AttackResult) -> AttackRow {
    AttackRow {
        name: words::attack(result.attack),
        note: note(result),
        auc: auc(result.figures.auc),
        interval: result
            .interval
            .map(|interval| format!("{}–{}", auc(interval.low.auc), auc(interval.high.auc)))
            .unwrap_or_default(),
        calibrated: result.calibrated.as_ref().map_or(NONE.to_owned(), |curve| auc(curve.figures.auc)),
        per_target: spread(result.per_target.mean.auc, result.per_target.sd.auc),
        balanced_accuracy: percent(result.figures.balanced_accuracy),
        tpr: result.figures.tpr_at_fpr.iter().map(|&tpr| percent(tpr)).collect(),
    }
}

fn note(result: &AttackResult) -> String {
    let mut text = format!(
        "{}: the attacker {}. {} models played the target, {} pairs were scored",
        words::attack(result.attack),
        words::attacker(result.attack),
        count(result.targets as u64),
        count(result.scored)
    );
    if result.dropped > 0 {
        text.push_str(&format!(", {} could not be scored and are left out", count(result.dropped)));
    }
    if result.floored > 0 {
        text.push_str(&format!("; in {} scores the least spread allowed was used", count(result.floored)));
    }
    text.push('.');
    if let Some(curve) = &result.calibrated {
        text.push_str(&format!(
            " Calibrated: {} of the members found at 0.1 % false alarms.",
            percent(curve.figures.tpr_at_fpr[2])
        ));
    }
    text
}

impl UtilityPart {
    pub fn of(analysis: &Analysis) -> Self {
        let (inside, outside) = utility::sides(&analysis.utility);
        let row = |name, a: Spread, b: Spread| UtilityRow {
            name,
            inside: spread(a.mean, a.sd),
            outside: spread(b.mean, b.sd),
            gap: signed(a.mean - b.mean),
        };
        let mut rows = vec![row("Accuracy", inside.accuracy, outside.accuracy)];
        // Tasks of more than two classes have none.
        if !inside.auc.mean.is_nan() || !outside.auc.mean.is_nan() {
            rows.push(row("AUC of the model’s own task", inside.auc, outside.auc));
        }
        rows.push(row("Log loss (lower is better)", inside.log_loss, outside.log_loss));
        let (a, b) = (inside.accuracy.mean, outside.accuracy.mean);
        let gap = (!(a - b).is_nan()).then(|| Gap {
            inside: percent(a),
            outside: percent(b),
            points: numbers::fixed(100.0 * (a - b), 1).replace('-', "−"),
        });
        let whole =
            |records: f64| if records.is_nan() { NONE.to_owned() } else { count(records.round() as u64) };
        Self { rows, records_in: whole(inside.records.mean), records_out: whole(outside.records.mean), gap }
    }
}

/// `+0.326` or `−0.871`.
fn signed(value: f64) -> String {
    match value {
        _ if value.is_nan() => NONE.to_owned(),
        _ if value < 0.0 => format!("−{}", auc(-value)),
        _ => format!("+{}", auc(value)),
    }
}
