//! The CUDA backend against that of the CPU, bit for bit: its kernels' own sources run on the host.
//!
//! With the feature `cuda` and the number of a device in UMBRA_CUDA_DEVICE what agrees with the CPU has to agree on that
//! device, too: the modules `agreement` and `packs` run there.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../emu/mod.rs"]
mod emu;

mod agreement;
mod faults;
mod launches;
mod mutants;
mod packs;
mod placement;

use umbra_core::spec::{AuditSpec, ModelDraft, TrainingDraft};
use umbra_train::TrainingData;
use umbra_train::cpu::{Cpu, Isa};
use umbra_train::cuda::driver::Driver;
use umbra_train::cuda::{Cuda, Held};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;

use emu::{EmuDriver, Options};

const STEPS: u64 = 10;

/// How a device is emulated and used.
#[derive(Debug, Clone)]
struct Device {
    lanes: usize,
    held: Held,
    options: Options,
    /// Records that go through the model together.
    rows: usize,
}

impl Device {
    fn of(lanes: usize) -> Self {
        Self { lanes, held: Held::Resident, options: Options::default(), rows: usize::MAX }
    }
}

fn network(spec: &AuditSpec, data: TrainingData<'_>) -> Network {
    Network::new(spec.model(), spec.training(), &data.shape()).unwrap()
}

fn on_device<'d, D: Driver>(
    driver: D,
    spec: &AuditSpec,
    data: TrainingData<'d>,
    device: &Device,
) -> Lockstep<Cuda<'d, D>> {
    let cuda = Cuda::new(driver, data, device.held, device.lanes).unwrap();
    Lockstep::with_rows(cuda, network(spec, data), spec.training(), STEPS, device.rows).unwrap()
}

/// The records of a lane's step; the last batch of an epoch is smaller.
fn batch(data: TrainingData<'_>, lane: usize, step: u64, batch: u64) -> Vec<u32> {
    let count = if step % 4 == 3 { batch / 2 } else { batch };
    (0..count).map(|row| ((row * 7 + 13 * step + 5 * lane as u64) % data.records() as u64) as u32).collect()
}

/// All that can be seen of a lane after ten steps, and of a few queries.
fn outcome(
    engine: &mut dyn Engine,
    spec: &AuditSpec,
    data: TrainingData<'_>,
    shadows: &[u32],
) -> Vec<Vec<u32>> {
    for (lane, &shadow) in shadows.iter().enumerate() {
        engine.start(lane, spec.seed(), shadow, 0);
    }
    let width = spec.training().logits(&data.shape()) as usize;
    let views = if spec.queries().views() > 1 { 2 } else { 1 };
    let mut found: Vec<Vec<u32>> = vec![vec![]; shadows.len()];
    let mut note =
        |lane: usize, values: &[f32]| found[lane].extend(values.iter().map(|value| value.to_bits()));
    for step in 0..STEPS {
        let rows =
            shadows.iter().map(|&shadow| batch(data, shadow as usize, step, spec.training().batch().into()));
        engine.train(step, &rows.flatten().collect::<Vec<_>>());
        for lane in 0..shadows.len() {
            let loss = engine.loss(lane);
            note(lane, &[loss]);
        }
    }
    let mut state = vec![0.0; engine.state_len()];
    let mut logits = vec![0.0; 11 * width];
    for lane in 0..shadows.len() {
        assert!(!engine.diverged(lane));
        engine.save(lane, &mut state);
        note(lane, &state);
    }
    for view in 0..views {
        engine.query(3, 11, view);
        for lane in 0..shadows.len() {
            engine.logits(lane, &mut logits);
            note(lane, &logits);
        }
    }
    found
}

/// Where the CPU ends, by lane.
fn expected(spec: &AuditSpec, data: TrainingData<'_>, device: &Device) -> Vec<Vec<u32>> {
    let one = |shadow| {
        let (cpu, network) = (Cpu::new(data, Isa::best()), network(spec, data));
        // A loss, unlike all that comes of it, is rounded where a group of records ends.
        let mut engine = Lockstep::with_rows(cpu, network, spec.training(), STEPS, device.rows).unwrap();
        outcome(&mut engine, spec, data, &[shadow]).remove(0)
    };
    (0..device.lanes as u32).map(one).collect()
}

/// An engine on the device of UMBRA_CUDA_DEVICE, if there is one, else on an emulated one.
fn anywhere<'d>(spec: &AuditSpec, data: TrainingData<'d>, device: &Device) -> Box<dyn Engine + 'd> {
    #[cfg(feature = "cuda")]
    if let Ok(ordinal) = std::env::var("UMBRA_CUDA_DEVICE") {
        let ordinal = ordinal.parse().expect("UMBRA_CUDA_DEVICE is the number of a device");
        let driver = umbra_train::cuda::device::CudaDriver::open(ordinal).unwrap();
        return Box::new(on_device(driver, spec, data, device));
    }
    Box::new(on_device(EmuDriver::new(device.options.clone()), spec, data, device))
}

/// Where a device ends, by lane.
fn found<D: Driver>(driver: D, spec: &AuditSpec, data: TrainingData<'_>, device: &Device) -> Vec<Vec<u32>> {
    let mut engine = on_device(driver, spec, data, device);
    outcome_of(&mut engine, spec, data)
}

fn outcome_of(engine: &mut dyn Engine, spec: &AuditSpec, data: TrainingData<'_>) -> Vec<Vec<u32>> {
    let shadows: Vec<u32> = (0..engine.lanes() as u32).collect();
    let found = outcome(engine, spec, data, &shadows);
    engine.check().unwrap();
    found
}

/// That every lane ends where the CPU ends.
fn agrees(name: &str, spec: &AuditSpec, data: TrainingData<'_>, devices: &[Device]) {
    for device in devices {
        let found = outcome_of(&mut *anywhere(spec, data, device), spec, data);
        for (lane, (found, expected)) in found.iter().zip(expected(spec, data, device)).enumerate() {
            let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
            if let Some(at) = differs {
                let (found, expected) = (f32::from_bits(found[at]), f32::from_bits(expected[at]));
                panic!("{name}, {device:?}: number {at} of lane {lane} is {found} for {expected}");
            }
            assert_eq!(found.len(), expected.len());
        }
    }
}

fn recipe(optimizer: &str) -> TrainingDraft {
    TrainingDraft {
        optimizer: Some(optimizer.into()),
        learning_rate: Some(if optimizer == "sgd" { 0.05 } else { 0.002 }),
        weight_decay: Some(0.01),
        batch: Some(8),
        epochs: Some(5),
        ..TrainingDraft::default()
    }
}

fn perceptron(widths: &[u32]) -> ModelDraft {
    ModelDraft { architecture: "mlp".into(), widths: widths.to_vec(), ..ModelDraft::default() }
}
