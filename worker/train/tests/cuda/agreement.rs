//! Every architecture, recipe, variation and kind of data ends with the bits of the CPU.

use umbra_core::shape::{DataShape, Form, Targets};
use umbra_core::spec::{AuditSpec, AugmentDraft, ModelDraft, SpecDraft, TrainingDraft};
use umbra_data::{Channel, Labels, Normalisation, UNKNOWN, Values};
use umbra_train::TrainingData;
use umbra_train::cpu::{Cpu, Isa};
use umbra_train::cuda::Held;
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;

use super::common::{self, Table};
use super::emu::Options;
use super::{Device, agrees, anywhere, batch, network, perceptron, recipe};

fn reversed(device: Device) -> Device {
    Device { options: Options { reversed: true, ..Options::default() }, ..device }
}

#[test]
fn every_architecture_ends_with_the_bits_of_the_cpu() {
    for ((model, table), dropout) in common::with_dropout(&[None, Some(0.3)]) {
        let name = format!("{}, dropout {dropout:?}", model.architecture);
        let spec = common::spec_of(model, TrainingDraft { dropout, ..recipe("sgd") });
        agrees(&name, &spec, table.data(), &[Device::of(1), Device::of(3), reversed(Device::of(8))]);
    }
}

fn sized(architecture: &str, width: u32, depth: Option<u32>) -> ModelDraft {
    ModelDraft { architecture: architecture.into(), width: Some(width), depth, widths: vec![] }
}

/// Every kernel of a product has its turn: outputs that fill a tile, one more, one less, and few.
#[test]
fn every_width_of_a_product_does() {
    let image = Form::Image { height: 7, width: 5, channels: 2 };
    let table = Table::new(40, 33, 3);
    for widths in [[64, 65, 31], [32, 16, 130], [1, 48, 17]] {
        let spec = common::spec_of(perceptron(&widths), recipe("sgd"));
        agrees(&format!("{widths:?}"), &spec, table.data(), &[Device::of(2)]);
    }
    let logistic = ModelDraft { architecture: "logistic".into(), ..ModelDraft::default() };
    agrees("logistic", &common::spec_of(logistic, recipe("sgd")), table.data(), &[Device::of(2)]);
    let table = Table::formed(40, image, 3);
    for width in [20, 40] {
        let spec = common::spec_of(sized("cnn", width, None), recipe("sgd"));
        agrees(&format!("cnn, {width}"), &spec, table.data(), &[Device::of(2)]);
    }
    // Whole images in one row.
    agrees("image", &common::spec_of(perceptron(&[20]), recipe("sgd")), table.data(), &[Device::of(2)]);
}

#[test]
fn every_recipe_ends_with_the_bits_of_the_cpu() {
    let table = Table::new(60, 7, 3);
    let nesterov = TrainingDraft { momentum: Some(0.9), nesterov: Some(true), ..recipe("sgd") };
    let all = TrainingDraft {
        label_smoothing: Some(0.1),
        class_weights: Some(vec![0.5, 1.0, 2.0]),
        clip_norm: Some(0.7),
        ema: Some(0.9),
        warmup_epochs: Some(1.0),
        schedule: Some("cosine".into()),
        ..recipe("adamw")
    };
    for training in [nesterov, recipe("adamw"), all.clone()] {
        let name = format!("{training:?}");
        let devices = [Device::of(3), Device { rows: 3, ..Device::of(2) }];
        agrees(&name, &common::spec_of(perceptron(&[21]), training), table.data(), &devices);
    }
    let two = Table::new(60, 7, 2);
    let one = TrainingDraft { loss: Some("bce".into()), class_weights: Some(vec![0.5, 2.0]), ..all.clone() };
    let spec = common::spec_of(perceptron(&[21]), one);
    agrees("one logit", &spec, two.data(), &[Device::of(3), Device { rows: 5, ..Device::of(2) }]);

    let labels: Vec<u8> = (0..3 * 60).map(|i| [0, 1, UNKNOWN, 1][i * i % 7 % 4]).collect();
    let labels = Labels::Several { labels: &labels, count: 3 };
    let shape = DataShape { targets: Targets::Labels, ..table.shape };
    let identity = Normalisation::identity();
    let values = Values::F32(&table.features);
    let data = TrainingData::raw(shape, values, &identity, labels, &table.units).unwrap();
    let spec = common::spec_of(perceptron(&[21]), all);
    agrees("several labels", &spec, data, &[Device::of(3), Device { rows: 5, ..Device::of(2) }]);
}

/// Groups of records end within an epoch's batches, and are not as large as each other.
#[test]
fn records_that_go_through_together_change_no_bit() {
    for (model, table) in common::architectures() {
        let name = model.architecture.clone();
        let training = TrainingDraft { dropout: Some(0.3), ..recipe("adamw") };
        let spec = common::spec_of(model, training);
        agrees(&name, &spec, table.data(), &[Device { rows: 3, ..Device::of(2) }]);
    }
}

fn with_augment(spec: &AuditSpec, augment: AugmentDraft) -> AuditSpec {
    let spec = AuditSpec::try_new(&SpecDraft { augment, ..spec.to_draft() }).unwrap();
    common::viewed(&spec, 3)
}

#[test]
fn records_are_varied_as_on_the_cpu() {
    let any = || AugmentDraft { noise: Some(0.1), ..AugmentDraft::default() };
    let signal = || AugmentDraft { shift: Some(3), scale: Some(0.2), drop: Some(0.3), ..any() };
    let image = || AugmentDraft {
        rotate: Some(25.0),
        flip: Some(true),
        shift: Some(2),
        contrast: Some(0.3),
        brightness: Some(0.2),
        ..any()
    };
    for (model, table) in common::architectures() {
        let name = model.architecture.clone();
        let augment = match table.shape.form {
            Form::Table => any(),
            Form::Signal { .. } => signal(),
            Form::Image { .. } => image(),
        };
        let spec = with_augment(&common::spec_of(model, recipe("sgd")), augment);
        let streamed = Device { held: Held::Streamed, ..Device::of(3) };
        agrees(&name, &spec, table.data(), &[streamed, Device { rows: 3, ..Device::of(2) }]);
    }
}

/// Stored numbers of every kind, normalised by channel, on the device or sent batch by batch to one that is behind.
#[test]
fn data_are_held_in_any_way() {
    let form = Form::Image { height: 5, width: 4, channels: 3 };
    let table = Table::formed(60, form, 3);
    let channel = |mean, sd| Channel { name: String::new(), mean, sd };
    let normalisation = Normalisation::of(&[channel(130.0, 50.0), channel(99.0, 31.0), channel(7.0, 90.0)]);
    let bytes: Vec<u8> = table.features.iter().map(|x| (x * 40.0 + 128.0) as u8).collect();
    let shorts: Vec<i16> = table.features.iter().map(|x| (x * 900.0) as i16).collect();
    let one = Normalisation::of(&[channel(3.0, 700.0)]);
    let behind =
        |device: Device| Device { options: Options { deferred: true, ..Options::default() }, ..device };
    let stored = [
        (Values::U8(&bytes), &normalisation),
        (Values::I16(&shorts), &one),
        (Values::F32(&table.features), &normalisation),
    ];
    for (values, normalisation) in stored {
        let labels = Labels::Class(&table.labels);
        let data = TrainingData::raw(table.shape, values, normalisation, labels, &table.units).unwrap();
        let spec = common::spec_of(sized("cnn", 6, None), recipe("sgd"));
        let devices = [Held::Resident, Held::Streamed].map(|held| Device { held, ..Device::of(3) });
        let [resident, streamed] = devices.clone();
        let all = [resident, streamed, behind(devices[0].clone()), behind(devices[1].clone())];
        agrees(&format!("{:?}", values.number()), &spec, data, &all);
    }
}

/// As many steps as it takes to go round the memory that indices are sent from, on a device that is behind.
#[test]
fn what_is_sent_is_read_before_it_is_written_anew() {
    const STEPS: u64 = 2500;
    // A prime, so that no records come back when the memory does.
    let table = Table::new(61, 3, 2);
    let logistic = ModelDraft { architecture: "logistic".into(), ..ModelDraft::default() };
    let spec = common::spec_of(logistic, TrainingDraft { batch: Some(16), ..recipe("sgd") });
    let data = table.data();
    let train = |engine: &mut dyn Engine| {
        engine.start(0, spec.seed(), 0, 0);
        for step in 0..STEPS {
            engine.train(step, &batch(data, 0, step, 16));
        }
        let mut state = vec![0.0; engine.state_len()];
        engine.save(0, &mut state);
        state.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let cpu = Cpu::new(data, Isa::best());
    let mut cpu = Lockstep::new(cpu, network(&spec, data), spec.training(), super::STEPS).unwrap();
    let behind = Device { options: Options { deferred: true, ..Options::default() }, ..Device::of(1) };
    assert!(train(&mut cpu) == train(&mut *anywhere(&spec, data, &behind)));
}

/// Every buffer is full of NaN beyond the records of small batches, since records that are none were put to the model
/// before.
#[test]
fn what_lies_beyond_a_partial_batch_takes_no_part() {
    for (model, mut table) in common::architectures() {
        let name = model.architecture.clone();
        let spec = common::spec_of(model, recipe("sgd"));
        let features = table.shape.features as usize;
        table.features[52 * features..].fill(f32::NAN);
        let data = table.data();
        let train = |engine: &mut dyn Engine, poisoned: bool| {
            let mut state = vec![0.0; engine.state_len()];
            (0..engine.lanes()).for_each(|lane| engine.start(lane, spec.seed(), 0, 0));
            for step in 0..4 {
                if poisoned {
                    engine.query(52, 8, 0);
                }
                let rows = (0..engine.lanes()).flat_map(|_| (0..3).map(|row| row * 5 + step as u32));
                engine.train(step, &rows.collect::<Vec<_>>());
            }
            engine.save(engine.lanes() - 1, &mut state);
            state.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let cpu = Cpu::new(data, Isa::best());
        let mut cpu = Lockstep::new(cpu, network(&spec, data), spec.training(), super::STEPS).unwrap();
        let expected = train(&mut cpu, false);
        assert!(train(&mut *anywhere(&spec, data, &Device::of(3)), true) == expected, "{name}");
    }
}
