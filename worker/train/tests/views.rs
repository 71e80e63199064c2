//! Views of a record: the same questions to every shadow, whoever is asked beside it and however the work is cut.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Table, bits, job, run, viewed};
use umbra_core::spec::{AuditSpec, TrainingDraft};
use umbra_train::cpu::{Cpu, Isa};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;
use umbra_train::{PackJob, PackRun, TrainError};

const STEPS: u64 = 5;
const VIEWS: usize = 3;

fn recipe() -> TrainingDraft {
    TrainingDraft { learning_rate: Some(0.02), batch: Some(16), epochs: Some(6), ..TrainingDraft::default() }
}

/// An engine with the same start values on its lane, whichever shadow it is told to be.
fn same_model(spec: &AuditSpec, table: &Table, shadow: u32, rows: usize) -> Vec<Vec<u32>> {
    let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
    let cpu = Cpu::new(table.data(), Isa::best());
    let mut engine = Lockstep::with_rows(cpu, network, spec.training(), STEPS, rows).unwrap();
    engine.start(0, spec.seed(), 0, 0);
    let mut state = vec![0.0; engine.state_len()];
    engine.save(0, &mut state);
    engine.load(0, spec.seed(), shadow, &state);
    let answers = |engine: &mut Lockstep<_>, view| {
        let mut all = Vec::new();
        // Two queries, of records that do not start at 0 as well.
        for (first, count) in [(0, 40), (40, 20)] {
            engine.query(first, count, view);
            let mut logits = vec![0.0; count * 3];
            engine.logits(0, &mut logits);
            all.extend(logits.iter().map(|logit| logit.to_bits()));
        }
        all
    };
    (0..VIEWS as u32).map(|view| answers(&mut engine, view)).collect()
}

#[test]
fn models_differ_and_not_the_questions() {
    for (model, table) in common::architectures() {
        let name = model.architecture.clone();
        let spec = common::varied(model, recipe());
        let views = same_model(&spec, &table, 0, 16);
        assert_eq!(views, same_model(&spec, &table, 5, 16), "{name}: another shadow, the same views");
        assert_eq!(views, same_model(&spec, &table, 0, 3), "{name}: groups of other sizes");
        assert!(views[0] != views[1] && views[1] != views[2] && views[0] != views[2], "{name}");
        // Equal records are varied each for itself.
        let mut equal = Table::new(60, table.shape.features, 3);
        equal.shape = table.shape;
        let record = equal.features[..table.shape.features as usize].to_vec();
        equal.features = record.repeat(60);
        let views = same_model(&spec, &equal, 0, 16);
        let answers = |view: usize| views[view].chunks(3).collect::<std::collections::BTreeSet<_>>().len();
        assert!(answers(0) == 1 && answers(1) == 60, "{name}");
    }
}

#[test]
fn views_have_the_same_bits_in_any_pack_and_after_any_stop() {
    for (model, table) in common::architectures() {
        let name = model.architecture.clone();
        let one = common::varied(model, recipe());
        let spec = viewed(&one, VIEWS as u32);
        let start = |spec: &AuditSpec, shadows, checkpoint: Option<&[u8]>| {
            PackRun::new(job(spec, &table, shadows, STEPS), table.data(), checkpoint).unwrap()
        };
        let whole = run(start(&spec, 0..2, None), 1000);
        let plain = run(start(&one, 0..2, None), 1000);
        let clean =
            |shadow| bits(&whole, shadow).chunks(VIEWS * 3).flat_map(|row| row[..3].to_vec()).collect();
        let clean: [Vec<u32>; 2] = [clean(0), clean(1)];
        assert_eq!(clean, [bits(&plain, 0), bits(&plain, 1)], "{name}: view 0 is the clean record");
        assert_eq!(bits(&run(start(&spec, 1..3, None), 1), 1), bits(&whole, 1), "{name}");
        // In training, between the views of the first shadow, in the second.
        for stop in [4, 5, 6, 7, 8, 9, 14] {
            let mut first = start(&spec, 0..2, None);
            first.advance(stop).unwrap();
            let mut checkpoint = Vec::new();
            first.checkpoint(&mut checkpoint).unwrap();
            let again = run(start(&spec, 0..2, Some(&checkpoint)), 1000);
            assert_eq!(again.encode().unwrap(), whole.encode().unwrap(), "{name}, stopped at {stop}");
        }
        let mut checkpoint = Vec::new();
        start(&spec, 0..2, None).checkpoint(&mut checkpoint).unwrap();
        let other = PackRun::new(job(&one, &table, 0..2, STEPS), table.data(), Some(&checkpoint));
        assert!(
            matches!(other.err().unwrap(), TrainError::Checkpoint(_)),
            "{name}: another set of questions"
        );
    }
}

#[test]
fn views_that_nothing_varies_are_refused() {
    let (model, table) = common::architectures().remove(0);
    let spec = common::varied(model.clone(), recipe());
    let queries = viewed(&spec, 2).queries().clone();
    let job = PackJob { queries, ..job(&common::spec_of(model, recipe()), &table, 0..2, STEPS) };
    assert!(matches!(PackRun::new(job, table.data(), None).err().unwrap(), TrainError::Job(_)));
}
