//! What a training step asks of a device, and how long it should take on two of them: launches, bytes, operations. No
//! device is needed: a driver that does nothing counts.
//!
//! `cargo bench -p umbra-train --bench launches` prints tables; docs/cuda.md has them with the arithmetic.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

mod cases;

use std::ops::Range;

use umbra_core::seed::Seed;
use umbra_train::cuda::driver::{Arg, Driver, DriverError, Grid, Properties};
use umbra_train::cuda::{Cost, Cuda, Held};
use umbra_train::engine::Engine as _;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;

use cases::{CASES, Case};

/// A device that does nothing.
struct Paper(Properties);

impl Driver for Paper {
    type Memory = ();
    type Pinned = Vec<u8>;
    type Event = ();

    fn properties(&self) -> &Properties {
        &self.0
    }
    fn free(&mut self) -> u64 {
        self.0.memory
    }
    fn alloc(&mut self, _: usize) -> Result<(), DriverError> {
        Ok(())
    }
    fn alloc_pinned(&mut self, bytes: usize) -> Result<Vec<u8>, DriverError> {
        Ok(vec![0; bytes])
    }
    fn pinned<'a>(&self, pinned: &'a mut Vec<u8>) -> &'a mut [u8] {
        pinned
    }
    fn upload(&mut self, _: &Vec<u8>, _: Range<usize>, (): &(), _: u64) {}
    fn upload_now(&mut self, _: &[u8], (): &(), _: u64) {}
    fn download(&mut self, (): &(), _: u64, to: &mut [u8]) {
        to.fill(0);
    }
    fn clear(&mut self, (): &(), _: Range<u64>) {}
    fn launch(&mut self, _: &'static str, _: Grid, _: &[Arg<'_, ()>]) {}
    fn record(&mut self) {}
    fn wait(&mut self, (): &()) {}
    fn check(&mut self) -> Result<(), DriverError> {
        Ok(())
    }
}

/// What a data sheet says.
struct Device {
    name: &'static str,
    /// Bytes a second of its memory.
    bandwidth: f64,
    /// Floating-point operations a second in f32, and its clock.
    flops: f64,
    clock: f64,
}

/// NVIDIA's data sheets: A100 40GB SXM (June 2020) and H100 SXM (March 2023); boost clocks.
const DEVICES: [Device; 2] = [
    Device { name: "A100", bandwidth: 1.555e12, flops: 19.5e12, clock: 1.41e9 },
    Device { name: "H100", bandwidth: 3.35e12, flops: 67e12, clock: 1.98e9 },
];

/// Between the beginnings of two launches of one stream.
const LAUNCH: f64 = 2.5e-6;
/// The share of a data sheet's figures that plain kernels reach.
const REACHED: f64 = 0.7;

impl Device {
    /// The time of a step: every kernel takes as long as its bytes, its operations, its longest chain or its launch do,
    /// whichever is longest.
    fn seconds<'a>(&self, kernels: impl Iterator<Item = &'a Cost>) -> f64 {
        let one = |cost: &Cost| {
            let moved = cost.bytes as f64 / (REACHED * self.bandwidth);
            let computed = cost.flops as f64 / (REACHED * self.flops);
            let chained = cost.chain as f64 / (REACHED * self.clock);
            moved.max(computed).max(chained).max(cost.launches as f64 * LAUNCH)
        };
        kernels.map(one).sum()
    }
}

fn main() {
    print!("| model | shadows | launches | MB | GFLOP |");
    DEVICES.iter().for_each(|device| print!(" {0} ms | {0} samples/s |", device.name));
    println!("\n|---|---|---|---|---|{}", "---|---|".repeat(DEVICES.len()));
    for case in &CASES {
        for lanes in [1, 8, 32, 64] {
            row(case, lanes);
        }
    }
}

fn row(case: &Case, lanes: usize) {
    let (stored, spec) = (case.stored(), case.spec());
    let data = stored.data();
    let network =
        Network::new(spec.model(), spec.training(), &data.shape()).expect("the model fits the data");
    let properties =
        Properties { name: "paper".into(), capability: (8, 0), multiprocessors: 108, memory: 1 << 36 };
    let cuda = Cuda::new(Paper(properties), data, Held::Resident, lanes).expect("paper is patient");
    let mut engine = Lockstep::new(cuda, network, spec.training(), 1).expect("paper is patient");
    (0..lanes).for_each(|lane| engine.start(lane, &Seed::new(1), lane as u32, 0));
    let rows: Vec<u32> = (0..lanes).flat_map(|_| 0..case.batch).collect();
    engine.train(0, &rows);
    let tally = engine.backend().tally();
    let total = tally.total();
    let (megabytes, gigaflops) = (total.bytes as f64 / 1e6, total.flops as f64 / 1e9);
    print!("| {} | {lanes} | {} | {megabytes:.1} | {gigaflops:.2} |", case.name, total.launches);
    for device in &DEVICES {
        let seconds = device.seconds(tally.by_kernel().values());
        let samples = lanes as f64 * f64::from(case.batch) / seconds;
        print!(" {:.2} | {:.0} k |", 1e3 * seconds, samples / 1e3);
    }
    println!();
}
