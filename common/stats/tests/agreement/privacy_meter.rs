//! Against ML Privacy Meter.

use umbra_stats::{AttackKind, Config, Design};

use crate::audit::Audit;
use crate::vectors::references;

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
