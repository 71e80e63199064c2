//! A step is as many launches for many shadows as for one.

use umbra_train::cuda::Held;
use umbra_train::engine::Engine;

use super::emu::{EmuDriver, Options, Transfers};
use super::{Device, batch, common, on_device, recipe};

#[test]
fn launches_of_a_step_do_not_depend_on_the_number_of_shadows() {
    for ((model, table), dropout) in common::with_dropout(&[None, Some(0.3)]) {
        let name = model.architecture.clone();
        let training = umbra_core::spec::TrainingDraft { dropout, clip_norm: Some(1.0), ..recipe("adamw") };
        let spec = common::varied(model, training);
        for held in [Held::Resident, Held::Streamed] {
            let step = |lanes: usize| {
                let driver = EmuDriver::new(Options::default());
                let recorder = driver.recorder();
                let device = Device { held, ..Device::of(lanes) };
                let mut engine = on_device(driver, &spec, table.data(), &device);
                (0..lanes).for_each(|lane| engine.start(lane, spec.seed(), lane as u32, 0));
                let counts = || {
                    let record = recorder.read();
                    let of = |transfers: Transfers| transfers.count;
                    (record.launches.values().sum::<u64>(), of(record.uploads), of(record.downloads))
                };
                let before = counts();
                let rows = (0..lanes).flat_map(|lane| batch(table.data(), lane, 0, 8));
                engine.train(0, &rows.collect::<Vec<_>>());
                let after = counts();
                assert_eq!(engine.backend().tally().total().launches, after.0);
                (after.0 - before.0, after.1 - before.1, after.2 - before.2)
            };
            let one = step(1);
            assert!(one.0 > 10 && one.2 == 0, "{name}: {one:?}");
            for lanes in [2, 7] {
                assert_eq!(step(lanes), one, "{name}, {held:?}, {lanes} shadows");
            }
        }
    }
}
