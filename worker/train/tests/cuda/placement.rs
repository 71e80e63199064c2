//! How many shadows are put on a device: what is computed before is what is taken then.

use umbra_core::memory::least_memory;
use umbra_core::spec::TrainingDraft;
use umbra_train::TrainError;
use umbra_train::cuda::driver::Properties;
use umbra_train::cuda::{Cuda, Held, Placement, place};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;

use super::emu::{EmuDriver, Options};
use super::{STEPS, common, network, recipe};

fn with_memory(memory: u64) -> Options {
    let properties = Properties { memory, ..Options::default().properties };
    Options { properties, ..Options::default() }
}

/// Allocations of the emulated device are not rounded: the figure is exact but for strides and words that hold less
/// than they take.
#[test]
fn the_memory_of_a_placement_is_what_is_taken() {
    for (model, table) in common::architectures() {
        let name = model.architecture.clone();
        let training =
            TrainingDraft { ema: Some(0.9), clip_norm: Some(1.0), dropout: Some(0.1), ..recipe("adamw") };
        for spec in [common::spec_of(model.clone(), training.clone()), common::varied(model, training)] {
            let (data, network) = (table.data(), network(&spec, table.data()));
            for held in [Held::Resident, Held::Streamed] {
                let plan = |free| Placement::plan(&network, spec.training(), &data, 5, free);
                let least = |lanes| {
                    let placed = |free: u64| plan(free).is_ok_and(|placement| placement.lanes >= lanes);
                    (1..).map(|k| k << 12).find(|&free| placed(free)).unwrap()
                };
                let placement = plan(least(3)).unwrap();
                assert_eq!(placement.lanes, 3, "{name}");
                if placement.held != held {
                    continue;
                }
                let driver = EmuDriver::new(Options::default());
                let recorder = driver.recorder();
                let cuda = Cuda::new(driver, data, held, 3).unwrap();
                let _engine = Lockstep::new(cuda, network.clone(), spec.training(), STEPS).unwrap();
                let peak = recorder.read().peak;
                let (found, planned) = (peak as f64, placement.bytes as f64);
                assert!(found <= planned && found > 0.99 * planned, "{name}, {held:?}: {found} of {planned}");
            }
        }
    }
}

/// The scheduler's estimate of a shadow, which knows no layout: below what a device takes, and over 0.3 of it.
#[test]
fn the_estimate_of_a_shadow_is_below_what_a_device_takes_for_one() {
    for (model, table) in common::architectures() {
        for batch in [16, 64] {
            for optimizer in ["sgd", "adamw"] {
                let training = TrainingDraft { batch: Some(batch), ema: Some(0.9), ..recipe(optimizer) };
                let spec = common::spec_of(model.clone(), training);
                let (data, network) = (table.data(), network(&spec, table.data()));
                let plan =
                    |shadows| Placement::plan(&network, spec.training(), &data, shadows, 1 << 40).unwrap();
                let lane = (plan(2).bytes - plan(1).bytes) as f64;
                let least = least_memory(&spec, &data.shape()) as f64;
                let name = &model.architecture;
                assert!(
                    least <= lane && least > 0.3 * lane,
                    "{name}, {batch}, {optimizer}: {least} of {lane}"
                );
            }
        }
    }
}

#[test]
fn as_many_shadows_as_fit_train_side_by_side() {
    let (model, table) = common::architectures().remove(0);
    let spec = common::spec_of(model, recipe("sgd"));
    let (data, network) = (table.data(), network(&spec, table.data()));
    let placed = |memory, shadows| {
        let mut open = || Ok(EmuDriver::new(with_memory(memory)));
        place(&mut open, &network, spec.training(), STEPS, data, shadows)
    };
    let (engine, most) = placed(1 << 30, 6).unwrap();
    assert_eq!((engine.lanes(), most.lanes, most.held), (6, 6, Held::Resident));
    // One part in sixteen stays free.
    let (engine, some) = placed(most.bytes, 6).unwrap();
    assert!(engine.lanes() < 6 && engine.lanes() > 3 && some.bytes < most.bytes, "{some:?}");
    let Err(TrainError::Memory { needed }) = placed(1 << 10, 6) else { panic!("nothing fits in a KiB") };
    assert!(needed > 1 << 10);
}

/// A device that has less memory than it says, as one whose memory is in pieces.
#[test]
fn a_device_with_less_memory_than_it_said_takes_half_as_many() {
    let (model, table) = common::architectures().remove(0);
    let spec = common::spec_of(model, recipe("sgd"));
    let (data, network) = (table.data(), network(&spec, table.data()));
    let all = Placement::plan(&network, spec.training(), &data, 8, 1 << 30).unwrap();
    let mut openings = 0;
    let mut open = || {
        openings += 1;
        let options = Options { in_pieces: Some(all.bytes / 2), ..with_memory(1 << 30) };
        Ok(EmuDriver::new(options))
    };
    let (engine, placement) = place(&mut open, &network, spec.training(), STEPS, data, 8).unwrap();
    assert_eq!((engine.lanes(), placement.lanes, openings), (2, 2, 3));
}
