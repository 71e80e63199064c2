//! Nothing of one record shows in the next: buffers that were used for anything, and in any order, give what
//! new ones give. Which records a thread sees is a matter of chance.

use umbra_core::seed::{Purpose, Seed, Stream};

use super::{Attack, Work, build};
use crate::config::{AttackKind, Center, Config, Counts, Variance};
use crate::design::Design;
use crate::inputs::{Inputs, Population};
use crate::labels::Labels;
use crate::layout::Layout;
use crate::patient::{Exam, Examiner};
use crate::rank_test::Tables;
use crate::scratch::MemoryScratch;
use crate::signal::Extractor;
use crate::source::{MemoryLogits, Shape, Tile, TileSource};

const SHADOWS: usize = 24;
const RECORDS: usize = 60;

/// Logits of which whole records, whole shadows of a record, and single ones are absent, tied, or huge.
fn logits(shape: Shape, stream: &mut Stream) -> MemoryLogits {
    let mut values = Vec::new();
    for record in 0..shape.records {
        for at in 0..shape.per_record() {
            let shadow = at % shape.shadows;
            let x = stream.normal_f64();
            values.push(match (record % 12, stream.below(6)) {
                (1, _) => f64::NAN,
                (2, 0) | (3, 0..5) => f64::INFINITY,
                (4, _) => 0.0,
                (5, _) => 1e4 + x,
                (6, _) => 800.0 * x,
                // All but a few shadows are absent: a side may have one signal, or none.
                (7, _) if shadow > 2 => f64::NAN,
                (8, _) if shadow > 5 => f64::NAN,
                (9, _) => 1e160 * x,
                (10, _) if shadow == 3 => 1e30,
                _ => x,
            });
        }
    }
    MemoryLogits::try_new(shape, values).unwrap()
}

/// What is found of a record, and what it adds to the sums of each pass.
fn found(
    attack: &dyn Attack,
    extractor: &mut Extractor<'_>,
    work: &mut Work,
    tile: &Tile,
    r: usize,
) -> String {
    let view = extractor.view(tile.values(), r, r);
    let sums: Vec<Vec<f64>> = (0..attack.passes())
        .map(|pass| {
            let mut sums = vec![0.0; attack.width(pass)];
            attack.observe(pass, &view, work, &mut sums);
            sums
        })
        .collect();
    let mut scores = vec![7.0; SHADOWS];
    let floored = attack.score(&view, work, &mut scores);
    // Debug prints every digit, and NaN as equal to NaN; which NaN it is does not matter.
    format!("{scores:?} {floored} {sums:?} {:?}", view.mean)
}

#[test]
fn used_buffers_find_what_new_ones_do() {
    let mut stream = Seed::new(12).stream(Purpose::Simulation, &[]);
    let multi: Vec<u8> =
        (0..RECORDS * 3).map(|_| [0, 1, Labels::MISSING][stream.below(3) as usize]).collect();
    let classes: Vec<u32> = (0..RECORDS).map(|_| stream.below(3) as u32).collect();
    for (queries, labels) in [
        (1, Labels::Class(&classes)),
        (2, Labels::Class(&classes)),
        (1, Labels::Multi(&multi)),
        (2, Labels::Multi(&multi)),
    ] {
        let shape = Shape { shadows: SHADOWS, records: RECORDS, queries, classes: 3 };
        let source = logits(shape, &mut stream);
        let membership = crate::testing::blocked(SHADOWS, RECORDS, 8, &mut stream);
        let units: Vec<u32> = (0..RECORDS as u32).collect();
        let design = Design::blocks(8).with_lost([5]);
        let inputs = Inputs {
            source: &source,
            labels,
            units: &units,
            membership: membership.view(),
            design: &design,
            population: Some(Population { source: &source, labels }),
            attributes: &[],
            seed: &Seed::new(1),
        };
        let checked = inputs.check(&MemoryScratch).unwrap();
        let mut tile = Tile::new();
        source.read(0..RECORDS, &mut tile).unwrap();
        let mut configs = Vec::new();
        for counts in Counts::ALL {
            for center in Center::ALL {
                configs.extend(Variance::ALL.map(|variance| Config {
                    counts,
                    center,
                    variance,
                    ..Config::default()
                }));
                configs.push(Config { counts, center, multivariate: true, ..Config::default() });
            }
        }
        configs.push(Config { base_offline: true, rmia_a: Some(0.3), ..Config::default() });
        let mut used = Work::default();
        let mut used_extractor = Extractor::new(&checked, true);
        for (number, config) in configs.iter().enumerate() {
            for kind in AttackKind::ALL {
                // Only these look at the others' settings.
                if number > 0
                    && number + 1 < configs.len()
                    && !matches!(kind, AttackKind::LiraOnline | AttackKind::LiraOffline)
                {
                    continue;
                }
                let mut attack = build(kind, config, &checked).unwrap();
                for pass in 0..attack.passes() {
                    let mut sums = vec![0.0; attack.width(pass)];
                    for r in 0..RECORDS {
                        let view = used_extractor.view(tile.values(), r, r);
                        attack.observe(pass, &view, &mut used, &mut sums);
                    }
                    // Not even a record whose squares no number holds.
                    assert!(sums.iter().all(|sum| sum.is_finite()), "{kind} {config:?}");
                    attack.learn(pass, &sums);
                }
                for _ in 0..2 * RECORDS {
                    let r = stream.below(RECORDS as u64) as usize;
                    let again = found(&*attack, &mut used_extractor, &mut used, &tile, r);
                    let new =
                        found(&*attack, &mut Extractor::new(&checked, true), &mut Work::default(), &tile, r);
                    assert_eq!(again, new, "record {r}, {kind} {config:?}");
                }
            }
        }
    }
}

#[test]
fn used_buffers_test_patients_as_new_ones_do() {
    let mut stream = Seed::new(13).stream(Purpose::Simulation, &[]);
    let shape = Shape { shadows: SHADOWS, records: RECORDS, queries: 1, classes: 1 };
    let source = logits(shape, &mut stream);
    let membership = crate::testing::blocked(SHADOWS, RECORDS, 2, &mut stream);
    let mut tile = Tile::new();
    source.read(0..RECORDS, &mut tile).unwrap();
    let crate::source::Values::F64(values) = tile.values() else { panic!("doubles were given") };
    for design in [Design::blocks(8), Design::pairs(), Design::exact(), Design::bernoulli()] {
        let layout = Layout::new(&design.resolve(SHADOWS).unwrap());
        let exam = Exam { layout, tables: Tables::default(), level: 1.0 };
        let mut used = Examiner::default();
        for _ in 0..400 {
            let (first, records) = (stream.below(RECORDS as u64 - 5) as usize, 1 + stream.below(4) as usize);
            let signals = &values[first * SHADOWS..(first + records) * SHADOWS];
            let mut room = Vec::new();
            let column = membership.view().column(stream.below(RECORDS as u64) as usize, &mut room).to_vec();
            let test = |examiner: &mut Examiner| {
                if records > 1 {
                    return format!("{:?}", examiner.several(signals, &column, &exam));
                }
                examiner.compare(signals, &column, &exam);
                let row = format!("{:?} {}", examiner.comparison.sides(), examiner.comparison.auc());
                format!("{row} {:?}", examiner.one(signals, &column, &exam))
            };
            assert_eq!(test(&mut used), test(&mut Examiner::default()), "{design}, records from {first}");
        }
    }
}
