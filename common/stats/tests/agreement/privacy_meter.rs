//! Against ML Privacy Meter.

use umbra_stats::{AttackKind, Config, Design};

use crate::audit::Audit;
use crate::vectors::{all_close, references};

/// The target of the stored runs, whose references are eight pairs.
const TARGET: usize = 16;

/// Its LOSS attack takes the signals for losses, but they are probabilities: the scores are upside down. One
/// minus its area is that of the global threshold, whose phi rises with the probability.
#[test]
fn its_loss_attack_is_upside_down() {
    let vectors = references();
    let audit = Audit::new(&vectors, "rmia", Design::bernoulli());
    let found = audit.attack(AttackKind::Global, Config::default()).result.per_target.auc[TARGET];
    let theirs = vectors.figure("meter-loss", "auc");
    assert!((found - (1.0 - theirs)).abs() < 1e-12, "{found} and {theirs}");
}

/// The population is OUT for every reference, but of each record's reference probabilities it keeps the
/// greater half only, p(z) comes out too great, and every record seems a likelier member. Given half of the
/// references for the population, here equal to the other half, its scores are ours.
#[test]
fn offline_rmia_keeps_the_greater_half_of_the_population() {
    let vectors = references();
    let audit = Audit::new(&vectors, "rmia", Design::bernoulli());
    for (name, rmia_a) in [("0", 0.0), ("0.3", 0.3), ("1", 1.0)] {
        let found = audit.attack(AttackKind::Rmia, Config { rmia_a: Some(rmia_a), ..Config::default() });
        let ours = found.of(TARGET);
        all_close(ours, &vectors.get(&format!("rmia/meter-half/{name}")), 1e-12, name);
        let theirs = vectors.get(&format!("rmia/meter/{name}"));
        assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| theirs >= ours));
        let excess = ours.iter().zip(&theirs).map(|(ours, theirs)| theirs - ours).sum::<f64>();
        assert!(excess / ours.len() as f64 > 0.04, "a = {name}: {excess}");
    }
}
