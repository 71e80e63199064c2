//! Samples per second of training on one thread, beside the speed of the products it is made of.
//!
//! `cargo bench -p umbra-train` prints a table; with `-- --rounds N --plain` one line of figures a round, for
//! `benches/side_by_side.sh`, which runs PyTorch in turns with it on the same data.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

mod cases;

use std::time::Instant;

use umbra_core::seed::Seed;
use umbra_train::TrainingData;
use umbra_train::cpu::gemm::{Finish, Gemm, Matrix, Product, Start};
use umbra_train::cpu::{Cpu, CpuSizes, Floats, Isa};
use umbra_train::engine::Engine as _;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;
use umbra_train::order::{BatchOrder, Position};

use cases::{CASES, Case};

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
        let stored = case.stored();
        let data = stored.data();
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

/// Trains one model: samples per second, the mean loss of the last fifth, FLOPs per sample.
fn train(data: TrainingData<'_>, case: &Case) -> (f64, f64, f64) {
    let (batch, steps, spec) = (case.batch, case.steps, case.spec());
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
