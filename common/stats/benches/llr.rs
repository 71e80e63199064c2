//! Time of leave-one-out LiRA alone, scores of all pairs included, on one thread and beside one read pass over
//! the same logits: `taskset -c 0 cargo bench -p umbra-stats --bench llr`.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

mod timing;

use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_stats::{
    AttackKind, Center, Config, Counts, Design, Inputs, Labels, Logits, MembershipMatrix, MemoryLogits,
    NoSink, Shape, Values, Variance, score_into,
};

const RECORDS: usize = 50_000;
const SHADOWS: usize = 128;
const BLOCK: usize = 16;
const ROUNDS: usize = 7;

/// What is timed, or those of it that are named as arguments.
const VARIANTS: [(&str, AttackKind, Center, Variance, Counts); 8] = [
    ("per-record", AttackKind::LiraOnline, Center::Mean, Variance::PerRecord, Counts::Equal),
    ("pooled", AttackKind::LiraOnline, Center::Mean, Variance::Pooled, Counts::Equal),
    ("shrunk", AttackKind::LiraOnline, Center::Mean, Variance::Shrunk, Counts::Equal),
    ("reference", AttackKind::LiraOnline, Center::Mean, Variance::Reference, Counts::Equal),
    ("median", AttackKind::LiraOnline, Center::Median, Variance::PerRecord, Counts::Equal),
    ("first", AttackKind::LiraOnline, Center::Mean, Variance::PerRecord, Counts::First),
    ("offline", AttackKind::LiraOffline, Center::Mean, Variance::PerRecord, Counts::Equal),
    ("offline-shrunk", AttackKind::LiraOffline, Center::Mean, Variance::Shrunk, Counts::Equal),
];

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let variants: Vec<_> = VARIANTS
        .into_iter()
        .filter(|(name, ..)| named.is_empty() || named.iter().any(|n| n == name))
        .collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be made");
    let seed = Seed::new(1);
    let mut stream = seed.stream(Purpose::Simulation, &[]);
    let membership = membership(&mut stream);
    let values: Vec<f64> = (0..RECORDS * SHADOWS).map(|_| stream.normal_f64()).collect();
    let single: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    for (precision, logits) in [("f32", Logits::from(single)), ("f64", Logits::from(values))] {
        let shape = Shape { shadows: SHADOWS, records: RECORDS, queries: 1, classes: 1 };
        let source = match &logits {
            Logits::F32(values) => MemoryLogits::try_new(shape, values.clone()),
            Logits::F64(values) => MemoryLogits::try_new(shape, values.clone()),
        };
        let inputs = Inputs {
            source: &source.expect("the shape is that of the values"),
            labels: Labels::Class(&[1; RECORDS]),
            units: &(0..RECORDS as u32).collect::<Vec<_>>(),
            membership: membership.view(),
            design: &Design::blocks(BLOCK),
            population: None,
            attributes: &[],
            seed: &seed,
        };
        // In turns, so that whatever else the machine does falls on all alike.
        let mut seconds = vec![Vec::new(); variants.len() + 1];
        for _ in 0..ROUNDS {
            seconds[0].push(timing::seconds(|| read_pass(&logits)));
            for (&(_, kind, center, variance, counts), seconds) in variants.iter().zip(&mut seconds[1..]) {
                let config = Config { attacks: vec![kind], center, variance, counts, ..Config::default() };
                let score = || score_into(&inputs, &config, &mut NoSink).expect("the audit is sound");
                seconds.push(pool.install(|| timing::seconds(score)));
            }
        }
        let read = median(&mut seconds[0]);
        println!("{precision}, {RECORDS} records x {SHADOWS} shadows: one read pass {:.2} ms", 1e3 * read);
        for ((name, ..), seconds) in variants.iter().zip(&mut seconds[1..]) {
            let found = median(seconds);
            println!("  {name:<15} {:7.1} ms  {:6.1} read passes", 1e3 * found, found / read);
        }
    }
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// The sum of all logits, several at a time: as fast as they can be read.
fn read_pass(logits: &Logits) -> f64 {
    fn sum<T: Copy + Default + std::ops::AddAssign + Into<f64>>(values: &[T]) -> f64 {
        let mut sums = [T::default(); 64];
        for values in values.as_chunks::<64>().0 {
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
        }
        sums.into_iter().map(Into::into).sum()
    }
    match logits.values() {
        Values::F32(values) => sum(values),
        Values::F64(values) => sum(values),
    }
}

/// Each unit in exactly half of every block.
fn membership(stream: &mut Stream) -> MembershipMatrix {
    let mut columns = vec![false; SHADOWS * RECORDS];
    for half in columns.chunks_exact_mut(BLOCK) {
        half[..BLOCK / 2].fill(true);
        stream.shuffle(half);
    }
    MembershipMatrix::from_fn(SHADOWS, RECORDS, |shadow, unit| columns[unit * SHADOWS + shadow])
}
