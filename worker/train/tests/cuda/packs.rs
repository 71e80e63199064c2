//! Packs on a device: the logits of the CPU's packs, whatever the lanes, stops and devices.

use umbra_core::spec::AuditSpec;
use umbra_train::{PackJob, PackRun, Status, TrainError};

use super::{Device, STEPS, anywhere, common, perceptron, recipe};
use common::Table;

fn on_device<'d>(
    spec: &AuditSpec,
    job: &PackJob,
    table: &'d Table,
    lanes: usize,
    resume: Option<&[u8]>,
) -> Result<PackRun<'d>, TrainError> {
    let engine = anywhere(spec, table.data(), &Device::of(lanes));
    PackRun::with_engine(job.clone(), table.data(), engine, resume)
}

#[test]
fn a_pack_has_the_logits_of_the_cpu() {
    let (spec, table) = (common::spec_of(perceptron(&[20]), recipe("adamw")), Table::new(60, 7, 3));
    let job = common::job(&spec, &table, 0..5, STEPS);
    let expected = common::run(PackRun::new(job.clone(), table.data(), None).unwrap(), 7);
    // Lanes that divide the pack, that do not, and more of them than shadows.
    for lanes in [1, 2, 5, 7] {
        let whole = common::run(on_device(&spec, &job, &table, lanes, None).unwrap(), 7);
        let mut first = on_device(&spec, &job, &table, lanes, None).unwrap();
        assert_ne!(first.advance(9).unwrap(), Status::Done);
        let mut checkpoint = Vec::new();
        first.checkpoint(&mut checkpoint).unwrap();
        let resumed = common::run(on_device(&spec, &job, &table, lanes, Some(&checkpoint)).unwrap(), 7);
        for shadow in 0..5 {
            let bits = common::bits(&expected, shadow);
            assert!(common::bits(&whole, shadow) == bits, "{lanes} lanes");
            assert!(common::bits(&resumed, shadow) == bits, "{lanes} lanes, resumed");
        }
    }
}

/// A checkpoint of as few shadows at a time goes on anywhere.
#[test]
fn a_checkpoint_goes_on_from_a_device_to_the_cpu_and_back() {
    let (spec, table) = (common::spec_of(perceptron(&[20]), recipe("sgd")), Table::new(60, 7, 3));
    let job = common::job(&spec, &table, 0..2, STEPS);
    let expected = common::run(PackRun::new(job.clone(), table.data(), None).unwrap(), 7);
    let mut checkpoint = Vec::new();
    let mut first = on_device(&spec, &job, &table, 1, None).unwrap();
    first.advance(5).unwrap();
    first.checkpoint(&mut checkpoint).unwrap();
    let mut second = PackRun::new(job.clone(), table.data(), Some(&checkpoint)).unwrap();
    second.advance(4).unwrap();
    second.checkpoint(&mut checkpoint).unwrap();
    let last = common::run(on_device(&spec, &job, &table, 1, Some(&checkpoint)).unwrap(), 7);
    for shadow in 0..2 {
        assert!(common::bits(&last, shadow) == common::bits(&expected, shadow), "shadow {shadow}");
    }
}

/// Whoever trained them: the CPU one after the other, or a device so many at a time.
#[test]
fn kept_weights_answer_on_any_device_and_any_number_of_lanes() {
    let model = perceptron(&[20]);
    let (one, table) = (common::varied(model, recipe("sgd")), Table::new(60, 7, 3));
    let two = common::viewed(&one, 2);
    let (trained, asked) = (common::job(&one, &table, 0..5, STEPS), common::job(&two, &table, 0..5, STEPS));
    let expected = common::run(PackRun::new(asked.clone(), table.data(), None).unwrap(), 7).encode().unwrap();
    let collect = |mut run: PackRun<'_>| {
        run.collect_weights();
        while run.advance(7).unwrap() != Status::Done {}
        run.collected_weights().unwrap()
    };
    let weights = collect(PackRun::new(trained.clone(), table.data(), None).unwrap());
    for lanes in [1, 2, 7] {
        assert!(collect(on_device(&one, &trained, &table, lanes, None).unwrap()) == weights, "{lanes} lanes");
        let again = on_device(&two, &asked, &table, lanes, Some(&weights)).unwrap();
        assert!(common::run(again, 7).encode().unwrap() == expected, "{lanes} lanes");
    }
}
