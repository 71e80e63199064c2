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
