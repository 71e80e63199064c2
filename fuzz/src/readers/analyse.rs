//! The statistics on tiny audits of every shape.

use std::ops::{ControlFlow, Range};

use umbra_core::seed::Seed;
use umbra_stats::{
    AttackKind, Attribute, Center, Config, Counts, Design, Inputs, Labels, MembershipMatrix, MemoryLogits,
    MemoryScratch, PatientTable, Population, RecordTable, Shape, Sink, SourceError, Variance, analyse_into,
    find_lost,
};

use super::cursor::Cursor;
use super::figures;

/// An audit spelled by bytes, sound or not: it is refused with a sentence, or all figures are in range.
pub fn analyse(bytes: &[u8]) {
    let from = &mut Cursor(bytes);
    let config = config(from);
    let shape = Shape {
        shadows: [2, 4, 6, 8, 12, 16, 32, 66][from.below(8)],
        records: from.below(14),
        queries: 1 + from.below(3),
        classes: 1 + from.below(4),
    };
    let units = 1 + from.below(9);
    let design = design(from, &shape);
    let membership = membership(from, &shape, units);
    let several = from.coin();
    let classes: Vec<u32> = (0..shape.records).map(|_| from.below(shape.classes.max(2) + 1) as u32).collect();
    let many: Vec<u8> =
        (0..shape.records * shape.classes).map(|_| [0, 1, 1, 255, 7][from.below(5)]).collect();
    let labels = |records: usize| match several {
        true => Labels::Multi(&many[..records * shape.classes]),
        false => Labels::Class(&classes[..records]),
    };
    let of_unit: Vec<u32> = (0..shape.records).map(|_| from.below(units + 1) as u32 % 9).collect();
    let attributes: Vec<Attribute> = (0..from.below(3))
        .map(|index| Attribute {
            name: format!("attribute {index}"),
            values: (0..units).map(|_| Some(from.below(4) as u32).filter(|&level| level < 3)).collect(),
            levels: (0..2 + from.below(2)).map(|level| format!("level {level}")).collect(),
        })
        .collect();
    let source = logits(from, shape);
    let others = Shape { records: from.below(5).min(shape.records), ..shape };
    let population = logits(from, others);
    let population = Population { source: &population, labels: labels(others.records) };
    let inputs = Inputs {
        source: &source,
        labels: labels(shape.records),
        units: &of_unit,
        membership: membership.view(),
        design: &design,
        population: (others.records > 0).then_some(population),
        attributes: &attributes,
        seed: &Seed::new(u64::from(from.byte())),
    };
    let mut checks = Checks::default();
    let going_on = |share: f64| {
        assert!((0.0..=1.0).contains(&share), "{share} is done");
        ControlFlow::Continue(())
    };
    match analyse_into(&inputs, &config, &going_on, &mut checks, &MemoryScratch) {
        Ok(found) => {
            figures::check(&found);
            assert_eq!(checks.records, shape.records, "every record has its row");
            assert_eq!(checks.patients, units, "every unit has its row");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal says why"),
    }
    drop(find_lost(&source));
}

fn config(from: &mut Cursor<'_>) -> Config {
    let chosen = from.byte();
    let chosen = (0..8).zip(AttackKind::ALL).filter(|(bit, _)| chosen >> bit & 1 == 1);
    Config {
        attacks: chosen.map(|(_, attack)| attack).collect(),
        center: Center::ALL[from.below(Center::ALL.len())],
        variance: Variance::ALL[from.below(Variance::ALL.len())],
        counts: Counts::ALL[from.below(Counts::ALL.len())],
        multivariate: from.coin(),
        base_offline: from.coin(),
        rmia_a: from.coin().then(|| from.below(5) as f64 / 4.0),
        gamma: [1.0, 0.5, 2.0, 1e-300][from.below(4)],
        temperature: [2.0, 1.0, 1e-3, 1e3][from.below(4)],
        fdr: [0.05, 0.5, 0.999, 1e-9][from.below(4)],
        looks: 1 + from.below(3) as u32,
        permutations: 1 + from.below(20),
        intersections: match from.below(4) {
            0 => vec![("attribute 0".to_owned(), "attribute 1".to_owned())],
            _ => Vec::new(),
        },
        bootstrap: from.below(8),
        calibrated: from.coin(),
        tile_records: Some(from.below(5)).filter(|&records| records > 0),
        ..Config::default()
    }
}

fn design(from: &mut Cursor<'_>, shape: &Shape) -> Design {
    let design = match from.below(8) {
        0 => Design::pairs(),
        1 => Design::bernoulli(),
        2 => Design::exact(),
        3 => Design::blocks(from.below(9)),
        4 => Design::blocks(2),
        _ => Design::blocks(shape.shadows / if shape.shadows.is_multiple_of(4) { 2 } else { 1 }),
    };
    design.with_lost((0..from.below(4)).map(|_| from.below(shape.shadows + 1) as u32).collect::<Vec<_>>())
}

/// Half of every run of shadows, shifted by unit, so that most designs take it; now and then any bits.
fn membership(from: &mut Cursor<'_>, shape: &Shape, units: usize) -> MembershipMatrix {
    let kind = from.below(8);
    let shifts: Vec<usize> = (0..units).map(|_| from.below(16)).collect();
    let bits: Vec<u8> = (0..if kind == 0 { 64 } else { 0 }).map(|_| from.byte()).collect();
    MembershipMatrix::from_fn(shape.shadows, units, |shadow, unit| match kind {
        0 => bits[(shadow * units + unit) / 8 % bits.len()] >> (shadow % 8) & 1 == 1,
        1..=4 => (shadow + shifts[unit]).is_multiple_of(2),
        // Two and two, which pairs do not take, but blocks of four do.
        _ => ((shadow + shifts[unit]) / 2).is_multiple_of(2),
    })
}

fn logits(from: &mut Cursor<'_>, shape: Shape) -> MemoryLogits {
    let count = shape.records * shape.per_record();
    // A few hundred bytes spell all logits; what is left over of a long matrix repeats them.
    let spelled: Vec<f64> = (0..count.clamp(1, 300)).map(|_| from.logit()).collect();
    let all = (0..count).map(|index| spelled[index % spelled.len()] + (index / spelled.len()) as f64 / 8.0);
    if from.coin() {
        MemoryLogits::try_new(shape, all.map(|logit| logit as f32).collect::<Vec<f32>>())
    } else {
        MemoryLogits::try_new(shape, all.collect::<Vec<f64>>())
    }
    .expect("there are as many as the shape says")
}

/// Checks rows and scores as they come.
#[derive(Default)]
struct Checks {
    records: usize,
    patients: usize,
}

impl Sink for Checks {
    fn scores(&mut self, _: AttackKind, _: Range<usize>, scores: &[f64]) -> Result<(), SourceError> {
        assert!(scores.iter().all(|score| score.is_finite() || score.is_nan()), "an absent score is NaN");
        Ok(())
    }

    fn records(&mut self, first: usize, rows: &RecordTable) -> Result<(), SourceError> {
        assert_eq!(first, self.records, "rows come in order");
        self.records += rows.unit.len();
        figures::check_records(rows);
        Ok(())
    }

    fn patients(&mut self, first: usize, rows: &PatientTable) -> Result<(), SourceError> {
        assert_eq!(first, self.patients, "rows come in order");
        self.patients += rows.unit.len();
        figures::check_patients(rows);
        Ok(())
    }
}
