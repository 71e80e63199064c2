//! Weights of whole packs: other queries put to them answer as they do after training, and nothing is trained.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::faulty::Faulty;
use common::{Table, job, run, viewed};
use umbra_core::spec::{AuditSpec, TrainingDraft};
use umbra_train::pack::CheckpointError;
use umbra_train::{PackRun, Status, TrainError};

const STEPS: u64 = 12;

fn recipe() -> TrainingDraft {
    TrainingDraft { learning_rate: Some(0.05), batch: Some(8), epochs: Some(2), ..TrainingDraft::default() }
}

fn table() -> Table {
    Table::new(60, 7, 3)
}

fn mlp(training: TrainingDraft) -> AuditSpec {
    let model = common::spec(&[9], training.clone()).to_draft().model;
    common::varied(model, training)
}

fn start<'d>(spec: &AuditSpec, table: &'d Table, from: Option<&[u8]>) -> PackRun<'d> {
    PackRun::new(job(spec, table, 2..5, STEPS), table.data(), from).unwrap()
}

fn collect(mut run: PackRun<'_>) -> Option<Vec<u8>> {
    run.collect_weights();
    collected(run)
}

fn collected(mut run: PackRun<'_>) -> Option<Vec<u8>> {
    while run.advance(5).unwrap() != Status::Done {}
    run.collected_weights()
}

/// Which (shadow, attempt) are bad, and which (shadow, view) mute.
type Wrong<'a> = (&'a [(u32, u32)], &'a [(u32, u32)]);

/// A run with shadows that go wrong, and the steps it takes.
fn faulty<'d>(
    spec: &AuditSpec,
    table: &'d Table,
    (bad, mute): Wrong<'_>,
    from: Option<&[u8]>,
) -> (PackRun<'d>, Rc<Cell<u64>>) {
    let engine = Faulty::new((spec, table, STEPS), bad, mute);
    let steps = engine.steps();
    let job = job(spec, table, 2..5, STEPS);
    (PackRun::with_engine(job, table.data(), Box::new(engine), from).unwrap(), steps)
}

#[test]
fn other_queries_are_answered_as_after_training() {
    for average in [None, Some(0.8)] {
        for optimizer in ["sgd", "adamw"] {
            for ((model, table), dropout) in common::with_dropout(&[None, Some(0.3)]) {
                let name = model.architecture.clone();
                let training =
                    TrainingDraft { optimizer: Some(optimizer.into()), ema: average, dropout, ..recipe() };
                let one = common::varied(model, training);
                let three = viewed(&one, 3);
                let weights = collect(start(&one, &table, None)).unwrap();
                assert!(collect(start(&three, &table, None)).unwrap() == weights, "{name}: of any queries");
                let again = start(&three, &table, Some(&weights));
                let expected = Status::Running {
                    step: 3 * STEPS,
                    total_steps: 3 * STEPS,
                    shadows_done: 0,
                    samples: 3 * STEPS * 8,
                };
                assert_eq!(again.status(), expected);
                let trained = run(start(&three, &table, None), 7).encode().unwrap();
                assert!(run(again, 7).encode().unwrap() == trained, "{name}, {optimizer}, {average:?}");
                // What was asked can be kept once more.
                assert!(collect(start(&three, &table, Some(&weights))).unwrap() == weights, "{name}");
            }
        }
    }
}

#[test]
fn a_run_that_stopped_has_the_same_weights() {
    let (spec, table) = (mlp(recipe()), table());
    let whole = collect(start(&spec, &table, None)).unwrap();
    for stop in [0, 5, 12, 13, 20, 27, 38] {
        let mut first = start(&spec, &table, None);
        first.collect_weights();
        first.advance(stop).unwrap();
        let mut checkpoint = Vec::new();
        first.checkpoint(&mut checkpoint).unwrap();
        let second = start(&spec, &table, Some(&checkpoint));
        assert!(collect(second) == Some(whole.clone()), "stopped at {stop}");
        // In the middle of asking kept ones, too.
        let other = viewed(&spec, 2);
        let mut asking = start(&other, &table, Some(&whole));
        asking.collect_weights();
        asking.advance(stop.min(5)).unwrap();
        asking.checkpoint(&mut checkpoint).unwrap();
        let expected = run(start(&other, &table, None), 9).encode().unwrap();
        let asked = start(&other, &table, Some(&checkpoint));
        assert!(run(asked, 9).encode().unwrap() == expected, "stopped at {stop}");
    }
}

/// From a checkpoint that was made without them, the weights of shadows that were done by then are missing.
#[test]
fn what_is_missing_is_not_made_up() {
    let (spec, table) = (mlp(recipe()), table());
    let mut first = start(&spec, &table, None);
    first.advance(STEPS + 1).unwrap();
    let mut checkpoint = Vec::new();
    first.checkpoint(&mut checkpoint).unwrap();
    assert_eq!(checkpoint[8..12], 1_u32.to_le_bytes(), "as earlier releases read it");
    assert_eq!(collect(start(&spec, &table, Some(&checkpoint))), None);
    assert_eq!(collected(start(&spec, &table, None)), None, "nobody asked");
}

#[test]
fn shadows_that_diverged_in_training_are_lost_again_without_it() {
    let (spec, table) = (mlp(recipe()), table());
    // One diverges once, one twice.
    let wrong: Wrong<'_> = (&[(2, 0), (3, 0), (3, 1)], &[]);
    let weights = collect(faulty(&spec, &table, wrong, None).0).unwrap();
    let other = viewed(&spec, 2);
    let trained = run(faulty(&other, &table, wrong, None).0, 7);
    let (again, steps) = faulty(&other, &table, wrong, Some(&weights));
    let asked = run(again, 7);
    assert_eq!((asked.lost(), steps.get()), (&[3][..], 0));
    assert!(asked.encode().unwrap() == trained.encode().unwrap());
}

#[test]
fn shadows_that_give_no_numbers_are_trained_again_as_ever() {
    let (spec, table) = (mlp(recipe()), table());
    let three = viewed(&spec, 3);
    // To a view that only the second audit asks for.
    let wrong: Wrong<'_> = (&[], &[(3, 2)]);
    let weights = collect(faulty(&spec, &table, wrong, None).0).unwrap();
    let trained = run(faulty(&three, &table, wrong, None).0, 7);
    let (again, steps) = faulty(&three, &table, wrong, Some(&weights));
    let asked = run(again, 7);
    assert_eq!((asked.lost(), steps.get()), (&[3][..], STEPS));
    assert!(asked.encode().unwrap() == trained.encode().unwrap());
    // Of a pack that was trained again for its answers, nothing is kept: one view alone would have found it well.
    assert_eq!(collect(faulty(&three, &table, wrong, None).0), None);
}

/// What a checkpoint says of a shadow that was tried again or lost does not say why.
#[test]
fn a_pack_that_gave_no_numbers_keeps_nothing_after_a_stop_either() {
    let (spec, table) = (viewed(&mlp(recipe()), 3), table());
    // Three views of 60 records are three queries: in the second attempt at the first shadow, and after both.
    for stop in [STEPS + 4, 2 * (STEPS + 3) + 1] {
        let (mut first, _) = faulty(&spec, &table, (&[], &[(2, 2)]), None);
        first.collect_weights();
        first.advance(stop).unwrap();
        let mut checkpoint = Vec::new();
        first.checkpoint(&mut checkpoint).unwrap();
        let (second, _) = faulty(&spec, &table, (&[], &[(2, 2)]), Some(&checkpoint));
        assert!(collect(second).is_none(), "stopped at {stop}");
    }
}

#[test]
fn weights_that_are_not_these_are_refused() {
    let (spec, table) = (mlp(recipe()), table());
    let weights = collect(start(&spec, &table, None)).unwrap();
    let refused = |spec: &AuditSpec, shadows: std::ops::Range<u32>, bytes: &[u8]| match PackRun::new(
        job(spec, &table, shadows, STEPS),
        table.data(),
        Some(bytes),
    ) {
        Err(TrainError::Checkpoint(error)) => Some(error),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    };
    assert_eq!(refused(&spec, 2..5, &weights), None);
    let other = mlp(TrainingDraft { learning_rate: Some(0.06), ..recipe() });
    assert_eq!(refused(&other, 2..5, &weights), Some(CheckpointError::OtherJob));
    assert_eq!(refused(&spec, 2..4, &weights), Some(CheckpointError::OtherJob));
    for at in [20, 44, 50, weights.len() - 40, weights.len() - 1] {
        let mut damaged = weights.clone();
        damaged[at] ^= 1;
        assert!(matches!(refused(&spec, 2..5, &damaged), Some(CheckpointError::Damaged(_))), "{at}");
    }
    for length in [0, 7, 9, 40, 60, weights.len() - 1] {
        assert!(refused(&spec, 2..5, &weights[..length]).is_some(), "{length}");
    }
    let mut later = weights.clone();
    later[8] = 9;
    assert_eq!(refused(&spec, 2..5, &later), Some(CheckpointError::Version { found: 9, known: 1 }));
}
