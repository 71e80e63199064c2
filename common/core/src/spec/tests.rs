use super::*;
use crate::shape::{Form, Targets};

fn draft() -> SpecDraft {
    SpecDraft {
        name: "support2-mlp".to_owned(),
        seed: 7,
        dataset: "support2".to_owned(),
        model: ModelDraft { architecture: "mlp".to_owned(), widths: vec![256, 256], ..ModelDraft::default() },
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
    bad.placement.priority = Some(-101);
    bad.placement.weight = Some(1001);
    bad.placement.max_slots = Some(0);
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
        "placement.priority",
        "placement.weight",
        "placement.max_slots",
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
fn capacity_is_one_number_where_the_architecture_has_one() {
    let model = |architecture: &str, width, depth| {
        let mut draft = draft();
        draft.model = ModelDraft { architecture: architecture.to_owned(), width, depth, widths: vec![] };
        draft
    };
    for (architecture, width, depth) in [
        ("tab-resnet", Some(300), Some(6)),
        ("cnn", Some(32), None),
        ("wrn", Some(2), Some(28)),
        ("resnet1d", Some(128), Some(3)),
    ] {
        let spec = AuditSpec::try_new(&model(architecture, None, None)).unwrap();
        assert_eq!((spec.model().width(), spec.model().depth()), (width, depth));
        assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    }
    assert_eq!(fields(&model("wrn", Some(0), Some(15))), ["model.width", "model.depth"]);
    assert_eq!(fields(&model("cnn", None, Some(3))), ["model.depth"]);
    assert_eq!(fields(&model("logistic", Some(3), None)), ["model.width"]);
    let mut widths = model("cnn", None, None);
    widths.model.widths = vec![3];
    assert_eq!(fields(&widths), ["model.widths"]);
}

#[test]
fn what_a_recipe_can_switch_on_is_checked_and_said_again() {
    let mut good = draft();
    good.training = TrainingDraft {
        schedule: Some("step".to_owned()),
        step_epochs: Some(10.0),
        step_factor: Some(0.2),
        label_smoothing: Some(0.1),
        class_weights: Some(vec![1.0, 3.0]),
        clip_norm: Some(1.0),
        ema: Some(0.999),
        ..good.training
    };
    let spec = AuditSpec::try_new(&good).unwrap();
    assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    assert_eq!(spec.training().ema(), Some(0.999));
    let shape = |classes| DataShape::table(10, 10, 4, classes);
    assert!(spec.check_shape(&shape(2)).is_ok());
    let wrong = spec.check_shape(&shape(3)).unwrap_err();
    assert_eq!(wrong.iter().next().unwrap().field, "training.class_weights");

    let mut dropped = draft();
    dropped.model.architecture = "mlp".to_owned();
    dropped.model.widths = vec![4];
    dropped.training.dropout = Some(0.25);
    let spec = AuditSpec::try_new(&dropped).unwrap();
    assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    assert_eq!(spec.training().dropout(), 0.25);
    dropped.training.dropout = Some(0.95);
    assert_eq!(fields(&dropped), ["training.dropout"]);
    dropped.training.dropout = Some(0.25);
    dropped.model = ModelDraft { architecture: "logistic".to_owned(), ..ModelDraft::default() };
    let wrong = AuditSpec::try_new(&dropped).unwrap_err().to_string();
    assert!(wrong.contains("training.dropout: a model \"logistic\" has no hidden units"), "{wrong}");

    let mut several = draft();
    several.training.loss = Some("bce".to_owned());
    let spec = AuditSpec::try_new(&several).unwrap();
    assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    let labels = |classes| DataShape { targets: Targets::Labels, ..shape(classes) };
    let logits =
        |spec: &AuditSpec| [shape(2), labels(2), labels(3)].map(|shape| spec.training().logits(&shape));
    assert_eq!(logits(&spec), [1, 2, 3]);
    assert!([shape(2), labels(1), labels(3)].iter().all(|shape| spec.check_shape(shape).is_ok()));
    let wrong = spec.check_shape(&shape(3)).unwrap_err().to_string();
    assert!(wrong.starts_with("training.loss: \"bce\" is for two classes or several labels"), "{wrong}");
    several.training.loss = Some("cross-entropy".to_owned());
    let spec = AuditSpec::try_new(&several).unwrap();
    assert_eq!(logits(&spec), [2, 2, 3]);
    assert!(spec.check_shape(&shape(3)).is_ok());
    let wrong = spec.check_shape(&labels(3)).unwrap_err().to_string();
    assert!(wrong.ends_with("the data set has several labels: use \"bce\""), "{wrong}");
    several.training.loss = Some("hinge".to_owned());
    assert_eq!(fields(&several), ["training.loss"]);

    let mut varied = draft();
    varied.augment =
        AugmentDraft { flip: Some(true), noise: Some(0.5), drop: Some(0.1), ..AugmentDraft::default() };
    let spec = AuditSpec::try_new(&varied).unwrap();
    assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    let wrong = spec.check_shape(&shape(2)).unwrap_err();
    let found: Vec<_> = wrong.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(found, ["augment.flip"]);
    varied.augment = AugmentDraft { rotate: Some(15.0), ..AugmentDraft::default() };
    let spec = AuditSpec::try_new(&varied).unwrap();
    assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    let formed = |form| DataShape { form, ..DataShape::table(10, 10, 12, 2) };
    assert!(spec.check_shape(&formed(Form::Image { height: 2, width: 3, channels: 2 })).is_ok());
    for form in [Form::Table, Form::Signal { samples: 6, leads: 2 }] {
        let wrong = spec.check_shape(&formed(form)).unwrap_err().to_string();
        assert_eq!(wrong, "augment.rotate: it is for images: leave it out");
    }
    varied.augment.drop = Some(1.0);
    varied.augment.rotate = Some(181.0);
    assert_eq!(fields(&varied), ["augment.rotate", "augment.drop"]);

    let mut bad = draft();
    bad.training.step_factor = Some(0.5);
    bad.training.label_smoothing = Some(1.0);
    bad.training.clip_norm = Some(0.0);
    bad.training.ema = Some(1.0);
    let expected = ["training.step_factor", "training.label_smoothing", "training.clip_norm", "training.ema"];
    assert_eq!(fields(&bad), expected);
    bad = draft();
    bad.training.schedule = Some("step".to_owned());
    bad.training.class_weights = Some(vec![-1.0]);
    assert_eq!(fields(&bad), ["training.step_epochs", "training.class_weights"]);
}

#[test]
fn views_beyond_the_first_need_an_augmentation() {
    let with = |views, noise| {
        let mut draft = draft();
        draft.queries.views = Some(views);
        draft.augment.noise = noise;
        draft
    };
    let message = |views, noise| {
        let wrong = AuditSpec::try_new(&with(views, noise)).unwrap_err();
        wrong.iter().map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>()
    };
    assert_eq!(AuditSpec::try_new(&draft()).unwrap().queries().views(), 1);
    let spec = AuditSpec::try_new(&with(64, Some(0.1))).unwrap();
    assert_eq!(spec.queries().views(), 64);
    assert_eq!(AuditSpec::try_new(&spec.to_draft()).unwrap(), spec);
    let expected =
        "queries.views: [augment] makes all views but the first and is empty: fill it in or use 1, not 2";
    assert_eq!(message(2, None), [expected]);
    assert_eq!(message(2, Some(0.0)), [expected]);
    for views in [0, 65] {
        let expected = format!("queries.views: {views} is out of range: use 1 to 64");
        assert_eq!(message(views, Some(0.1)), [expected]);
    }
}

#[test]
fn a_model_fits_its_kind_of_data() {
    let table = DataShape::table(10, 10, 784, 2);
    let image = DataShape { form: Form::Image { height: 28, width: 28, channels: 1 }, ..table };
    let small = DataShape { form: Form::Image { height: 3, width: 9, channels: 1 }, features: 27, ..table };
    let signal = DataShape { form: Form::Signal { samples: 98, leads: 8 }, ..table };
    for (architecture, fits) in [
        ("logistic", [true, true, true, true]),
        ("tab-resnet", [true, true, true, true]),
        ("cnn", [false, true, false, false]),
        ("wrn", [false, true, true, false]),
        ("resnet1d", [false, false, false, true]),
    ] {
        let mut draft = draft();
        draft.model = ModelDraft { architecture: architecture.to_owned(), ..ModelDraft::default() };
        let spec = AuditSpec::try_new(&draft).unwrap();
        for (shape, fits) in [table, image, small, signal].iter().zip(fits) {
            let wrong = spec.check_shape(shape).err().unwrap_or_default();
            let found: Vec<_> = wrong.iter().map(|wrong| wrong.field.as_str()).collect();
            assert_eq!(found, if fits { vec![] } else { vec!["model.architecture"] }, "{architecture}");
        }
    }
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
        attacks: Some(vec!["rmja".to_owned()]),
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
        "statistics.attacks: \"rmja\" is not known: use one of lira-online",
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

/// The robust attack compares with reserved units, so that some must be.
#[test]
fn rmia_needs_a_population() {
    let with = |population, attack: &str| {
        let mut draft = draft();
        draft.shadows.population = population;
        draft.statistics.attacks = Some(vec![attack.to_owned()]);
        AuditSpec::try_new(&draft).map_err(|wrong| wrong.to_string())
    };
    assert_eq!(with(Some(0.1), "rmia").unwrap().shadows().population(), 0.1);
    assert_eq!(with(Some(0.25), "global").unwrap().to_draft().shadows.population, Some(0.25));
    let wrong = with(None, "rmia").unwrap_err();
    assert!(wrong.contains("statistics.attacks: rmia compares with records"), "{wrong}");
    let wrong = with(Some(0.6), "rmia").unwrap_err();
    assert!(wrong.contains("shadows.population: 0.6 is out of range: use 0 to 0.5"), "{wrong}");
}
