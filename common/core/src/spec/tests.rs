use super::*;

fn draft() -> SpecDraft {
    SpecDraft {
        name: "support2-mlp".to_owned(),
        seed: 7,
        dataset: "support2".to_owned(),
        model: ModelDraft { architecture: "mlp".to_owned(), widths: vec![256, 256] },
        training: TrainingDraft {
            learning_rate: Some(0.05),
            batch: Some(256),
            epochs: Some(40),
            ..TrainingDraft::default()
        },
        ..SpecDraft::default()
    }
}

fn fields(draft: &SpecDraft) -> Vec<String> {
    let wrong = AuditSpec::try_new(draft).expect_err("the draft is wrong");
    wrong.iter().map(|violation| violation.field.clone()).collect()
}

#[test]
fn a_spec_says_again_what_it_was_told() {
    let spec = AuditSpec::try_new(&draft()).unwrap();
    assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    assert_eq!(spec.shadows().count(), 128);
    assert_eq!(spec.training().optimizer(), Optimizer::Sgd { momentum: 0.9, nesterov: false });
}

#[test]
fn all_mistakes_are_listed_at_once() {
    let mut bad = draft();
    bad.name = "No".to_owned();
    bad.model.architecture = "vit".to_owned();
    bad.training.learning_rate = Some(f64::NAN);
    bad.training.batch = Some(0);
    bad.training.momentum = Some(1.0);
    bad.shadows.count = Some(7);
    bad.statistics.attacks = Some(vec!["lira".to_owned()]);
    bad.statistics.variance = Some("mine".to_owned());
    bad.statistics.fdr = Some(0.0);
    bad.placement.pack = Some(0);
    let expected = [
        "name",
        "model.architecture",
        "training.momentum",
        "training.learning_rate",
        "training.batch",
        "shadows.count",
        "statistics.attacks",
        "statistics.variance",
        "statistics.fdr",
        "placement.pack",
    ];
    assert_eq!(fields(&bad), expected);
}

#[test]
fn the_default_block_is_the_largest_even_divisor_up_to_20() {
    for (count, block) in [(64, 16), (128, 16), (200, 20), (8, 8), (24, 12), (36, 18)] {
        let mut draft = draft();
        draft.shadows.count = Some(count);
        assert_eq!(AuditSpec::try_new(&draft).unwrap().shadows().block(), block, "{count}");
    }
    let mut draft = draft();
    draft.shadows.count = Some(62);
    assert_eq!(fields(&draft), ["shadows.count"]);
    draft.shadows.count = Some(64);
    draft.shadows.block = Some(12);
    assert_eq!(fields(&draft), ["shadows.block"]);
}

#[test]
fn a_key_of_the_other_optimizer_is_refused() {
    let mut draft = draft();
    draft.training.optimizer = Some("adamw".to_owned());
    draft.training.momentum = Some(0.9);
    assert_eq!(fields(&draft), ["training.momentum"]);
}

#[test]
fn statistics_are_checked_one_by_one() {
    let mut good = draft();
    good.statistics = StatisticsDraft {
        attacks: Some(["lira-online", "lira-offline", "base", "global"].map(str::to_owned).to_vec()),
        variance: Some("reference".to_owned()),
        center: Some("median".to_owned()),
        counts: Some("first".to_owned()),
        offline: Some(true),
        temperature: Some(1.5),
        fdr: Some(0.1),
        looks: Some(3),
        bootstrap: Some(0),
        delta: Some(0.0),
        intersections: Some(vec![vec!["sex".to_owned(), "race".to_owned()]]),
    };
    let spec = AuditSpec::try_new(&good).unwrap();
    assert_eq!(spec.to_draft().statistics, good.statistics);

    let mut bad = draft();
    let pair = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
    bad.statistics = StatisticsDraft {
        attacks: Some(vec!["rmia".to_owned()]),
        center: Some("mode".to_owned()),
        counts: Some("some".to_owned()),
        temperature: Some(0.0),
        looks: Some(0),
        bootstrap: Some(1_000_000),
        delta: Some(-1.0),
        intersections: Some(vec![
            pair("a", "a"),
            vec!["a".to_owned()],
            pair("a", "b"),
            pair("b", "a"),
            pair("", "c"),
        ]),
        ..StatisticsDraft::default()
    };
    let wrong = AuditSpec::try_new(&bad).expect_err("it is wrong");
    let found: Vec<String> = wrong.iter().map(|v| format!("{}: {}", v.field, v.message)).collect();
    let expected = [
        "statistics.attacks: rmia compares with records that no shadow was trained on",
        "statistics.center: \"mode\" is not known: use one of mean, median",
        "statistics.counts: \"some\" is not known: use one of equal, first, all",
        "statistics.temperature: 0 is out of range",
        "statistics.looks: 0 is out of range: use 1 to 1000",
        "statistics.bootstrap: 1000000 is out of range",
        "statistics.delta: -1 is out of range: use 0 to 0.5",
        "statistics.intersections: entry 0 crosses an attribute with itself",
        "statistics.intersections: entry 1 is no pair",
        "statistics.intersections: entry 3 comes twice",
        "statistics.intersections: entry 4 has an empty or overlong name",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}
