//! Agreement with `vectors/reference.json`, which `vectors/make_reference.py` made with numpy and scipy
//! (versions inside) from the definitions, in plain loops and two passes.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::ops::ControlFlow;
use std::sync::LazyLock;

use serde_json::Value;
use umbra_core::seed::Seed;
use umbra_stats::{
    Analysis, AttackKind, Config, Counts, Design, Inputs, Labels, MembershipMatrix, MemoryLogits,
    MemoryScores, MemoryScratch, MemoryTables, Shape, Variance, analyse_into, auc_lower_bound,
    benjamini_hochberg, wilson,
};

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors/reference.json")).unwrap());

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[track_caller]
fn close(found: f64, right: f64, relative: f64) {
    let same = found.is_nan() && right.is_nan();
    assert!(same || (found - right).abs() <= relative * right.abs().max(1.0), "{found} is not {right}");
}

fn lost(case: &Value) -> Vec<u32> {
    case["lost"].as_array().unwrap().iter().map(|shadow| count(shadow) as u32).collect()
}

/// A membership matrix given as rows of 0 and 1.
fn membership(keep: &Value, units: usize) -> MembershipMatrix {
    let rows: Vec<Vec<f64>> = keep.as_array().unwrap().iter().map(numbers).collect();
    MembershipMatrix::from_fn(rows.len(), units, |shadow, unit| rows[shadow][unit] == 1.0)
}

struct Lira {
    source: MemoryLogits,
    labels: Vec<u32>,
    units: Vec<u32>,
    membership: MembershipMatrix,
    design: Design,
    seed: Seed,
}

impl Lira {
    fn new() -> Self {
        let case = &REFERENCE["lira"];
        let [shadows, records, queries, classes] =
            ["shadows", "records", "queries", "classes"].map(|key| count(&case[key]));
        let logits = &case["logits"];
        let infinite = &case["infinite"][0];
        let source = MemoryLogits::from_fn(Shape { shadows, records, queries, classes }, |s, r, q, c| {
            if [s, r, q, c] == [0, 1, 2, 3].map(|i| count(&infinite[i])) {
                return f32::INFINITY;
            }
            number(&logits[s][r][q][c]) as f32
        });
        Self {
            source,
            labels: numbers(&case["labels"]).into_iter().map(|label| label as u32).collect(),
            units: (0..records as u32).collect(),
            membership: membership(&case["keep"], records),
            design: Design::blocks(count(&case["block"])).with_lost(lost(case)),
            seed: Seed::new(0),
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            source: &self.source,
            labels: Labels::Class(&self.labels),
            units: &self.units,
            membership: self.membership.view(),
            design: &self.design,
            population: None,
            attributes: &[],
            seed: &self.seed,
        }
    }
}

#[test]
fn lira_scores_and_figures() {
    let case = &REFERENCE["lira"];
    let audit = Lira::new();
    let (shadows, records) = (count(&case["shadows"]), count(&case["records"]));
    for variant in case["variants"].as_array().unwrap() {
        let config = Config {
            attacks: vec![AttackKind::LiraOnline],
            variance: variant["variance"].as_str().unwrap().parse::<Variance>().unwrap(),
            counts: variant["counts"].as_str().unwrap().parse::<Counts>().unwrap(),
            ..Config::default()
        };
        let mut scores = MemoryScores::new(shadows, records);
        let on = |_: f64| ControlFlow::Continue(());
        let found = analyse_into(&audit.inputs(), &config, &on, &mut scores, &MemoryScratch).unwrap();
        let found = &found.attacks[0];
        let right: Vec<f64> = variant["scores"].as_array().unwrap().iter().flat_map(numbers).collect();
        let scores = scores.of(AttackKind::LiraOnline).unwrap();
        assert_eq!(scores.len(), right.len());
        for (score, right) in scores.iter().zip(right) {
            close(*score, right, 1e-9);
        }
        let right = &variant["figures"];
        close(found.figures.auc, number(&right["auc"]), 1e-12);
        close(found.figures.balanced_accuracy, number(&right["balanced_accuracy"]), 1e-12);
        for (tpr, right) in found.figures.tpr_at_fpr.into_iter().zip(numbers(&right["tpr_at_fpr"])) {
            close(tpr, right, 1e-12);
        }
        assert_eq!(found.scored as usize, count(&right["scored"]));
        assert_eq!(found.targets, shadows - 1);
        assert_eq!(found.dropped as usize, (shadows - 1) * records - count(&right["scored"]));
        assert_eq!(found.floored as usize, count(&variant["floored"]));
    }
}

fn with_tables(inputs: &Inputs<'_>) -> (Analysis, MemoryTables) {
    let mut tables = MemoryTables::default();
    let on = |_: f64| ControlFlow::Continue(());
    let found = analyse_into(inputs, &Config::default(), &on, &mut tables, &MemoryScratch).unwrap();
    (found, tables)
}

#[test]
fn record_table_and_utility() {
    let case = &REFERENCE["lira"];
    let (found, tables) = with_tables(&Lira::new().inputs());
    let rights = case["per_record"].as_array().unwrap();
    assert_eq!(found.records.records, rights.len());
    for (record, right) in rights.iter().enumerate() {
        let table = &tables.records;
        for (column, key) in [
            (&table.auc, "auc"),
            (&table.binormal_auc, "binormal_auc"),
            (&table.mean_in, "mean_in"),
            (&table.mean_out, "mean_out"),
            (&table.sd_in, "sd_in"),
            (&table.sd_out, "sd_out"),
        ] {
            close(column[record], number(&right[key]), 1e-9);
        }
        assert_eq!(table.n_in[record] as usize, count(&right["n_in"]));
        assert_eq!(table.n_out[record] as usize, count(&right["n_out"]));
    }
    for right in case["utility"].as_array().unwrap() {
        let found = &found.utility[count(&right["shadow"])];
        for (found, right) in [(found.inside, &right["inside"]), (found.outside, &right["outside"])] {
            assert_eq!(found.records, count(&right["records"]));
            close(found.accuracy, number(&right["accuracy"]), 1e-12);
            close(found.log_loss, number(&right["log_loss"]), 1e-9);
        }
    }
    assert_eq!(found.utility[5].inside.records, 0, "a lost shadow has no utility");
}

#[test]
fn patients_by_going_through_every_assignment() {
    let case = &REFERENCE["patients"];
    let [shadows, units] = ["shadows", "units"].map(|key| count(&case[key]));
    let z: Vec<Vec<f64>> = case["z"].as_array().unwrap().iter().map(numbers).collect();
    let shape = Shape { shadows, records: units, queries: 1, classes: 1 };
    let source = MemoryLogits::from_fn(shape, |s, r, _, _| z[s][r] as f32);
    let membership = membership(&case["keep"], units);
    let design = Design::blocks(count(&case["block"])).with_lost(lost(case));
    let inputs = Inputs {
        source: &source,
        labels: Labels::Class(&vec![1; units]),
        units: &(0..units as u32).collect::<Vec<_>>(),
        membership: membership.view(),
        design: &design,
        population: None,
        attributes: &[],
        seed: &Seed::new(0),
    };
    let (found, tables) = with_tables(&inputs);
    for (column, key) in [
        (&tables.patients.auc, "auc"),
        (&tables.patients.p, "p"),
        (&tables.patients.q, "q"),
        (&tables.patients.auc_lower, "auc_lower"),
    ] {
        for (found, right) in column.iter().zip(numbers(&case[key])) {
            assert!((found - right).abs() <= 1e-9 * right, "{key}: {found} is not {right}");
        }
    }
    assert_eq!(found.summary.detected, count(&case["detected"]));
    assert_eq!(found.summary.mirror, count(&case["mirror"]));
    assert_eq!(tables.patients.auc, tables.records.auc, "one record a patient");
}

#[test]
fn bounds_and_false_discovery_rate() {
    for case in REFERENCE["kl"].as_array().unwrap() {
        let found = auc_lower_bound(number(&case["auc"]), count(&case["n"]) as u32, number(&case["alpha"]));
        close(found, number(&case["lower"]), 1e-9);
    }
    let bh = &REFERENCE["bh"];
    for (found, right) in benjamini_hochberg(&numbers(&bh["p"])).into_iter().zip(numbers(&bh["q"])) {
        close(found, right, 1e-12);
    }
    for case in REFERENCE["wilson"].as_array().unwrap() {
        let (low, high) = wilson(count(&case["k"]), count(&case["n"]));
        close(low, number(&case["interval"][0]), 1e-9);
        close(high, number(&case["interval"][1]), 1e-9);
    }
}
