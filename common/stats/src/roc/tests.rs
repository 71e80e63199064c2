//! Collected curves against plain ones, and against figures of scikit-learn.

use umbra_core::seed::{Purpose, Seed, Stream};

use super::collector::Found;
use super::*;
use crate::analysis::FPRS;
use crate::design::Design;
use crate::membership::MembershipMatrix;

/// The vertices (true, false positives) from the highest score down, in n log n.
fn plain_vertices(scores: &[(f64, bool)]) -> Vec<(u64, u64)> {
    let mut sorted: Vec<(f64, bool)> =
        scores.iter().copied().filter(|(score, _)| score.is_finite()).collect();
    sorted.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap());
    let (mut vertices, mut tp, mut fp) = (vec![(0, 0)], 0, 0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        tp += ties.iter().filter(|(_, member)| *member).count() as u64;
        fp += ties.iter().filter(|(_, member)| !member).count() as u64;
        vertices.push((tp, fp));
    }
    vertices
}

/// The figures by their definitions.
fn plain(scores: &[(f64, bool)]) -> Figures {
    let vertices = plain_vertices(scores);
    let (members, nonmembers) = *vertices.last().unwrap();
    let pairs = (members * nonmembers) as f64;
    let area: u64 = vertices.windows(2).map(|v| (v[1].1 - v[0].1) * (v[0].0 + v[1].0)).sum();
    let gain = |&(tp, fp): &(u64, u64)| (tp * nonmembers) as i64 - (fp * members) as i64;
    let best = vertices.iter().map(gain).max().unwrap();
    Figures {
        auc: area as f64 / (2.0 * pairs),
        balanced_accuracy: 0.5 + 0.5 * (best as f64 / pairs),
        tpr_at_fpr: FPRS.map(|rate| {
            let limit = (rate * nonmembers as f64 + 1e-9).floor() as u64;
            let within = vertices.iter().filter(|(_, fp)| *fp <= limit).map(|(tp, _)| *tp);
            within.max().unwrap() as f64 / members as f64
        }),
    }
}

/// From a normal number to a score.
type Shape = fn(f64, &mut Stream) -> f64;

/// Scores of shadows x records with units of three records; what they look like is drawn, too.
struct Drawn {
    shadows: usize,
    scores: Vec<f64>,
    membership: MembershipMatrix,
    units: Vec<u32>,
}

impl Drawn {
    fn new(shadows: usize, records: usize, score: impl Fn(f64, &mut Stream) -> f64) -> Self {
        let mut stream = Seed::new(3).stream(Purpose::Simulation, &[shadows as u64, records as u64]);
        let units: Vec<u32> = (0..records as u32).map(|record| record / 3).collect();
        let membership = crate::testing::blocked(shadows, records.div_ceil(3), 4, &mut stream);
        let mut scores = Vec::with_capacity(shadows * records);
        for shadow in 0..shadows {
            for &unit in &units {
                let shift = 0.5 * f64::from(u8::from(membership.view().is_in(shadow, unit as usize)));
                let value = stream.normal_f64() + shift;
                scores.push(score(value, &mut stream));
            }
        }
        Self { shadows, scores, membership, units }
    }

    fn records(&self) -> usize {
        self.units.len()
    }

    fn labelled(&self, shadow: usize) -> Vec<(f64, bool)> {
        let row = &self.scores[shadow * self.records()..(shadow + 1) * self.records()];
        let inside = |unit: &u32| self.membership.view().is_in(shadow, *unit as usize);
        row.iter().copied().zip(self.units.iter().map(inside)).collect()
    }

    fn find(&self, sizes: Sizes, tile: usize, threads: usize) -> Found {
        let layout = Layout::per_shadow(self.shadows);
        let blocks = Design::blocks(4).resolve(self.shadows).unwrap();
        let sampling = Sampling::new(&self.units, &blocks, &Seed::new(4), 50);
        let sorter = Sorter::new(layout, sizes.cells(self.scores.len() as u64));
        let mut collector = Collector::new(layout, sizes, &MemoryScratch);
        // Tiles from the last to the first: the order does not matter.
        for first in (0..self.records()).step_by(tile).rev() {
            let records = first..(first + tile).min(self.records());
            let members = TileMembers::new(&self.membership.view(), &self.units[records.clone()]);
            let rows = self.scores.chunks_exact(self.records());
            let scores: Vec<f64> = rows.flat_map(|row| &row[records.clone()]).copied().collect();
            let sorted = sorter.sort(&scores, records.len(), |shadow| {
                let (units, sampling) = (&self.units[records.clone()], &sampling);
                let tags = units.iter().zip(members.of(shadow));
                tags.map(move |(&unit, member)| sampling.tag(layout, unit) | (shadow as u64) << 1 | member)
            });
            collector.take(sorted).unwrap();
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let want = Want { pooled: true, curves: true, intervals: Some(&sampling) };
        pool.install(|| collector.find(want).unwrap())
    }
}

fn close(found: &Figures, right: &Figures) {
    let same =
        |a: f64, b: f64| assert!((a - b).abs() <= 1e-14 || a.is_nan() && b.is_nan(), "{found:?} {right:?}");
    same(found.auc, right.auc);
    same(found.balanced_accuracy, right.balanced_accuracy);
    found.tpr_at_fpr.iter().zip(right.tpr_at_fpr).for_each(|(a, b)| same(*a, b));
}

#[test]
fn figures_are_those_of_plain_sorting_whatever_is_done_at_once() {
    let tiny = Sizes { memory: 1 << 14, job: 50, most: 60, wave: 200 };
    let small = Sizes { memory: 1 << 16, job: 300, most: 1000, wave: 1000 };
    let shapes: [(&str, Shape); 6] = [
        ("normal", |x, _| x),
        ("few values, zero of either sign", |x, stream| {
            let value = (2.0 * x).round() / 2.0;
            if value == 0.0 && stream.below(2) == 0 { -0.0 } else { value }
        }),
        ("all equal", |_, _| 0.25),
        ("any magnitude", |x, stream| x * libm::exp2(stream.below(2000) as f64 - 1000.0)),
        ("crowded beside a far one", |x, stream| if stream.below(50) == 0 { 1e9 } else { 1.0 + 1e-13 * x }),
        ("partly absent", |x, stream| match stream.below(4) {
            0 => f64::NAN,
            1 => f64::INFINITY * x,
            _ => x,
        }),
    ];
    for (name, shape) in shapes {
        let drawn = Drawn::new(12, 400, shape);
        let whole = drawn.find(Sizes::holding(usize::MAX), 400, 1);
        let pooled = whole.pooled.as_ref().unwrap();
        let all: Vec<(f64, bool)> = (0..drawn.shadows).flat_map(|shadow| drawn.labelled(shadow)).collect();
        close(&pooled.figures, &plain(&all));
        for shadow in 0..drawn.shadows {
            close(&whole.curves[shadow], &plain(&drawn.labelled(shadow)));
        }
        let vertices = plain_vertices(&all);
        let rates = |&(tp, fp): &(u64, u64)| {
            (tp as f64 / pooled.members as f64, fp as f64 / pooled.nonmembers as f64)
        };
        let vertices: Vec<(f64, f64)> = vertices.iter().map(rates).collect();
        let drawn_curve: Vec<(f64, f64)> =
            pooled.curve.tpr.iter().copied().zip(pooled.curve.fpr.iter().copied()).collect();
        assert!(drawn_curve.iter().all(|vertex| vertices.contains(vertex)), "{name}");
        assert_eq!((drawn_curve[0], *drawn_curve.last().unwrap()), ((0.0, 0.0), (1.0, 1.0)));
        // Debug prints every digit, and NaN as equal to NaN.
        let print = |found: &Found| format!("{:?} {:?} {:?}", found.pooled, found.curves, found.interval);
        for (sizes, tile, threads) in [(tiny, 7, 1), (small, 64, 3), (tiny, 400, 2)] {
            assert_eq!(print(&drawn.find(sizes, tile, threads)), print(&whole), "{name}");
        }
    }
}

/// Ten targets in turn have members and non-members, members only, non-members only.
#[test]
fn a_target_with_one_side_only_has_no_figures_and_takes_none_from_others() {
    let (layout, records) = (Layout::per_shadow(10), 3000);
    let mut stream = Seed::new(5).stream(Purpose::Simulation, &[]);
    let scores: Vec<f64> = (0..10 * records).map(|_| (stream.normal_f64() * 300.0).round()).collect();
    let member = |shadow: usize, record: usize| match shadow % 3 {
        0 => record % 5 < 2,
        side => side == 1,
    };
    let sizes = Sizes::holding(usize::MAX);
    let sorter = Sorter::new(layout, sizes.cells(scores.len() as u64));
    let mut collector = Collector::new(layout, sizes, &MemoryScratch);
    let tags = |shadow: usize| {
        (0..records).map(move |record| (shadow as u64) << 1 | u64::from(member(shadow, record)))
    };
    collector.take(sorter.sort(&scores, records, tags)).unwrap();
    let found = collector.find(Want { pooled: true, curves: true, intervals: None }).unwrap();
    let labelled = |shadow: usize| -> Vec<(f64, bool)> {
        let row = scores[shadow * records..(shadow + 1) * records].iter().copied();
        row.zip((0..records).map(|record| member(shadow, record))).collect()
    };
    close(&found.pooled.unwrap().figures, &plain(&(0..10).flat_map(labelled).collect::<Vec<_>>()));
    for (shadow, figures) in found.curves[..10].iter().enumerate() {
        if shadow % 3 == 0 {
            close(figures, &plain(&labelled(shadow)));
        } else {
            assert!(figures.auc.is_nan() && figures.balanced_accuracy.is_nan());
        }
    }
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/roc.json")).unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    for case in cases["cases"].as_array().unwrap() {
        let list = |key: &str| -> Vec<f64> { case[key].as_array().unwrap().iter().map(number).collect() };
        let found = roc(&list("members"), &list("nonmembers"));
        let [a, b, c, d] = list("tpr_at_fpr")[..] else { panic!("four rates") };
        let right = Figures {
            auc: number(&case["auc"]),
            balanced_accuracy: number(&case["balanced_accuracy"]),
            tpr_at_fpr: [a, b, c, d],
        };
        close(&found.figures, &right);
    }
}

#[test]
fn a_curve_with_one_side_only_has_no_figures() {
    for (members, nonmembers) in [(vec![1.0, 2.0], vec![]), (vec![], vec![f64::NAN, 0.0]), (vec![], vec![])] {
        let found = roc(&members, &nonmembers);
        assert!(found.figures.auc.is_nan() && found.figures.tpr_at_fpr[0].is_nan());
        assert_eq!(found.members, members.len() as u64);
    }
}
