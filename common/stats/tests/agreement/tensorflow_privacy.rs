//! Against tensorflow/privacy, research/mi_lira_2021 (score.py, plot.py), every shadow the target once.
//! Its scores fall with membership; they are stored with the opposite sign.

use umbra_stats::{AttackKind, Center, Config, Counts, Design, Variance, roc};

use crate::audit::{Audit, Scored};
use crate::vectors::{Vectors, all_close, references};

/// Its median centre and its first so many references of either side.
fn settings(variance: Variance) -> Config {
    Config { center: Center::Median, counts: Counts::First, variance, ..Config::default() }
}

fn audit(vectors: &Vectors) -> Audit {
    Audit::new(vectors, "tfp", Design::blocks(8))
}

/// Splits scores `[shadow][record]` by membership, leaving out one record.
fn split(scores: &[f64], membership: &[f64], without: Option<usize>, records: usize) -> (Vec<f64>, Vec<f64>) {
    let kept = |&(at, _): &(usize, &f64)| Some(at % records) != without;
    let side = |inside: f64| {
        scores
            .iter()
            .enumerate()
            .filter(kept)
            .filter(move |(at, _)| membership[*at] == inside)
            .map(|(_, &s)| s)
    };
    (side(1.0).collect(), side(0.0).collect())
}

/// Every OUT signal of the first record is the same; their standard deviation is 0.
const CONSTANT: usize = 0;

#[test]
fn per_record_variances() {
    let vectors = references();
    let found = audit(&vectors).attack(AttackKind::LiraOnline, settings(Variance::PerRecord));
    let right = vectors.get("tfp/online/per-record");
    let records = found.of(0).len();
    for (at, (&found, &right)) in found.scores.iter().zip(&right).enumerate() {
        if at % records == CONSTANT {
            continue;
        }
        assert!((found - right).abs() <= 1e-9 * right.abs().max(1.0), "score {at} is {found}, not {right}");
    }
    // Where the references are all the same, its standard deviation is 1e-30 and a member's score 1e60; ours
    // is a thousandth of the pooled one, and such scores are counted.
    let members = (0..found.scores.len() / records)
        .filter(|target| vectors.get("tfp/membership")[target * records + CONSTANT] == 1.0);
    for target in members {
        assert!(right[target * records + CONSTANT] > 1e50);
        assert!(found.of(target)[CONSTANT] > 10.0 && found.of(target)[CONSTANT] < 1e8);
    }
    assert_eq!(found.result.floored, 16, "every target, on one record");
    let membership = vectors.get("tfp/membership");
    let (members, nonmembers) = split(&right, &membership, None, records);
    let auc = roc(&members, &nonmembers).figures.auc;
    assert!((auc - vectors.figure("tfp/online/per-record", "auc")).abs() < 1e-12, "its figure of its scores");
    let ours = split(&found.scores, &membership, Some(CONSTANT), records);
    let theirs = split(&right, &membership, Some(CONSTANT), records);
    assert_eq!(roc(&ours.0, &ours.1).figures, roc(&theirs.0, &theirs.1).figures);
}

#[test]
fn its_fixed_variance_is_our_reference() {
    let vectors = references();
    for (kind, name) in [
        (AttackKind::LiraOnline, "tfp/online/fixed"),
        // One-sided is ours; its own -log N under OUT, which also rises where the signal is lower than those
        // of the references, comes with this variance.
        (AttackKind::LiraOffline, "tfp/offline/fixed"),
    ] {
        let found = audit(&vectors).attack(kind, settings(Variance::Reference));
        all_close(&found.scores, &vectors.get(name), 1e-9, name);
        let figures = found.result.figures;
        assert!((figures.auc - vectors.figure(name, "auc")).abs() < 1e-12);
        assert!((figures.balanced_accuracy - vectors.figure(name, "balanced_accuracy")).abs() < 1e-12);
    }
}

/// Its fixed standard deviation is that of all IN values of all records about their grand mean, on both
/// sides. It is made of the records' different levels, so it says little about how far a signal strays from
/// its own references; the pooled one is the mean of what they stray, side by side.
#[test]
fn its_fixed_variance_is_not_a_pooled_one() {
    let vectors = references();
    let [reference, pooled] = [Variance::Reference, Variance::Pooled]
        .map(|variance| audit(&vectors).attack(AttackKind::LiraOnline, settings(variance)));
    // The ratio of two densities with the same, larger standard deviation: the scores shrink with its square.
    let size = |scored: &Scored| {
        let finite = scored.scores.iter().filter(|score| score.is_finite());
        finite.map(|score| score.abs()).sum::<f64>()
    };
    assert!(size(&pooled) > 3.0 * size(&reference), "{} and {}", size(&pooled), size(&reference));
}

/// Its offline score is -log N under OUT: a record whose signal lies below its OUT references counts as a
/// member too. Ours is how far it lies above, and finds more.
#[test]
fn its_offline_score_is_two_sided() {
    let vectors = references();
    let found = audit(&vectors).attack(AttackKind::LiraOffline, settings(Variance::PerRecord));
    let theirs = vectors.figure("tfp/offline/per-record", "auc");
    assert!(found.result.figures.auc > theirs + 0.03, "{} and {theirs}", found.result.figures.auc);
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
