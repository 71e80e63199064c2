//! Complementary pairs are the same pairs wherever the two of a pair lie.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::ops::{ControlFlow, Range};

use support::blocked;
use umbra_core::seed::{Purpose, Seed};
use umbra_stats::{
    Analysis, AttackKind, Config, Counts, Design, Inputs, Labels, MembershipMatrix, MemoryLogits,
    MemoryScratch, MemoryTables, PatientTable, Population, RecordTable, ScoreCurves, ScoreFindings, Shape,
    Sink, SourceError, analyse_into,
};

/// Shadows, units (every fifth with three records).
const SHADOWS: usize = 20;
const UNITS: usize = 160;

/// Everything that comes out.
#[derive(Default)]
struct Taken {
    /// By attack `[shadow][record]`.
    scores: Vec<(AttackKind, Vec<Vec<f64>>)>,
    tables: MemoryTables,
}

impl Sink for Taken {
    fn scores(&mut self, attack: AttackKind, _: Range<usize>, scores: &[f64]) -> Result<(), SourceError> {
        if self.scores.iter().all(|(kind, _)| *kind != attack) {
            self.scores.push((attack, vec![Vec::new(); SHADOWS]));
        }
        let (_, lines) = self.scores.iter_mut().find(|(kind, _)| *kind == attack).unwrap();
        let tile = scores.chunks_exact(scores.len() / SHADOWS);
        lines.iter_mut().zip(tile).for_each(|(line, more)| line.extend(more));
        Ok(())
    }

    fn records(&mut self, first: usize, rows: &RecordTable) -> Result<(), SourceError> {
        self.tables.records(first, rows)
    }

    fn patients(&mut self, first: usize, rows: &PatientTable) -> Result<(), SourceError> {
        self.tables.patients(first, rows)
    }
}

/// An audit of pairs, the shadow of pair `p` and side `s` lying at `place(p, s)`.
struct Audit {
    place: fn(usize, usize) -> usize,
    logits: MemoryLogits,
    population: MemoryLogits,
    membership: MembershipMatrix,
    units: Vec<u32>,
    labels: Vec<u32>,
    lost: Vec<u32>,
}

impl Audit {
    fn new(place: fn(usize, usize) -> usize) -> Self {
        let neighbours = blocked(SHADOWS, UNITS, 2, &mut Seed::new(8).stream(Purpose::Membership, &[]));
        let view = neighbours.view();
        // The shadow, were the pairs neighbours, that lies at a place.
        let mut pair = [0; SHADOWS];
        (0..SHADOWS).for_each(|shadow| pair[place(shadow / 2, shadow % 2)] = shadow);
        let units: Vec<u32> =
            (0..UNITS as u32).flat_map(|unit| vec![unit; if unit % 5 == 0 { 3 } else { 1 }]).collect();
        let shape = Shape { shadows: SHADOWS, records: units.len(), queries: 1, classes: 2 };
        let mut stream = Seed::new(8).stream(Purpose::Simulation, &[]);
        let noise: Vec<f64> = (0..SHADOWS * units.len() * 2).map(|_| stream.normal_f64()).collect();
        let logits = MemoryLogits::from_fn(shape, |at, record, _, class| {
            let shadow = pair[at];
            let lift =
                if view.is_in(shadow, units[record] as usize) && class == record % 2 { 1.5 } else { 0.0 };
            // One signal in fifty is absent.
            let absent = (shadow * 7 + record).is_multiple_of(50);
            if absent { f64::NAN } else { noise[(record * 2 + class) * SHADOWS + shadow] + lift }
        });
        let population = MemoryLogits::from_fn(Shape { records: 40, ..shape }, |at, record, _, class| {
            noise[(record * 2 + class) * SHADOWS + pair[at]] * 1.1
        });
        Self {
            place,
            logits,
            population,
            membership: MembershipMatrix::from_fn(SHADOWS, UNITS, |at, unit| view.is_in(pair[at], unit)),
            labels: (0..units.len()).map(|record| record as u32 % 2).collect(),
            units,
            lost: vec![place(3, 1) as u32, place(6, 0) as u32],
        }
    }

    fn analyse(&self, config: &Config) -> (Analysis, Taken) {
        let inputs = Inputs {
            source: &self.logits,
            labels: Labels::Class(&self.labels),
            units: &self.units,
            membership: self.membership.view(),
            design: &Design::pairs().with_lost(self.lost.iter().copied()),
            population: Some(Population {
                source: &self.population,
                labels: Labels::Class(&self.labels[..40]),
            }),
            attributes: &[],
            seed: &Seed::new(1),
        };
        let mut taken = Taken::default();
        let go = |_| ControlFlow::Continue(());
        let found = analyse_into(&inputs, config, &go, &mut taken, &MemoryScratch).unwrap();
        (found, taken)
    }

    /// Items of shadows, as if the pairs were neighbours.
    fn paired<T: Clone>(&self, items: &[T]) -> Vec<T> {
        (0..items.len()).map(|shadow| items[(self.place)(shadow / 2, shadow % 2)].clone()).collect()
    }

    fn curves(&self, scores: &[Vec<f64>]) -> ScoreFindings {
        let design = Design::pairs().with_lost(self.lost.iter().copied());
        let (view, seed) = (self.membership.view(), Seed::new(1));
        let mut curves =
            ScoreCurves::try_new(view, &self.units, &design, &seed, 50, usize::MAX, &MemoryScratch).unwrap();
        curves.take(0..self.units.len(), &scores.concat()).unwrap();
        curves.find().unwrap()
    }
}

fn neighbours(pair: usize, side: usize) -> usize {
    2 * pair + side
}

fn half_of_all_apart(pair: usize, side: usize) -> usize {
    side * (SHADOWS / 2) + pair
}

/// Scores, tables, figures, bounds and intervals do not depend on where the two of a pair lie, and whatever
/// is said of single shadows is said of those that were given.
#[test]
fn pairs_are_the_same_wherever_they_lie() {
    let (near, far) = (Audit::new(neighbours), Audit::new(half_of_all_apart));
    for counts in [Counts::Equal, Counts::First, Counts::All] {
        let config = Config { attacks: AttackKind::ALL.to_vec(), counts, bootstrap: 30, ..Config::default() };
        let ((a, near_taken), (mut b, far_taken)) = (near.analyse(&config), far.analyse(&config));
        // Debug prints every digit, and NaN as equal to NaN.
        assert_eq!(format!("{:?}", near_taken.tables), format!("{:?}", far_taken.tables));
        for ((attack, scores), (_, far_scores)) in near_taken.scores.iter().zip(&far_taken.scores) {
            assert_eq!(format!("{scores:?}"), format!("{:?}", far.paired(far_scores)), "{attack}");
            let (mut curves, near_curves) = (far.curves(far_scores), near.curves(scores));
            curves.per_target.auc = far.paired(&curves.per_target.auc);
            // Means over targets are summed in the order given.
            curves.per_target.mean = near_curves.per_target.mean;
            curves.per_target.sd = near_curves.per_target.sd;
            assert_eq!(format!("{curves:?}"), format!("{near_curves:?}"), "{attack}");
        }
        assert_ne!(format!("{:?}", a.utility), format!("{:?}", b.utility));
        b.utility = far.paired(&b.utility);
        for (near_attack, attack) in a.attacks.iter().zip(&mut b.attacks) {
            attack.per_target.auc = far.paired(&attack.per_target.auc);
            let (mean, sd) = (near_attack.per_target.mean.auc, near_attack.per_target.sd.auc);
            assert!(
                (attack.per_target.mean.auc - mean).abs() + (attack.per_target.sd.auc - sd).abs() < 1e-13
            );
            (attack.per_target.mean, attack.per_target.sd) =
                (near_attack.per_target.mean, near_attack.per_target.sd);
        }
        assert_eq!(format!("{a:?}"), format!("{b:?}"), "{counts}");
        let lost = far_taken.scores[0].1[far.lost[0] as usize].iter().all(|score| score.is_nan());
        assert!(lost && a.summary.detected > 0, "a shadow that is lost stays the one it was");
    }
}

#[test]
fn pairs_that_lie_otherwise_do_not_follow_the_design() {
    let audit = Audit::new(|pair, side| if side == 0 { pair } else { SHADOWS - 1 - pair });
    let error = Design::pairs().check(&audit.membership.view()).unwrap_err().to_string();
    assert!(error.contains("of the 2 shadows of block"), "{error}");
}
