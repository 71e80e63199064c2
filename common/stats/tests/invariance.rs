//! No byte depends on threads or tile sizes; wrong inputs are refused in a sentence.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::{Audit, Found};
use umbra_core::seed::Seed;
use umbra_stats::{
    AttackKind, Attribute, Config, Design, Inputs, Labels, MembershipMatrix, MemoryLogits, Population, Shape,
    Variance, analyse, provisional,
};

#[test]
fn the_same_bytes_for_any_thread_count_and_tile_size() {
    let records_of: Vec<usize> = (0..700).map(|unit| 1 + usize::from(unit % 9 == 0) * 3).collect();
    let mut audit = Audit::draw(5, (32, 8), &records_of, |shadow, record, inside, x| {
        if (shadow + record) % 97 == 0 {
            return f64::NAN;
        }
        libm::round(1000.0 * (x + 0.7 * f64::from(u8::from(inside))))
            / if record % 3 == 0 { 1.0 } else { 777.0 }
    });
    audit.attributes = vec![Attribute {
        name: "a".into(),
        values: (0..700).map(|unit| (unit % 5 > 0).then_some(unit % 2)).collect(),
        levels: vec!["x".into(), "y".into()],
    }];
    let run = |threads: usize, tile_records: Option<usize>, variance: Variance| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let config = Config { variance, permutations: 300, tile_records, ..Config::default() };
        // Debug prints every digit, and NaN as equal to NaN.
        pool.install(|| format!("{:?} {:?}", audit.analyse(&config), provisional(&audit.inputs()).unwrap()))
    };
    for variance in Variance::ALL {
        let one = run(1, None, variance);
        assert!(one == run(2, Some(1), variance) && one == run(3, Some(200), variance));
    }
}

#[test]
fn wrong_inputs_are_refused_in_a_sentence() {
    let audit = Audit::draw(1, (16, 8), &[1; 20], |_, _, _, x| x);
    let refused =
        |inputs: Inputs<'_>, config: &Config| analyse(&inputs, config, &|_| {}).unwrap_err().to_string();
    let config = Config::default();
    let unbalanced = MembershipMatrix::from_fn(16, 20, |shadow, unit| (shadow + unit) % 3 == 0);
    let few = MembershipMatrix::from_fn(16, 7, |shadow, _| shadow % 2 == 0);
    let other = Design::blocks(6);
    let lost = Design::blocks(8).with_lost([16]);
    let attributes = [Attribute { name: "sex".into(), values: vec![None; 3].into(), levels: Vec::new() }];
    let multi: Vec<u8> = (0..20).map(|record| [1, 2, 255][record % 3]).collect();
    let logits = |shadows: usize| {
        let shape = Shape { shadows, records: 3, queries: 1, classes: 1 };
        MemoryLogits::from_fn(shape, |_, _, _, _| 0.0)
    };
    let (fitting, narrow) = (logits(16), logits(8));
    let population = |source, labels| Population { source, labels };
    let other_kind = population(&fitting, Labels::Multi(&[1; 3]));
    let other_shape = population(&narrow, Labels::Class(&[1; 3]));
    let no_class = population(&fitting, Labels::Class(&[0, 1, 3]));
    for (sentence, found) in [
        (
            "logits of 20 records, but 2 labels",
            refused(Inputs { labels: Labels::Class(&[0, 1]), ..audit.inputs() }, &config),
        ),
        (
            "record 0 has label 7",
            refused(Inputs { labels: Labels::Class(&[7; 20]), ..audit.inputs() }, &config),
        ),
        (
            "record 1 has 2 for label 0",
            refused(Inputs { labels: Labels::Multi(&multi), ..audit.inputs() }, &config),
        ),
        (
            "the population's labels are of another kind",
            refused(Inputs { population: Some(other_kind), ..audit.inputs() }, &config),
        ),
        (
            "the population's logits are of 8 shadows, 1 queries",
            refused(Inputs { population: Some(other_shape), ..audit.inputs() }, &config),
        ),
        (
            "population record 2 has label 3",
            refused(Inputs { population: Some(no_class), ..audit.inputs() }, &config),
        ),
        ("record 7 belongs to unit 7", refused(Inputs { membership: few.view(), ..audit.inputs() }, &config)),
        ("not in half of them", refused(Inputs { membership: unbalanced.view(), ..audit.inputs() }, &config)),
        ("not whole blocks of 6", refused(Inputs { design: &other, ..audit.inputs() }, &config)),
        ("shadow 16 is listed as lost", refused(Inputs { design: &lost, ..audit.inputs() }, &config)),
        (
            "attribute 'sex' has 3 values",
            refused(Inputs { attributes: &attributes, ..audit.inputs() }, &config),
        ),
        (
            "'rmia' compares with records that no shadow was trained on",
            refused(audit.inputs(), &Config { attacks: vec![AttackKind::Rmia], ..Config::default() }),
        ),
        ("fdr is 2", refused(audit.inputs(), &Config { fdr: 2.0, ..Config::default() })),
    ] {
        assert!(found.contains(sentence), "{found}");
    }
    assert!(
        "rmi"
            .parse::<umbra_stats::AttackKind>()
            .unwrap_err()
            .to_string()
            .contains("lira-online, lira-offline, rmia, base, global")
    );
}

#[test]
fn nothing_to_compare_is_no_finding_and_no_panic() {
    let shape = Shape { shadows: 4, records: 3, queries: 2, classes: 3 };
    let source = MemoryLogits::from_fn(shape, |_, _, _, _| f32::NAN);
    let membership = MembershipMatrix::from_fn(4, 5, |shadow, unit| (shadow + unit) % 2 == 0);
    let inputs = Inputs {
        source: &source,
        labels: Labels::Class(&[0, 1, 2]),
        units: &[0, 1, 1],
        membership: membership.view(),
        design: &Design::blocks(4),
        population: None,
        attributes: &[Attribute { name: "a".into(), values: vec![None; 5].into(), levels: Vec::new() }],
        seed: &Seed::new(1),
    };
    let found = Found::of(&inputs, &Config::default());
    assert_eq!((found.summary.units, found.summary.detected, found.attacks[0].targets), (0, 0, 0));
    assert!(found.tables.patients.p.iter().all(|p| p.is_nan()));
    assert!(found.attacks[0].figures.auc.is_nan());
}
