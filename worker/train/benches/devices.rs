//! Samples per second on a CUDA device, by the number of shadows that train side by side.
//!
//! `cargo bench -p umbra-train --features cuda --bench devices [-- --device N] [--only NAME]` prints a table;
//! `launches.rs` prints what to expect, `gpu.py` what PyTorch reaches.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

mod cases;

use std::time::Instant;

use umbra_core::seed::Seed;
use umbra_train::cuda::device::CudaDriver;
use umbra_train::cuda::driver::{Driver as _, DriverError};
use umbra_train::cuda::place;
use umbra_train::engine::Engine as _;
use umbra_train::network::Network;
use umbra_train::order::{BatchOrder, Position};

use cases::{CASES, Case};

/// Steps that are not timed: the first ones fill pools and caches.
const WARM: u64 = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let ordinal = given("--device").map_or(0, |number| number.parse().expect("--device takes a number"));
    let only = given("--only").unwrap_or_default();
    match CudaDriver::open(ordinal) {
        Ok(driver) => println!("{:?}\n", driver.properties()),
        Err(error) => {
            println!("nothing was timed: {error}");
            return;
        }
    }
    println!("| model | shadows | placed | MiB planned | ms a step | samples/s |");
    println!("|---|---|---|---|---|---|");
    for case in CASES.iter().filter(|case| case.name.contains(&only)) {
        for shadows in [1, 8, 32, 64] {
            row(ordinal, case, shadows);
        }
    }
}

fn row(ordinal: u32, case: &Case, shadows: usize) {
    let (stored, spec) = (case.stored(), case.spec());
    let data = stored.data();
    let network =
        Network::new(spec.model(), spec.training(), &data.shape()).expect("the model fits the data");
    let steps = WARM + case.steps.clamp(20, 400);
    let mut open = || CudaDriver::open(ordinal).map_err(|error| DriverError::Lost(error.to_string()));
    let (mut engine, placement) = match place(&mut open, &network, spec.training(), steps, data, shadows) {
        Ok(placed) => placed,
        Err(error) => return println!("| {} | {shadows} | {error} | | | |", case.name),
    };
    let lanes = engine.lanes();
    let seed = Seed::new(1);
    let mut orders: Vec<_> = (0..lanes)
        .map(|lane| {
            engine.start(lane, &seed, lane as u32, 0);
            let mut order = BatchOrder::with_capacity(&seed, case.records as usize);
            order.start(lane as u32, 0..case.records, Position::default());
            order
        })
        .collect();
    let mut rows = Vec::new();
    let mut begin = Instant::now();
    for step in 0..steps {
        if step == WARM {
            engine.loss(0);
            begin = Instant::now();
        }
        rows.clear();
        orders.iter_mut().for_each(|order| order.next_batch(case.batch as usize, &mut rows));
        engine.train(step, &rows);
    }
    // Waits for all that is queued.
    let loss = engine.loss(0);
    let seconds = begin.elapsed().as_secs_f64() / (steps - WARM) as f64;
    engine.check().expect("the device is there");
    assert!(loss.is_finite(), "{}: the loss is {loss}", case.name);
    let samples = lanes as f64 * f64::from(case.batch) / seconds;
    let planned = placement.bytes >> 20;
    println!("| {} | {shadows} | {lanes} | {planned} | {:.3} | {samples:.0} |", case.name, 1e3 * seconds);
}
