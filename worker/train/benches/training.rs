//! Samples per second of training on one thread, beside the speed of the products it is made of.
//!
//! `cargo bench -p umbra-train` prints a table; with `-- --rounds N --plain` one line of figures a round, for
//! `benches/side_by_side.sh`, which runs PyTorch in turns with it on the same data.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::time::Instant;

use umbra_core::seed::Seed;
use umbra_core::shape::DataShape;
use umbra_core::spec::{AuditSpec, ModelDraft, SpecDraft, TrainingDraft};
use umbra_train::TrainingData;
use umbra_train::cpu::gemm::{Finish, Gemm, Matrix, Product, Start};
use umbra_train::cpu::{Cpu, CpuSizes, Floats, Isa};
use umbra_train::engine::Engine as _;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;
use umbra_train::order::{BatchOrder, Position};

const RECORDS: u32 = 4096;
const FEATURES: u32 = 64;

/// Name, hidden widths, batch, steps of a round.
const MODELS: [(&str, &[u32], u32, u64); 2] =
    [("mlp-64-256-256-2-b256", &[256, 256], 256, 800), ("mlp-64-64-64-2-b64", &[64, 64], 64, 10_000)];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plain = arguments.iter().any(|argument| argument == "--plain");
    let rounds = arguments.iter().position(|argument| argument == "--rounds");
    let rounds = rounds.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(5);
    let (features, labels) = data();
    let units: Vec<u32> = (0..RECORDS).collect();
    let records = u64::from(RECORDS);
    let shape = DataShape::table(records, records, FEATURES, 2);
    let data = TrainingData::new(shape, &features, &labels, &units).expect("the data fits its shape");
    let peak = (0..3).map(|_| product_rate(256)).fold(0.0f64, f64::max);
    if !plain {
        println!("instructions {:?}; one product of 256 x 256 x 256: {peak:.1} GFLOP/s", Isa::best().level());
    }
    for (name, widths, batch, steps) in MODELS {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let (rate, loss, flops) = train(data, widths, batch, steps);
            if plain {
                println!("{name} {rate:.0} {loss:.4} {:.3}", rate * flops / 1e9 / peak);
            }
            rates.push((rate, flops));
        }
        if !plain {
            rates.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (rate, flops) = rates[rates.len() / 2];
            let (least, most) = (rates[0].0, rates[rates.len() - 1].0);
            let share = 100.0 * rate * flops / 1e9 / peak;
            println!(
                "{name}: {rate:.0} samples/s ({least:.0} to {most:.0}), {share:.0} % of the product's speed"
            );
        }
    }
}

/// Data that both sides make alike: features from a small congruence, the label from two of them.
fn data() -> (Vec<f32>, Vec<u32>) {
    let value = |i: u32, j: u32| ((i * 7919 + j * 104_729 + i * j % 613 * 31) % 1000) as f32 / 500.0 - 1.0;
    let features = (0..RECORDS).flat_map(|i| (0..FEATURES).map(move |j| value(i, j))).collect();
    let labels = (0..RECORDS).map(|i| u32::from(value(i, 0) + value(i, 1) > 0.0)).collect();
    (features, labels)
}

/// Trains one model: samples per second, the mean loss of the last fifth, FLOPs per sample.
fn train(data: TrainingData<'_>, widths: &[u32], batch: u32, steps: u64) -> (f64, f64, f64) {
    let draft = SpecDraft {
        name: "bench".into(),
        dataset: "bench".into(),
        model: ModelDraft { architecture: "mlp".into(), widths: widths.to_vec(), ..ModelDraft::default() },
        training: TrainingDraft {
            learning_rate: Some(0.05),
            schedule: Some("constant".into()),
            batch: Some(batch),
            epochs: Some(1),
            ..TrainingDraft::default()
        },
        ..SpecDraft::default()
    };
    let spec = AuditSpec::try_new(&draft).expect("the recipe is valid");
    let network = Network::new(spec.model(), &data.shape()).expect("it fits");
    let flops = network.cost(spec.training(), &CpuSizes).train_flops as f64;
    let cpu = Cpu::new(data, Isa::best());
    let mut engine = Lockstep::new(cpu, network, spec.training(), steps).expect("there is memory");
    let seed = Seed::new(1);
    engine.start(0, &seed, 0, 0);
    let mut order = BatchOrder::with_capacity(&seed, RECORDS as usize);
    order.start(0, 0..RECORDS, Position::default());
    let mut rows = Vec::with_capacity(batch as usize);
    let mut losses = 0.0;
    let start = Instant::now();
    for step in 0..steps {
        rows.clear();
        order.next_batch(batch as usize, &mut rows);
        engine.train(step, &rows);
        if step >= steps * 4 / 5 {
            losses += f64::from(engine.loss(0));
        }
    }
    let samples = (steps * u64::from(batch)) as f64;
    (samples / start.elapsed().as_secs_f64(), losses / (steps - steps * 4 / 5) as f64, flops)
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
