//! Samples per second of training on one thread, beside the speed of the products it is made of.
//!
//! `cargo bench -p umbra-train` prints a table; with `-- --rounds N --plain` one line of figures a round, for
//! `benches/side_by_side.sh`, which runs PyTorch in turns with it on the same data.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::time::Instant;

use umbra_core::seed::Seed;
use umbra_core::shape::{DataShape, Form};
use umbra_core::spec::{AuditSpec, ModelDraft, SpecDraft, TrainingDraft};
use umbra_train::TrainingData;
use umbra_train::cpu::gemm::{Finish, Gemm, Matrix, Product, Start};
use umbra_train::cpu::{Cpu, CpuSizes, Floats, Isa};
use umbra_train::engine::Engine as _;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;
use umbra_train::order::{BatchOrder, Position};

/// One model on one kind of data.
struct Case {
    name: &'static str,
    architecture: &'static str,
    widths: &'static [u32],
    width: Option<u32>,
    depth: Option<u32>,
    form: Form,
    records: u32,
    batch: u32,
    /// Steps of a round.
    steps: u64,
    learning_rate: f64,
}

const TABLE: Case = Case {
    name: "mlp-64-256-256-2-b256",
    architecture: "mlp",
    widths: &[256, 256],
    width: None,
    depth: None,
    form: Form::Table,
    records: 4096,
    batch: 256,
    steps: 800,
    learning_rate: 0.05,
};

const IMAGES: Case = Case {
    name: "cnn-28x28-b128",
    architecture: "cnn",
    widths: &[],
    form: Form::Image { height: 28, width: 28, channels: 1 },
    records: 1024,
    batch: 128,
    steps: 40,
    ..TABLE
};

const CASES: [Case; 6] = [
    TABLE,
    Case { name: "mlp-64-64-64-2-b64", widths: &[64, 64], batch: 64, steps: 10_000, ..TABLE },
    Case { name: "tab-resnet-300x6-b256", architecture: "tab-resnet", widths: &[], steps: 50, ..TABLE },
    IMAGES,
    Case {
        name: "wrn-16-1-28x28x3-b128",
        architecture: "wrn",
        width: Some(1),
        depth: Some(16),
        form: Form::Image { height: 28, width: 28, channels: 3 },
        steps: 12,
        ..IMAGES
    },
    Case {
        name: "resnet1d-12x1000-b32",
        architecture: "resnet1d",
        form: Form::Signal { samples: 1000, leads: 12 },
        records: 256,
        batch: 32,
        steps: 6,
        learning_rate: 0.01,
        ..IMAGES
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plain = arguments.iter().any(|argument| argument == "--plain");
    let given = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let rounds: usize = given("--rounds").and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let only = given("--only").unwrap_or_default();
    let peak = (0..3).map(|_| product_rate(256)).fold(0.0f64, f64::max);
    if !plain {
        println!("instructions {:?}; one product of 256 x 256 x 256: {peak:.1} GFLOP/s", Isa::best().level());
    }
    for case in CASES.iter().filter(|case| case.name.contains(&only)) {
        let (features, labels) = data(case);
        let units: Vec<u32> = (0..case.records).collect();
        let shape = DataShape {
            form: case.form,
            ..DataShape::table(u64::from(case.records), u64::from(case.records), case.features(), 2)
        };
        let data = TrainingData::new(shape, &features, &labels, &units).expect("the data fits its shape");
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let (rate, loss, flops) = train(data, case);
            if plain {
                println!("{} {rate:.1} {loss:.4} {:.3}", case.name, rate * flops / 1e9 / peak);
            }
            rates.push((rate, flops));
        }
        if !plain {
            rates.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (rate, flops) = rates[rates.len() / 2];
            let (least, most) = (rates[0].0, rates[rates.len() - 1].0);
            let share = 100.0 * rate * flops / 1e9 / peak;
            println!(
                "{}: {rate:.0} samples/s ({least:.0} to {most:.0}), {share:.0} % of the product's speed",
                case.name
            );
        }
    }
}

impl Case {
    fn features(&self) -> u32 {
        self.form.features().unwrap_or(64)
    }
}

/// Data that both sides make alike: numbers from a small congruence, the label from two of them; a record that has
/// the label 1 is brighter.
fn data(case: &Case) -> (Vec<f32>, Vec<u32>) {
    let value = |i: u32, j: u32| ((i * 7919 + j * 104_729 + i * j % 613 * 31) % 1000) as f32 / 500.0 - 1.0;
    let labels: Vec<u32> = (0..case.records).map(|i| u32::from(value(i, 0) + value(i, 1) > 0.0)).collect();
    let shift = if case.form == Form::Table { 0.0 } else { 0.25 };
    let features = (0..case.records)
        .flat_map(|i| (0..case.features()).map(move |j| (i, j)))
        .map(|(i, j)| value(i, j) + shift * labels[i as usize] as f32);
    (features.collect(), labels)
}

/// Trains one model: samples per second, the mean loss of the last fifth, FLOPs per sample.
fn train(data: TrainingData<'_>, case: &Case) -> (f64, f64, f64) {
    let (batch, steps) = (case.batch, case.steps);
    let draft = SpecDraft {
        name: "bench".into(),
        dataset: "bench".into(),
        model: ModelDraft {
            architecture: case.architecture.into(),
            widths: case.widths.to_vec(),
            width: case.width,
            depth: case.depth,
        },
        training: TrainingDraft {
            learning_rate: Some(case.learning_rate),
            schedule: Some("constant".into()),
            batch: Some(batch),
            epochs: Some(1),
            ..TrainingDraft::default()
        },
        ..SpecDraft::default()
    };
    let spec = AuditSpec::try_new(&draft).expect("the recipe is valid");
    let network =
        Network::new(spec.model(), spec.training(), &data.shape()).expect("the model fits the data");
    let flops = network.cost(spec.training(), &CpuSizes).train_flops as f64;
    let cpu = Cpu::new(data, Isa::best());
    let mut engine = Lockstep::new(cpu, network, spec.training(), steps).expect("there is memory");
    let seed = Seed::new(1);
    engine.start(0, &seed, 0, 0);
    let mut order = BatchOrder::with_capacity(&seed, case.records as usize);
    order.start(0, 0..case.records, Position::default());
    let mut rows = Vec::with_capacity(batch as usize);
    let mut losses = 0.0;
    let start = thread_seconds();
    for step in 0..steps {
        rows.clear();
        order.next_batch(batch as usize, &mut rows);
        engine.train(step, &rows);
        if step >= steps * 4 / 5 {
            losses += f64::from(engine.loss(0));
        }
    }
    let samples = (steps * u64::from(batch)) as f64;
    (samples / (thread_seconds() - start), losses / (steps - steps * 4 / 5) as f64, flops)
}

/// Seconds this thread was on a processor, so that neighbours count less; where the system does not tell, the time.
fn thread_seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    let clock = || START.get_or_init(Instant::now).elapsed().as_secs_f64();
    nanoseconds.map_or_else(clock, |nanoseconds| nanoseconds / 1e9)
}

/// GFLOP/s of the best of many square products.
fn product_rate(size: usize) -> f64 {
    let (mut left, mut right) = (Floats::zeros(size * size), Floats::zeros(size * size));
    left.fill(0.5);
    right.fill(0.25);
    let mut output = Floats::zeros(size * size);
    let mut gemm = Gemm::new(Isa::best());
    let product = Product {
        rows: size,
        columns: size,
        depth: size,
        left: Matrix::as_is(&left, size),
        right: Matrix::as_is(&right, size),
        start: Start::Zero,
        finish: Finish::Keep,
    };
    let mut best = f64::MAX;
    for _ in 0..300 {
        let start = Instant::now();
        gemm.run(&product, &mut output, size);
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * (size * size * size) as f64 / best / 1e9
}
