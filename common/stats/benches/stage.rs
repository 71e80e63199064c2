//! Time of the statistics stage on one thread, beside one read pass over the same logits.
//!
//! `cargo bench -p umbra-stats --bench stage` prints tables: the stage and its parts for every variant of the
//! attacks, the cost over a grid of records and shadows, one thread and two. `--only NAME` measures one variant, by
//! the name `none` the stage without any attack, by the name `threads` one thread and two.
//! With `-- --plain --rounds N` it prints one line a figure and round (side, what, input, records, shadows,
//! seconds) for `benches/side_by_side/side_by_side.sh`, which runs numpy in turns with it on the data in
//! `--data FOLDER`.
//!
//! What an attack alone takes ("sweep": its passes over the logits, leave-one-out scores of all pairs) is the
//! stage less the stage without any attack and less the curves of the same scores. Figures of one thread are
//! seconds of the processor where the system counts them, so that neighbours on the machine show less.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

mod timing;

use std::hint::black_box;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::time::Instant;

use umbra_core::seed::{Purpose, Seed};
use umbra_stats::{
    Analysis, AttackKind, Center, Config, Design, Inputs, Labels, Logits, Membership, MembershipMatrix,
    MemoryLogits, MemoryScratch, Population, ScoreCurves, ScoreFindings, Shape, Sink, SourceError, Variance,
    analyse, analyse_into,
};

/// As in the daemons.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BLOCK: usize = 16;
const POPULATION: usize = 1_000;
/// Room for scores: those of the tables fit.
const MEMORY: usize = 256 << 20;
/// Records and shadows of the tables.
const SIZE: (usize, usize) = (50_000, 128);

/// The attacks that are measured; in double precision the first one only.
const VARIANTS: [(&str, AttackKind, Center, Variance); 6] = [
    ("mean", AttackKind::LiraOnline, Center::Mean, Variance::PerRecord),
    ("shrunk", AttackKind::LiraOnline, Center::Mean, Variance::Shrunk),
    ("median", AttackKind::LiraOnline, Center::Median, Variance::PerRecord),
    ("offline", AttackKind::LiraOffline, Center::Mean, Variance::PerRecord),
    ("base", AttackKind::Base, Center::Mean, Variance::PerRecord),
    ("rmia", AttackKind::Rmia, Center::Mean, Variance::PerRecord),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plain = arguments.iter().any(|argument| argument == "--plain");
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let rounds = after("--rounds").and_then(|text| text.parse().ok()).unwrap_or(5);
    let only = after("--only");
    let data = after("--data").map(PathBuf::from);
    let audits = [false, true].map(|double| match &data {
        Some(folder) => Audit::read(folder, SIZE, double),
        None => Audit::draw(SIZE, double),
    });
    if only.is_some_and(|only| only == "threads") {
        return threads(&audits[0], rounds);
    }
    let mut table = Table { plain, rows: Vec::new() };
    for audit in &audits {
        let scores = audit.scores();
        for _ in 0..rounds {
            table.add("read", audit, on_one_thread(|| read_pass(audit)));
            let none = on_one_thread(|| audit.analyse(&Config { attacks: Vec::new(), ..plain_config() }));
            table.add("none", audit, none);
            if only.is_some_and(|only| only == "none") {
                continue;
            }
            let curves = on_one_thread(|| audit.curves(&scores));
            table.add("curves", audit, curves);
            for (name, kind, center, variance) in VARIANTS {
                if only.is_some_and(|only| only != name) || (audit.double && name != VARIANTS[0].0) {
                    continue;
                }
                let config = Config { attacks: vec![kind], center, variance, ..plain_config() };
                let stage = on_one_thread(|| audit.analyse(&config));
                table.add(&format!("stage-{name}"), audit, stage);
                table.add(&format!("sweep-{name}"), audit, stage - none - curves);
            }
        }
        if plain {
            let found = audit.analyse(&plain_config());
            let losses = found.utility.iter().map(|shadow| shadow.outside.log_loss);
            for (what, value) in [
                ("auc", found.attacks[0].figures.auc),
                ("loss", losses.sum::<f64>() / found.utility.len() as f64),
                ("binormal", found.records.mean_binormal_auc),
                ("detected", found.summary.detected as f64),
                ("mirror", found.summary.mirror as f64),
                ("anytime", found.summary.detected_anytime as f64),
                ("epsilon", found.summary.epsilon_worst),
            ] {
                table.say(what, audit, value);
            }
        }
    }
    if plain {
        return;
    }
    table.print();
    if only.is_none() {
        grid(rounds);
        threads(&audits[0], rounds);
    }
}

/// Online LiRA with each record's own variance, and nothing that numpy's side does not do.
fn plain_config() -> Config {
    Config {
        attacks: vec![AttackKind::LiraOnline],
        variance: Variance::PerRecord,
        bootstrap: 0,
        calibrated: false,
        permutations: 1,
        ..Config::default()
    }
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be made");
    pool.install(work)
}

/// Seconds that `work` takes on a thread of its own.
fn on_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> f64 {
    on_threads(1, || timing::seconds(work))
}

/// Seconds a pair of a record and a shadow over a grid: the same everywhere if the cost is linear in both.
fn grid(rounds: usize) {
    let mut table = Table { plain: false, rows: Vec::new() };
    let sizes = [12_500, 25_000, 50_000].map(|records| [32, 64, 128, 256].map(|shadows| (records, shadows)));
    let audits: Vec<Audit> = sizes.iter().flatten().map(|&size| Audit::draw(size, false)).collect();
    for _ in 0..rounds {
        for audit in &audits {
            table.add("stage", audit, on_one_thread(|| audit.analyse(&plain_config())));
        }
    }
    println!("\nThe stage in nanoseconds a pair of a record and a shadow, one thread");
    for row in &table.rows {
        let (records, shadows) = row.size;
        let each = |seconds: f64| 1e9 * seconds / (records * shadows) as f64;
        let [least, median, most] = row.spread().map(each);
        println!("  {records:>6} records x {shadows:>3} shadows {median:8.1} ({least:.1} to {most:.1})");
    }
}

fn threads(audit: &Audit, rounds: usize) {
    let mut table = Table { plain: false, rows: Vec::new() };
    for _ in 0..rounds {
        for (name, threads) in [("one thread", 1), ("two threads", 2)] {
            let begin = Instant::now();
            black_box(on_threads(threads, || audit.analyse(&plain_config())));
            table.add(name, audit, begin.elapsed().as_secs_f64());
        }
    }
    let [one, two] = [&table.rows[0], &table.rows[1]].map(|row| row.spread()[1]);
    println!("\nTwo threads are {:.2} times as fast as one ({one:.3} s, {two:.3} s)", one / two);
}

/// One audit of models with a single logit, all labels 1: the logits are the signals.
struct Audit {
    shape: Shape,
    double: bool,
    logits: Logits,
    source: MemoryLogits,
    population: MemoryLogits,
    labels: Vec<u32>,
    units: Vec<u32>,
    membership: MembershipMatrix,
    design: Design,
    seed: Seed,
}

impl Audit {
    /// Records that differ in level; one in ten leaks.
    fn draw((records, shadows): (usize, usize), double: bool) -> Self {
        let seed = Seed::new(1);
        let mut stream = seed.stream(Purpose::Membership, &[]);
        let mut keep = vec![false; records * shadows];
        for half in keep.chunks_exact_mut(BLOCK) {
            half[..BLOCK / 2].fill(true);
            stream.shuffle(half);
        }
        let mut stream = seed.stream(Purpose::Simulation, &[]);
        let mut values = Vec::with_capacity(records * shadows);
        for (record, keep) in keep.chunks_exact(shadows).enumerate() {
            let level = 1.0 + 2.0 * stream.normal_f64();
            let gain = if record % 10 == 0 { 1.0 } else { 0.1 };
            values.extend(
                keep.iter().map(|&inside| level + stream.normal_f64() + if inside { gain } else { 0.0 }),
            );
        }
        let membership = MembershipMatrix::from_fn(shadows, records, |s, r| keep[r * shadows + s]);
        Self::new((records, shadows), double, &values, membership, seed)
    }

    /// `phi.f32` or `phi.f64` and `membership.u8` of a folder, `[shadow][record]`, as numpy wrote them.
    fn read(folder: &Path, (records, shadows): (usize, usize), double: bool) -> Self {
        let bytes = |name: &str| std::fs::read(folder.join(name)).expect("the folder holds the data");
        let phi: Vec<f64> = if double {
            numbers(&bytes("phi.f64"), f64::from_le_bytes)
        } else {
            numbers(&bytes("phi.f32"), |b| f64::from(f32::from_le_bytes(b)))
        };
        let keep = bytes("membership.u8");
        assert!(phi.len() == records * shadows && keep.len() == phi.len(), "the data is of another size");
        let values: Vec<f64> =
            (0..records).flat_map(|r| (0..shadows).map(move |s| s * records + r)).map(|at| phi[at]).collect();
        let membership = MembershipMatrix::from_fn(shadows, records, |s, r| keep[s * records + r] == 1);
        Self::new((records, shadows), double, &values, membership, Seed::new(1))
    }

    fn new(
        (records, shadows): (usize, usize),
        double: bool,
        values: &[f64],
        membership: MembershipMatrix,
        seed: Seed,
    ) -> Self {
        let shape = Shape { shadows, records, queries: 1, classes: 1 };
        let stored = |values: &[f64]| {
            if double {
                Logits::F64(values.to_vec())
            } else {
                Logits::F32(values.iter().map(|&value| value as f32).collect())
            }
        };
        let population = Shape { records: POPULATION, ..shape };
        let source = |shape, values: &[f64]| {
            MemoryLogits::try_new(shape, stored(values)).expect("there are as many values as the shape says")
        };
        Self {
            shape,
            double,
            logits: stored(values),
            source: source(shape, values),
            population: source(population, &values[..POPULATION * shadows]),
            labels: vec![1; records],
            units: (0..records as u32).collect(),
            membership,
            design: Design::blocks(BLOCK),
            seed,
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        let membership: Membership<'_> = self.membership.view();
        Inputs {
            source: &self.source,
            labels: Labels::Class(&self.labels),
            units: &self.units,
            membership,
            design: &self.design,
            population: Some(Population {
                source: &self.population,
                labels: Labels::Class(&self.labels[..POPULATION]),
            }),
            attributes: &[],
            seed: &self.seed,
        }
    }

    fn analyse(&self, config: &Config) -> Analysis {
        analyse(&self.inputs(), config, &|_| {}).expect("the audit is sound")
    }

    /// The scores of the first variant, tile by tile.
    fn scores(&self) -> Tiles {
        let mut tiles = Tiles(Vec::new());
        let going_on = |_| ControlFlow::Continue(());
        analyse_into(&self.inputs(), &plain_config(), &going_on, &mut tiles, &MemoryScratch)
            .expect("the audit is sound");
        tiles
    }

    /// The pooled curve and those of all targets.
    fn curves(&self, scores: &Tiles) -> ScoreFindings {
        let view = self.membership.view();
        ScoreCurves::try_new(view, &self.units, &self.design, &self.seed, 0, MEMORY, &MemoryScratch)
            .and_then(|mut curves| {
                scores.0.iter().try_for_each(|(records, scores)| curves.take(records.clone(), scores))?;
                curves.find()
            })
            .expect("the scores fit the audit")
    }
}

/// Scores `[shadow][record of the tile]` as they came.
struct Tiles(Vec<(Range<usize>, Vec<f64>)>);

impl Sink for Tiles {
    fn scores(&mut self, _: AttackKind, records: Range<usize>, scores: &[f64]) -> Result<(), SourceError> {
        self.0.push((records, scores.to_vec()));
        Ok(())
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
}

/// The sum of all logits, several at a time: as fast as they can be read.
fn read_pass(audit: &Audit) -> f64 {
    fn sum<T: Copy + Default + std::ops::AddAssign + Into<f64>>(values: &[T]) -> f64 {
        let mut sums = [T::default(); 64];
        for values in values.as_chunks::<64>().0 {
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
        }
        sums.into_iter().map(Into::into).sum()
    }
    match &audit.logits {
        Logits::F32(values) => sum(values),
        Logits::F64(values) => sum(values),
    }
}

/// The seconds of one figure.
struct Row {
    name: String,
    double: bool,
    size: (usize, usize),
    seconds: Vec<f64>,
}

impl Row {
    /// Least, median and most.
    fn spread(&self) -> [f64; 3] {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        [sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]]
    }
}

struct Table {
    plain: bool,
    rows: Vec<Row>,
}

impl Table {
    fn add(&mut self, name: &str, audit: &Audit, seconds: f64) {
        if self.plain {
            self.say(name, audit, seconds);
        }
        let (double, size) = (audit.double, (audit.shape.records, audit.shape.shadows));
        match self.rows.iter_mut().find(|row| (&*row.name, row.double, row.size) == (name, double, size)) {
            Some(row) => row.seconds.push(seconds),
            None => self.rows.push(Row { name: name.to_owned(), double, size, seconds: vec![seconds] }),
        }
    }

    fn say(&self, name: &str, audit: &Audit, value: f64) {
        let precision = if audit.double { "f64" } else { "f32" };
        println!("umbra {name} {precision} {} {} {value:.9}", audit.shape.records, audit.shape.shadows);
    }

    /// One line a figure: seconds, and how many read passes that is.
    fn print(&self) {
        println!("{} records x {} shadows, one thread: median (least to most)", SIZE.0, SIZE.1);
        for row in &self.rows {
            let [least, median, most] = row.spread();
            let read = self.rows.iter().find(|other| other.name == "read" && other.double == row.double);
            let passes = median / read.map_or(f64::NAN, |read| read.spread()[1]);
            let precision = if row.double { "f64" } else { "f32" };
            println!(
                "  {:<14} {precision} {median:9.4} s ({least:.4} to {most:.4}) {passes:8.1} read passes",
                row.name
            );
        }
    }
}
