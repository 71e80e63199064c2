//! The known traps (`tests/vectors/pitfalls.json`: inputs, right answers, and what others get wrong),
//! each held against the part that could fall into it.

use serde_json::Value;
use umbra_core::seed::{Purpose, Seed};

use crate::attacks::{Attack, Lira, Work};
use crate::config::{Center, Counts, Variance};
use crate::design::Design;
use crate::labels::Labels;
use crate::log_odds::log_odds_of;
use crate::membership::MembershipMatrix;
use crate::moments::Moments;
use crate::references::{Columns, References, Scheme, Span};
use crate::signal::View;
use crate::{AttackKind, Config, MemoryLogits, Shape, analyse};
use crate::{inputs::Inputs, roc};

fn case(id: &str) -> Value {
    let all: Vec<Value> = serde_json::from_str(include_str!("../tests/vectors/pitfalls.json")).unwrap();
    all.into_iter().find(|case| case["id"] == id).unwrap()
}

/// A list of numbers; null is NaN.
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn close(found: f64, right: f64, relative: f64) {
    let same = found.is_nan() && right.is_nan();
    assert!(same || (found - right).abs() <= relative * right.abs().max(1e-300), "{found} is not {right}");
}

/// Online LiRA with all references on signals `[shadow][record]`, as scores `[shadow][record]`.
fn lira(phi: &[Vec<f64>], keep: &[Vec<f64>], variance: Variance) -> Vec<Vec<f64>> {
    let (shadows, records) = (phi.len(), phi[0].len());
    let blocks = Design::bernoulli().resolve(shadows).unwrap();
    let membership = MembershipMatrix::from_fn(shadows, records, |s, r| keep[s][r] == 1.0);
    let mut attack = Lira::new(Scheme::LeaveOneOut(Counts::All), Center::Mean, variance, &blocks);
    let signals: Vec<Vec<f64>> = (0..records).map(|r| phi.iter().map(|row| row[r]).collect()).collect();
    let view = |r: usize| View::of_signals(&signals[r], membership.view().column(r));
    let mut work = Work::default();
    for pass in 0..attack.passes() {
        let mut sums = vec![0.0; attack.width(pass)];
        (0..records).for_each(|r| attack.observe(pass, &view(r), &mut work, &mut sums));
        attack.learn(pass, &sums);
    }
    let mut scores = vec![vec![f64::NAN; records]; shadows];
    let mut row = vec![0.0; shadows];
    for r in 0..records {
        attack.score(&view(r), &mut work, &mut row);
        (0..shadows).for_each(|s| scores[s][r] = row[s]);
    }
    scores
}

#[test]
fn leaving_one_out_keeps_its_digits() {
    for (id, key, tolerance) in [
        ("downdate_large_offset", "values_f32", 1e-9),
        ("downdate_remove_outlier", "values_f32", 1e-9),
        ("downdate_to_zero", "values_f32", 1e-9),
    ] {
        let case = case(id);
        let values = numbers(&case["inputs"][key]);
        let full = Moments::of(values.iter().copied());
        let (means, variances) =
            (numbers(&case["right"]["loo_mean"]), numbers(&case["right"]["loo_var_ddof0"]));
        for (index, (&mean, &variance)) in means.iter().zip(&variances).enumerate() {
            let rest = full.without(&values, index);
            // The means are given to twelve digits or so.
            close(rest.mean, mean, 1e-12);
            close(rest.ss / f64::from(rest.n), variance, tolerance);
        }
    }
}

#[test]
fn few_references_make_a_pair_unscorable() {
    let case = case("few_in_samples");
    let (phi, keep) = (rows(&case["inputs"]["phi"]), rows(&case["inputs"]["keep"]));
    assert!(lira(&phi, &keep, Variance::PerRecord)[0].iter().all(|score| score.is_nan()));
    let blocks = Design::bernoulli().resolve(4).unwrap();
    let llr = numbers(&case["right"]["with_fixed_sd_1"]["llr"]);
    for r in 0..3 {
        let signals: Vec<f64> = phi.iter().map(|row| row[r]).collect();
        let column = [(0..4).map(|s| (keep[s][r] as u64) << s).sum::<u64>()];
        let mut references = References::default();
        references.fill(Scheme::LeaveOneOut(Counts::All), Center::Mean, &signals, &column, &blocks);
        let Span { own: [n_in, _], other: [n_out, _], .. } = references.spans[0];
        assert_eq!(u64::from(n_in), case["right"]["n_in"][r].as_u64().unwrap());
        assert_eq!(u64::from(n_out), case["right"]["n_out"][r].as_u64().unwrap());
        if n_in > 0 {
            let square = |columns: &Columns| columns.deviation[0] * columns.deviation[0];
            close(0.5 * (square(&references.other) - square(&references.own)), llr[r], 1e-12);
        }
    }
}

#[test]
fn signals_do_not_saturate() {
    for case in case("logit_scaling")["inputs"]["cases"].as_array().unwrap() {
        let label = case["label"].as_u64().unwrap() as usize;
        close(log_odds_of(&numbers(&case["logits"]), label), case["phi"].as_f64().unwrap(), 1e-14);
    }
    let case = case("single_logit_sigmoid");
    for (i, z) in numbers(&case["inputs"]["z"]).into_iter().enumerate() {
        for (label, key) in ["phi_label0", "phi_label1"].into_iter().enumerate() {
            assert_eq!(log_odds_of(&[z], label), numbers(&case["right"][key])[i]);
        }
    }
}

/// Scores of members and of non-members.
fn split(case: &Value) -> (Vec<f64>, Vec<f64>) {
    let (scores, member) = (numbers(&case["inputs"]["score"]), numbers(&case["inputs"]["member"]));
    let side = |wanted: f64| {
        scores.iter().zip(&member).filter(|(_, m)| **m == wanted).map(|(score, _)| *score).collect()
    };
    (side(1.0), side(0.0))
}

#[test]
fn ties_form_one_vertex() {
    let ties = case("roc_ties");
    let (members, nonmembers) = split(&ties);
    let found = roc::roc(&members, &nonmembers);
    assert_eq!(found.curve.fpr, numbers(&ties["right"]["fpr"]));
    assert_eq!(found.curve.tpr, numbers(&ties["right"]["tpr"]));
    assert_eq!(found.figures.auc, ties["right"]["auc"].as_f64().unwrap());
    // At 10 % of 4 non-members no false positive is allowed.
    assert_eq!(found.figures.tpr_at_fpr[0], ties["right"]["tpr_at_fpr_le_0"].as_f64().unwrap());

    let (members, nonmembers) = (vec![0.0], vec![-0.0]);
    assert_eq!(roc::roc(&members, &nonmembers).figures.auc, 0.5);
}

#[test]
fn no_vertex_is_dropped_before_a_rate_is_read() {
    let case = case("sklearn_drop_intermediate");
    let (members, nonmembers) = split(&case);
    let strictly_below = case["inputs"]["fpr_strictly_below"].as_f64().unwrap();
    let curve = roc::roc(&members, &nonmembers).curve;
    let best = curve.fpr.iter().zip(&curve.tpr).rfind(|(fpr, _)| **fpr < strictly_below).unwrap();
    assert_eq!(*best.1, case["right"]["tpr"].as_f64().unwrap());
}

#[test]
fn false_positives_are_counted_not_divided() {
    let case = case("fpr_grid");
    let members = numbers(&case["inputs"]["member_scores"]);
    let nonmembers = numbers(&case["inputs"]["nonmember_scores_desc"]);
    let found = roc::roc(&members, &nonmembers).figures;
    assert_eq!(found.tpr_at_fpr[2], case["right"]["tpr_at_fpr_le_0_001"].as_f64().unwrap());
    // .01 % of 1,000 is none.
    assert_eq!(found.tpr_at_fpr[3], case["right"]["tpr_at_fpr_lt_0_001"].as_f64().unwrap());
}

#[test]
fn pairs_are_counted_in_wide_integers() {
    let case = case("auc_counts_overflow");
    let n = case["inputs"]["n_pos"].as_u64().unwrap() as usize;
    let equal = vec![0.25; n];
    let found = roc::roc(&equal, &equal);
    assert_eq!(found.members * found.nonmembers, case["right"]["pairs"].as_u64().unwrap());
    assert_eq!(found.figures.auc, case["right"]["auc"].as_f64().unwrap());
}

#[test]
fn a_diverged_shadow_is_neither_target_nor_reference() {
    let case = case("nan_model");
    let (phi, keep) = (rows(&case["inputs"]["phi"]), rows(&case["inputs"]["keep"]));
    let scores = lira(&phi, &keep, Variance::Pooled);
    let right = rows(&case["right"]["llr_models_0_1_3_4_5_6"]);
    assert!(scores[2].iter().all(|score| score.is_nan()));
    for (row, shadow) in [0, 1, 3, 4, 5, 6].into_iter().enumerate() {
        for r in 0..3 {
            close(scores[shadow][r], right[row][r], 1e-9);
        }
    }
}

#[test]
fn a_single_absent_entry_costs_that_entry_alone() {
    let case = case("nan_single_entry");
    let column = |key: &str| numbers(&case["inputs"][key]).into_iter().map(|x| vec![x]).collect::<Vec<_>>();
    let scores = lira(&column("phi_record1"), &column("keep_record1"), Variance::PerRecord);
    for (row, right) in scores.iter().zip(numbers(&case["right"]["llr_record1"])) {
        close(row[0], right, 1e-9);
    }
}

#[test]
fn equal_values_meet_a_floor_instead_of_a_tiny_number() {
    let case = case("sd_plus_1e30");
    let side = |key: &str| Moments::of(numbers(&case["inputs"][key]).into_iter());
    let x = case["inputs"]["target"].as_f64().unwrap();
    let density = |m: Moments| {
        let variance = (m.ss / f64::from(m.n)).max(0.1 * 0.1);
        crate::attacks::gaussian(x - m.mean, variance, libm::log(variance))
    };
    let ratio = density(side("in_values")) - density(side("out_values"));
    close(ratio, case["right"]["policy_sd_floor_0_1"].as_f64().unwrap(), 1e-12);
}

/// Pooled AUC of per-record LiRA where nothing leaks: the figures of the case, by simulation.
#[test]
fn leaving_the_target_out_is_not_a_leak() {
    let case = case("loo_null_bias");
    let right = |key: &str| case["right"][key]["pooled_auc"].as_f64().unwrap();
    let found = |shadows: usize, counts: Counts| {
        let records = 4000;
        let mut stream = Seed::new(20).stream(Purpose::Simulation, &[shadows as u64]);
        let logits: Vec<f32> = (0..shadows * records).map(|_| stream.normal_f64() as f32).collect();
        let shape = Shape { shadows, records, queries: 1, classes: 1 };
        let source = MemoryLogits::try_new(shape, logits).unwrap();
        let membership = crate::testing::blocked(shadows, records, shadows, &mut stream);
        let inputs = Inputs {
            source: &source,
            labels: Labels::Class(&vec![1; records]),
            units: &(0..records as u32).collect::<Vec<_>>(),
            membership: membership.view(),
            design: &Design::blocks(shadows),
            population: None,
            attributes: &[],
            seed: &Seed::new(20),
        };
        let config = Config {
            attacks: vec![AttackKind::LiraOnline],
            variance: Variance::PerRecord,
            counts,
            ..Config::default()
        };
        analyse(&inputs, &config, &|_| {}).unwrap().attacks[0].figures.auc
    };
    // About five standard errors of 4,000 records; the case's own figures come from as many.
    for (shadows, key) in [(8, "M8"), (16, "M16"), (64, "M64")] {
        let all = right(&format!("{key}_exact_per_ddof0"));
        assert!((found(shadows, Counts::All) - all).abs() < 0.012, "{key} all");
        assert!((found(shadows, Counts::Equal) - 0.5).abs() < 0.012, "{key} equal");
        let first = right(&format!("{key}_exact_per_ddof0_trunc"));
        assert!((found(shadows, Counts::First) - first).abs() < 0.012, "{key} first");
    }
}
