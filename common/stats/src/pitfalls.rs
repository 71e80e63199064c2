//! The known traps (`tests/vectors/pitfalls.json`: inputs, right answers, and what others get wrong),
//! each held against the part that could fall into it, by the function of its name.

use serde_json::Value;
use umbra_core::seed::{Purpose, Seed};

use crate::attacks::{Attack, Lira, Work};
use crate::config::{Center, Counts, Variance};
use crate::design::Design;
use crate::labels::Labels;
use crate::layout::Layout;
use crate::log_odds::log_odds_of;
use crate::membership::MembershipMatrix;
use crate::moments::Moments;
use crate::patient::Forward;
use crate::references::{Columns, Middle, References, Scheme, Span};
use crate::signal::View;
use crate::{AttackKind, Config, MemoryLogits, Shape, analyse};
use crate::{inputs::Inputs, roc};

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../tests/vectors/pitfalls.json")).unwrap()
}

/// Runs every case of the file by the function of its name, each as a test of its own; a case without a
/// function, and a name without a case, fail.
macro_rules! cases {
    ($($id:ident),+ $(,)?) => {
        mod case {
            $(
                #[test]
                fn $id() {
                    let case = super::cases().into_iter().find(|case| case["id"] == stringify!($id));
                    super::$id(&case.expect("the file has a case of this name"));
                }
            )+
        }

        #[test]
        fn every_case_of_the_file_is_run() {
            let ids: Vec<String> = cases().iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(ids, [$(stringify!($id)),+]);
        }
    };
}

cases! {
    downdate_large_offset,
    downdate_remove_outlier,
    downdate_to_zero,
    few_in_samples,
    logit_scaling,
    single_logit_sigmoid,
    roc_ties,
    roc_negative_zero,
    sklearn_drop_intermediate,
    fpr_grid,
    auc_counts_overflow,
    nan_model,
    nan_single_entry,
    sd_plus_1e30,
    offline_tail,
    median_even,
    patient_sum,
    loo_null_bias,
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

/// LiRA on signals `[shadow][record]`, as scores `[shadow][record]`.
fn scores(scheme: Scheme, phi: &[Vec<f64>], keep: &[Vec<f64>], variance: Variance) -> Vec<Vec<f64>> {
    let (shadows, records) = (phi.len(), phi[0].len());
    let blocks = Design::bernoulli().resolve(shadows).unwrap();
    let membership = MembershipMatrix::from_fn(shadows, records, |s, r| keep[s][r] == 1.0);
    let mut attack = Lira::new(scheme, Center::Mean, variance, &blocks);
    let signals: Vec<Vec<f64>> = (0..records).map(|r| phi.iter().map(|row| row[r]).collect()).collect();
    let columns: Vec<Vec<u64>> =
        (0..records).map(|r| membership.view().column(r, &mut Vec::new()).to_vec()).collect();
    let view = |r: usize| View::of_signals(&signals[r], &columns[r]);
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

/// Online LiRA with all references.
fn lira(phi: &[Vec<f64>], keep: &[Vec<f64>], variance: Variance) -> Vec<Vec<f64>> {
    scores(Scheme::LeaveOneOut(Counts::All), phi, keep, variance)
}

/// Mean and squares of the references as [`References::fill`] finds them, one value less at a time: on the
/// target's own side, and on the other side, which gives up the target's partner.
fn less_one(values: &[f64], center: Center) -> [Vec<(f64, f64)>; 2] {
    let (n, mut references) = (values.len(), References::default());
    let all = [u64::MAX >> (64 - n)];
    let blocks = Design::bernoulli().resolve(n).unwrap();
    references.fill(Scheme::LeaveOneOut(Counts::All), center, values, &all, &blocks);
    let Columns { deviation, squares } = &references.own;
    let own = (0..n).map(|i| (values[i] - deviation[i], squares[i])).collect();

    // The values are OUT; beside each is a target that is IN.
    let beside: Vec<f64> = values.iter().flat_map(|&value| [value, 1.0]).collect();
    let odd = [0xaaaa_aaaa_aaaa_aaaa & (u64::MAX >> (64 - 2 * n))];
    let blocks = Design::pairs().resolve(2 * n).unwrap();
    references.fill(Scheme::LeaveOneOut(Counts::Equal), center, &beside, &odd, &blocks);
    let Columns { deviation, squares } = &references.other;
    let other = (0..n).map(|i| (1.0 - deviation[2 * i + 1], squares[2 * i + 1])).collect();
    [own, other]
}

fn downdate(case: &Value) {
    let values = numbers(&case["inputs"]["values_f32"]);
    let full = Moments::of(values.iter().copied());
    let moments =
        (0..values.len()).map(|index| full.without(&values, index)).map(|m| (m.mean, m.ss)).collect();
    let [own, other] = less_one(&values, Center::Mean);
    let right = numbers(&case["right"]["loo_mean"]).into_iter().zip(numbers(&case["right"]["loo_var_ddof0"]));
    let n = values.len() as f64 - 1.0;
    for (index, (mean, variance)) in right.enumerate() {
        for found in [&moments, &own, &other] {
            let found: &Vec<(f64, f64)> = found;
            // The means are given to twelve digits or so.
            close(found[index].0, mean, 1e-12);
            close(found[index].1 / n, variance, 1e-9);
        }
    }
}

fn downdate_large_offset(case: &Value) {
    downdate(case);
}

fn downdate_remove_outlier(case: &Value) {
    downdate(case);
}

fn downdate_to_zero(case: &Value) {
    downdate(case);
}

fn median_even(case: &Value) {
    let values = numbers(&case["inputs"]["v"]);
    let right = case["right"]["median"].as_f64().unwrap();
    assert_eq!(Middle::of(&mut values.clone()).all, right);
    // The same of the references of a target: the four are left of five.
    for beyond in [-9.0, 2.25, 9.0] {
        let five: Vec<f64> = values.iter().copied().chain([beyond]).collect();
        for found in less_one(&five, Center::Median) {
            assert_eq!(found[values.len()].0, right);
        }
    }
}

fn few_in_samples(case: &Value) {
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

fn logit_scaling(case: &Value) {
    for case in case["inputs"]["cases"].as_array().unwrap() {
        let label = case["label"].as_u64().unwrap() as usize;
        close(log_odds_of(&numbers(&case["logits"]), label), case["phi"].as_f64().unwrap(), 1e-14);
    }
}

fn single_logit_sigmoid(case: &Value) {
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

fn roc_ties(ties: &Value) {
    let (members, nonmembers) = split(ties);
    let found = roc::roc(&members, &nonmembers);
    assert_eq!(found.curve.fpr, numbers(&ties["right"]["fpr"]));
    assert_eq!(found.curve.tpr, numbers(&ties["right"]["tpr"]));
    assert_eq!(found.figures.auc, ties["right"]["auc"].as_f64().unwrap());
    // At 10 % of 4 non-members no false positive is allowed.
    assert_eq!(found.figures.tpr_at_fpr[0], ties["right"]["tpr_at_fpr_le_0"].as_f64().unwrap());
}

fn roc_negative_zero(case: &Value) {
    // As text, since not every reader of JSON keeps the sign of a zero.
    let scores = case["inputs"]["score_as_text"].as_array().unwrap();
    let scores: Vec<f64> = scores.iter().map(|text| text.as_str().unwrap().parse().unwrap()).collect();
    assert!(scores[0].is_sign_negative() && numbers(&case["inputs"]["member"]) == [0.0, 1.0]);
    let found = roc::roc(&scores[1..], &scores[..1]).figures.auc;
    assert_eq!(found, case["right"]["auc"].as_f64().unwrap());
}

fn sklearn_drop_intermediate(case: &Value) {
    let (members, nonmembers) = split(case);
    let strictly_below = case["inputs"]["fpr_strictly_below"].as_f64().unwrap();
    let curve = roc::roc(&members, &nonmembers).curve;
    let best = curve.fpr.iter().zip(&curve.tpr).rfind(|(fpr, _)| **fpr < strictly_below).unwrap();
    assert_eq!(*best.1, case["right"]["tpr"].as_f64().unwrap());
}

fn fpr_grid(case: &Value) {
    let members = numbers(&case["inputs"]["member_scores"]);
    let nonmembers = numbers(&case["inputs"]["nonmember_scores_desc"]);
    let found = roc::roc(&members, &nonmembers).figures;
    assert_eq!(found.tpr_at_fpr[2], case["right"]["tpr_at_fpr_le_0_001"].as_f64().unwrap());
    // .01 % of 1,000 is none.
    assert_eq!(found.tpr_at_fpr[3], case["right"]["tpr_at_fpr_lt_0_001"].as_f64().unwrap());
}

fn auc_counts_overflow(case: &Value) {
    let n = case["inputs"]["n_pos"].as_u64().unwrap() as usize;
    let equal = vec![0.25; n];
    let found = roc::roc(&equal, &equal);
    assert_eq!(found.members * found.nonmembers, case["right"]["pairs"].as_u64().unwrap());
    assert_eq!(found.figures.auc, case["right"]["auc"].as_f64().unwrap());
}

fn nan_model(case: &Value) {
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

fn nan_single_entry(case: &Value) {
    let column = |key: &str| numbers(&case["inputs"][key]).into_iter().map(|x| vec![x]).collect::<Vec<_>>();
    let scores = lira(&column("phi_record1"), &column("keep_record1"), Variance::PerRecord);
    for (row, right) in scores.iter().zip(numbers(&case["right"]["llr_record1"])) {
        close(row[0], right, 1e-9);
    }
}

fn sd_plus_1e30(case: &Value) {
    let side = |key: &str| Moments::of(numbers(&case["inputs"][key]).into_iter());
    let x = case["inputs"]["target"].as_f64().unwrap();
    let density = |m: Moments| {
        let variance = (m.ss / f64::from(m.n)).max(0.1 * 0.1);
        crate::attacks::gaussian(x - m.mean, variance, libm::log(variance))
    };
    let ratio = density(side("in_values")) - density(side("out_values"));
    close(ratio, case["right"]["policy_sd_floor_0_1"].as_f64().unwrap(), 1e-12);
}

/// The offline score is z: in the order of log Phi(z), and without the ties of a probability.
fn offline_tail(case: &Value) {
    let (z, log_phi) = (numbers(&case["inputs"]["z"]), numbers(&case["right"]["log_phi"]));
    // Targets that are IN, beside two OUT references of mean 0 and variance 1.
    let phi: Vec<Vec<f64>> = z.iter().copied().chain([-1.0, 1.0]).map(|x| vec![x]).collect();
    let keep: Vec<Vec<f64>> = (0..phi.len()).map(|s| vec![f64::from(u8::from(s < z.len()))]).collect();
    let found = scores(Scheme::OutsideOnly(Counts::All), &phi, &keep, Variance::PerRecord);
    let found: Vec<f64> = found[..z.len()].iter().map(|row| row[0]).collect();
    assert_eq!(found, z);
    assert!(log_phi.is_sorted() && found.is_sorted_by(|a, b| a < b));
}

/// A patient's number is a weighted sum over all of its records, whatever their number. Two shadows are as
/// in the case; two more give every record the same spread, and so the same weight.
fn patient_sum(case: &Value) {
    let (llr, patient) = (rows(&case["inputs"]["llr"]), numbers(&case["inputs"]["patient"]));
    let layout = Layout::new(&Design::bernoulli().resolve(4).unwrap());
    for unit in [7.0, 9.0] {
        let records: Vec<usize> = (0..patient.len()).filter(|&record| patient[record] == unit).collect();
        let (mut signals, mut spreads) = (Vec::new(), 0.0);
        for &record in &records {
            let (a, b) = (llr[0][record], llr[1][record]);
            let spread = (10.0 - (a - b) * (a - b) / 4.0).sqrt();
            signals.extend([a, b, (a + b) / 2.0 + spread, (a + b) / 2.0 - spread]);
            spreads += spread;
        }
        let right = numbers(&case["right"]["sum"][format!("{unit}")]);
        // An unscorable record contributes nothing.
        let with_absent = [&signals[..], &[f64::NAN; 4]].concat();
        for signals in [&signals, &with_absent] {
            let mut forward = Forward::default();
            let number = forward.scores(signals, &[0b0101], &layout);
            let difference = (number[0] - number[1]) / (number[2] - number[3]) * 2.0 * spreads;
            close(difference, right[0] - right[1], 1e-12);
        }
    }
}

/// Pooled AUC of per-record LiRA where nothing leaks: the figures of the case, by simulation.
fn loo_null_bias(case: &Value) {
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
