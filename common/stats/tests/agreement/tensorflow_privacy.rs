//! Against tensorflow/privacy, research/mi_lira_2021 (score.py, plot.py), every shadow the target once.
//! Its scores fall with membership; they are stored with the opposite sign.

use umbra_stats::{AttackKind, Center, Config, Counts, Design, Variance};

use crate::audit::Audit;
use crate::vectors::references;

/// Its median centre and its first so many references of either side.
fn settings(variance: Variance) -> Config {
    Config { center: Center::Median, counts: Counts::First, variance, ..Config::default() }
}

/// It cuts both sides of every record to the smallest side of any record: with fair coins one record that
/// few shadows were trained on costs all others their references. Ours cuts each record by itself.
#[test]
fn unequal_counts_are_cut_to_the_smallest_of_all() {
    let vectors = references();
    let audit = Audit::new(&vectors, "tfp-unequal", Design::bernoulli());
    let found = audit.attack(AttackKind::LiraOnline, settings(Variance::PerRecord));
    let sizes = vectors.index["figures"]["tfp-unequal"]["sizes"].as_array().unwrap();
    assert!(sizes.iter().all(|sizes| sizes[0].as_u64().unwrap() <= 3), "IN references of every record");
    let right = vectors.get("tfp-unequal/online");
    let differ = found.scores.iter().zip(&right).filter(|(ours, theirs)| (*ours - *theirs).abs() > 1e-6);
    assert!(differ.count() * 10 > right.len() * 9);
    let theirs = vectors.figure("tfp-unequal", "auc");
    assert!(found.result.figures.auc > theirs + 0.02, "{} and {theirs}", found.result.figures.auc);
}

/// phi by way of a probability: right to single precision as far as exp reaches, then stuck where 1e-45 takes
/// over.
#[test]
fn signals_are_clamped_beyond_103() {
    let vectors = references();
    let logits = vectors.get("signals/logits");
    let audit = Audit::of_rows(&logits, 4, vectors.whole("signals/labels"));
    let found = audit.attack(AttackKind::Global, Config::default());
    for (at, (&ours, &theirs)) in found.scores.iter().zip(&vectors.get("signals/tfp")).enumerate() {
        if ours.abs() < 80.0 {
            assert!((ours - theirs).abs() <= 1e-6 * ours.abs().max(1.0), "{at}: {ours} and {theirs}");
        } else {
            assert!(theirs.abs() < 103.98, "{theirs}");
        }
    }
    // A label at 200 among three others at 0.
    assert_eq!(found.scores[45], 200.0 - libm::log(3.0), "row 45");
}
