//! Figures of the same scores by the three tools.

use umbra_stats::roc;

use crate::vectors::references;

/// Without ties all agree. With ties LeakPro takes the first score of a tie for the vertex, in whatever order
/// they were sorted, so its area is not that of any curve; the others take the whole tie.
#[test]
fn areas_agree_but_for_ties() {
    let vectors = references();
    for (name, tied) in [("curve/distinct", false), ("curve/tied", true)] {
        let scores = |side: &str| vectors.get(&format!("{name}/{side}"));
        let found = roc(&scores("members"), &scores("nonmembers")).figures;
        let tool = |tool: &str, key: &str| vectors.index["figures"][name][tool][key].as_f64().unwrap();
        assert!((found.auc - tool("tfp", "auc")).abs() < 1e-12);
        assert!((found.auc - tool("meter", "auc")).abs() < 1e-12);
        assert!((found.balanced_accuracy - tool("tfp", "balanced_accuracy")).abs() < 1e-12);
        let away = (found.auc - tool("leakpro", "auc")).abs();
        assert!(if tied { away > 1e-5 } else { away < 1e-12 }, "{name}: {away}");
    }
}

/// The true positive rate at a false positive rate of 1 in 1,000, with 1,000 non-members: one false positive
/// is allowed. tensorflow/privacy asks for less than the rate and allows none.
#[test]
fn a_rate_that_is_reached_counts() {
    let vectors = references();
    let scores = |side: &str| vectors.get(&format!("curve/distinct/{side}"));
    let (members, nonmembers) = (scores("members"), scores("nonmembers"));
    let found = roc(&members, &nonmembers).figures.tpr_at_fpr;
    let mut highest = nonmembers.clone();
    highest.sort_by(|a, b| b.total_cmp(a));
    let above = |limit: f64| members.iter().filter(|&&score| score > limit).count() as f64 / 1500.0;
    assert_eq!(found[2], above(highest[1]), "by counting");
    let tools = &vectors.index["figures"]["curve/distinct"];
    let of = |tool: &str, key: &str| tools[tool][key].as_f64().unwrap();
    assert!((of("tfp", "tpr_at_0.001") - above(highest[0])).abs() < 1e-12);
    assert!((of("meter", "tpr_at_0.001") - found[2]).abs() < 1e-12);
    assert!((of("meter", "tpr_at_0.01") - found[1]).abs() < 1e-12);
    for (ours, key) in found.iter().zip(["TPR@10%FPR", "TPR@1%FPR", "TPR@0.1%FPR", "TPR@0.01%FPR"]) {
        let theirs = tools["leakpro"]["tpr_at"][key].as_f64().unwrap();
        assert!((ours - theirs).abs() < 1e-12, "{key}: {ours} and {theirs}");
    }
}

/// As many members as non-members at every one of 200 scores: the curve is the diagonal, with 200 vertices.
/// scikit-learn's `roc_curve`, which two of the tools read their rates from, drops those in the middle of a
/// straight line, and with them the rates between. LeakPro's vertices, the first scores of the ties, make a
/// rate that no threshold has.
#[test]
fn rates_are_read_before_thinning_and_after_ties() {
    let vectors = references();
    let scores = vectors.get("curve/equal/members");
    assert_eq!(scores, vectors.get("curve/equal/nonmembers"));
    let found = roc(&scores, &scores).figures;
    assert_eq!((found.auc, found.tpr_at_fpr), (0.5, [0.1, 0.01, 0.0, 0.0]));
    let tools = &vectors.index["figures"]["curve/equal"];
    assert_eq!(tools["meter"]["tpr_at_0.01"], 0.005);
    assert_eq!(tools["leakpro"]["tpr_at"]["TPR@1%FPR"], 0.015);
}
