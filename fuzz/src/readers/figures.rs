//! The ranges that figures lie in, whatever they are made from.

use umbra_stats::{Analysis, Figures, PatientTable, RecordTable};

/// A share, or absent.
fn share(x: f64) {
    assert!(x.is_nan() || (0.0..=1.0).contains(&x), "{x} is no share");
}

fn shares<'a>(values: impl IntoIterator<Item = &'a f64>) {
    values.into_iter().copied().for_each(share);
}

/// Checks what was found as a whole.
pub fn check(found: &Analysis) {
    for attack in &found.attacks {
        curve_figures(&attack.figures);
        curve_figures(&attack.per_target.mean);
        shares(&attack.per_target.auc);
        for axis in [&attack.curve.fpr, &attack.curve.tpr] {
            shares(axis);
            assert!(axis.windows(2).all(|pair| pair[0] <= pair[1]), "a curve rises");
        }
    }
    let summary = &found.summary;
    assert!(summary.detected <= summary.units && summary.mirror <= summary.units);
    let mut most = summary.detected;
    for count in summary.recognisable {
        assert!(count <= most, "{count} recognisable of {most}");
        most = count;
    }
    share(summary.mean_auc);
    share(summary.bound_alpha);
    shares([&summary.limit.least_p, &summary.limit.detectable_auc]);
    shares(found.survival.observed.iter().chain(&found.survival.null));
    for side in found.utility.iter().flat_map(|shadow| [&shadow.inside, &shadow.outside]) {
        shares([&side.accuracy, &side.auc]);
        assert!(side.log_loss.is_nan() || side.log_loss >= 0.0, "log loss {}", side.log_loss);
    }
}

fn curve_figures(figures: &Figures) {
    share(figures.auc);
    share(figures.balanced_accuracy);
    assert!(figures.balanced_accuracy.is_nan() || figures.balanced_accuracy >= 0.5);
    shares(&figures.tpr_at_fpr);
    let at_lower_rates = figures.tpr_at_fpr.windows(2);
    assert!(at_lower_rates.map(|pair| pair[1] - pair[0]).all(|more| more.is_nan() || more <= 0.0));
}

/// Checks rows of the record table.
pub fn check_records(rows: &RecordTable) {
    shares(&rows.auc);
    shares(&rows.binormal_auc);
    for sd in rows.sd_in.iter().chain(&rows.sd_out) {
        assert!(sd.is_nan() || *sd >= 0.0, "a standard deviation is {sd}");
    }
}

/// Checks rows of the patient table.
pub fn check_patients(rows: &PatientTable) {
    shares(rows.auc.iter().chain(&rows.p).chain(&rows.q).chain(&rows.auc_lower));
    for ((&p, &q), &auc) in rows.p.iter().zip(&rows.q).zip(&rows.auc) {
        assert!(p.is_nan() == auc.is_nan(), "p {p} with AUC {auc}");
        assert!(p.is_nan() || (p > 0.0 && q >= p), "p {p}, q {q}");
    }
    for (lower, auc) in rows.auc_lower.iter().zip(&rows.auc) {
        assert!(lower.is_nan() || lower <= auc, "a lower bound of {lower} for {auc}");
    }
}
