//! Against the definitions in plain loops and two passes: every attack and setting, on blocks with a lost
//! shadow, pairs, exact halves and fair coins; several queries, one logit, several labels; entries that are
//! missing or not finite.

use serde_json::Value;
use umbra_stats::{AttackKind, Center, Config, Counts, Design, Variance};

use crate::audit::Audit;
use crate::vectors::{Vectors, all_close, close, count, two_pass};

/// Scores agree within this share of their size.
const TOLERANCE: f64 = 1e-9;

fn case<'a>(vectors: &'a Vectors, name: &str) -> &'a Value {
    vectors.index["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap()
}

fn design(case: &Value) -> Design {
    let lost: Vec<u32> = case["lost"].as_array().unwrap().iter().map(|s| count(s) as u32).collect();
    let design = match case["design"].as_str().unwrap() {
        "blocks" | "pairs" => Design::blocks(count(&case["block"])),
        "exact" => Design::exact(),
        _ => Design::bernoulli(),
    };
    design.with_lost(lost)
}

fn config(settings: &Value) -> Config {
    let plain = Config::default();
    let number = |key: &str, default: f64| settings[key].as_f64().unwrap_or(default);
    let yes = |key: &str| settings[key].as_bool().unwrap_or(false);
    Config {
        center: settings["center"].as_str().map_or(plain.center, |s| s.parse::<Center>().unwrap()),
        variance: settings["variance"].as_str().map_or(plain.variance, |s| s.parse::<Variance>().unwrap()),
        counts: settings["counts"].as_str().map_or(plain.counts, |s| s.parse::<Counts>().unwrap()),
        multivariate: yes("multivariate"),
        base_offline: yes("offline"),
        rmia_a: yes("offline").then(|| number("rmia_a", Config::RMIA_A)),
        gamma: number("gamma", plain.gamma),
        temperature: number("temperature", plain.temperature),
        ..plain
    }
}

fn agrees(name: &str) {
    let vectors = two_pass();
    let case = case(&vectors, name);
    let audit = Audit::new(&vectors, name, design(case));
    for variant in case["variants"].as_array().unwrap() {
        let settings = &variant["settings"];
        let kind: AttackKind = variant["attack"].as_str().unwrap().parse().unwrap();
        let what = format!("{name}, {kind} {settings}");
        let found = audit.attack(kind, config(settings));
        all_close(&found.scores, &vectors.get(variant["scores"].as_str().unwrap()), TOLERANCE, &what);
        let right = &variant["figures"];
        let figures = &found.result.figures;
        let pairs = [(figures.auc, &right["auc"]), (figures.balanced_accuracy, &right["balanced_accuracy"])];
        let rates = figures.tpr_at_fpr.into_iter().zip(right["tpr_at_fpr"].as_array().unwrap());
        for (found, right) in pairs.into_iter().chain(rates) {
            assert!(close(found, right.as_f64().unwrap(), 1e-12), "{what}: {found}, not {right}");
        }
        assert_eq!(found.result.scored as usize, count(&right["scored"]), "{what}");
    }
}

#[test]
fn several_classes_in_blocks() {
    agrees("multi-class");
}

#[test]
fn one_logit_in_double_precision_in_pairs() {
    agrees("single");
}

#[test]
fn unequal_counts() {
    agrees("unequal");
}

#[test]
fn several_labels_of_which_some_are_missing() {
    agrees("multi-label");
}
