//! Against LeakPro: LiRA, several signals, BASE, RMIA. It trains the target apart from the shadows; here the
//! others are the references of a target that is one of them.

use umbra_stats::{AttackKind, Config, Counts, Design, Variance};

use crate::audit::{Audit, Scored};
use crate::vectors::{Vectors, all_close, references};

fn audit(vectors: &Vectors) -> Audit {
    Audit::new(vectors, "leakpro", Design::exact())
}

/// It uses every reference there is, and the mean.
fn settings(variance: Variance) -> Config {
    Config { counts: Counts::All, variance, ..Config::default() }
}

/// The targets that it was run for, the first ones.
fn targets(scored: &Scored, right: &[f64]) -> Vec<f64> {
    let each = scored.of(0).len();
    (0..right.len() / each).flat_map(|target| scored.of(target)).copied().collect()
}

#[test]
fn online_with_variances_of_their_own() {
    let vectors = references();
    let found = audit(&vectors).attack(AttackKind::LiraOnline, settings(Variance::PerRecord));
    let right = vectors.get("leakpro/online/carlini");
    all_close(&targets(&found, &right), &right, 1e-9, "lira");
}

/// Its offline score is ln Phi(z); ours is z.
#[test]
fn offline_is_the_log_of_a_tail() {
    let vectors = references();
    let found = audit(&vectors).attack(AttackKind::LiraOffline, settings(Variance::PerRecord));
    let right = vectors.get("leakpro/offline/carlini");
    for (z, right) in targets(&found, &right).into_iter().zip(right) {
        let ln_phi = libm::log(0.5 * libm::erfc(-z / std::f64::consts::SQRT_2));
        assert!((ln_phi - right).abs() <= 1e-9 * right.abs().max(1e-3), "ln Phi({z}) is not {right}");
    }
}

/// Its fixed variances are those of all values of a side about their grand mean: neither the pooled ones nor
/// those of the public code of the attack's authors, which takes the IN one for both sides.
#[test]
fn fixed_variances_are_those_of_a_whole_side() {
    let vectors = references();
    let right = vectors.get("leakpro/online/fixed");
    for variance in [Variance::Pooled, Variance::Reference] {
        let found = audit(&vectors).attack(AttackKind::LiraOnline, settings(variance));
        let differ =
            targets(&found, &right).iter().zip(&right).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
        assert!(differ * 2 > right.len(), "{differ} of {}", right.len());
    }
}

/// With every reference there is, the target's own side is one short, its mean strays further from the
/// target, and scores tell membership the wrong way round: AUC .434 where nothing leaks. Equal counts on both
/// sides read one half.
#[test]
fn every_reference_there_is_misleads_when_they_are_few() {
    let vectors = references();
    let theirs = vectors.figure("null", "auc");
    assert!(theirs < 0.45);
    let audit = Audit::new(&vectors, "null", Design::blocks(8));
    let auc = |counts| {
        let config = Config { counts, variance: Variance::Pooled, ..Config::default() };
        audit.attack(AttackKind::LiraOnline, config).result.figures.auc
    };
    assert!(auc(Counts::All) < 0.475, "{}", auc(Counts::All));
    // Four standard errors of 800 against 800.
    assert!((auc(Counts::Equal) - 0.5).abs() < 0.058, "{}", auc(Counts::Equal));
}

/// phi of several classes is clamped by its 1e-45; that of a single logit is lost at 37, where 1 - p rounds to
/// 0 and the signal leaps to 103.28.
#[test]
fn signals_by_way_of_a_probability_saturate() {
    let vectors = references();
    let found = Audit::of_rows(&vectors.get("signals/logits"), 4, vectors.whole("signals/labels"))
        .attack(AttackKind::Global, Config::default());
    for (&ours, &theirs) in found.scores.iter().zip(&vectors.get("signals/leakpro")) {
        if ours.abs() < 80.0 {
            assert!((ours - theirs).abs() <= 1e-9 * ours.abs().max(1.0), "{ours} and {theirs}");
        } else {
            assert!(theirs.abs() < 103.98, "{theirs}");
        }
    }
    let logits = vectors.get("signals/single");
    let found =
        Audit::of_rows(&logits, 1, vec![1; logits.len()]).attack(AttackKind::Global, Config::default());
    assert_eq!(found.scores, logits, "one logit is its own log odds");
    for (&logit, &theirs) in logits.iter().zip(&vectors.get("signals/single-leakpro")) {
        match logit {
            ..=-104.0 => assert!(theirs < -103.0 && theirs > -104.0),
            ..=20.0 => assert!((logit - theirs).abs() < 1e-6 * logit.abs(), "{logit} and {theirs}"),
            ..36.5 => assert!((logit - theirs).abs() < 0.5),
            _ => assert!(theirs > 103.0 && theirs < 104.0, "{logit} became {theirs}"),
        }
    }
}

/// Several signals of a record, their ratios added up: our labels.
#[test]
fn several_signals() {
    let vectors = references();
    let audit = Audit::new(&vectors, "leakpro-labels", Design::exact());
    let found = audit.attack(AttackKind::LiraOnline, settings(Variance::PerRecord));
    let right = vectors.get("leakpro-labels/online");
    all_close(&targets(&found, &right), &right, 1e-9, "multi-signal lira");
}

/// The target of the stored RMIA and BASE runs: the one after eight pairs of shadows.
const TARGET: usize = 16;

/// It adds 1e-6 to the denominators, which moves no share of these; its online mean takes all references alike,
/// which is ours where IN and OUT ones are as many.
#[test]
fn rmia_online_and_offline() {
    let vectors = references();
    let audit = Audit::new(&vectors, "rmia", Design::bernoulli());
    for (name, rmia_a, gamma) in [
        ("online/1", None, 1.0),
        ("online/2", None, 2.0),
        ("offline/0/1", Some(0.0), 1.0),
        ("offline/.33/1", Some(0.33), 1.0),
        ("offline/1/1", Some(1.0), 1.0),
        ("offline/.5/1.5", Some(0.5), 1.5),
    ] {
        let config = Config { rmia_a, gamma, ..Config::default() };
        let found = audit.attack(AttackKind::Rmia, config);
        all_close(found.of(TARGET), &vectors.get(&format!("rmia/leakpro/{name}")), 1e-12, name);
    }
}

/// Offline it subtracts only a third of the log mean unless told otherwise, which is no ratio; with all of it
/// it is ours.
#[test]
fn base_online_and_offline() {
    let vectors = references();
    let audit = Audit::new(&vectors, "rmia", Design::bernoulli());
    let found = |base_offline, temperature| {
        audit.attack(AttackKind::Base, Config { base_offline, temperature, ..Config::default() })
    };
    for (name, offline, temperature) in
        [("online/2", false, 2.0), ("online/1", false, 1.0), ("offline/2", true, 2.0)]
    {
        let right = vectors.get(&format!("base/leakpro/{name}"));
        all_close(found(offline, temperature).of(TARGET), &right, 1e-9, name);
    }
    // log p - .33 log mean = (log p - log mean) + .67 log mean, and a mean probability is below 1.
    let ratio = found(true, 2.0);
    let third = vectors.get("base/leakpro/offline-default/2");
    assert!(ratio.of(TARGET).iter().zip(&third).all(|(ratio, third)| ratio > third));
}
