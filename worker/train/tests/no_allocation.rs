//! Training allocates nothing once it runs: counted across epoch ends, the end of a shadow, its queries, the
//! start of the next shadow, and a checkpoint into a buffer that is used again.
#![allow(clippy::unwrap_used)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use umbra_core::spec::TrainingDraft;
use umbra_train::cpu::CpuSizes;
use umbra_train::network::Network;
use umbra_train::{PackRun, Status};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain thread-local cells
// that need no allocation of their own.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as u64));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

#[test]
fn nothing_is_allocated_after_warm_up() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1, "the counter counts");
    let table = common::Table::new(300, 9, 3);
    let draft = TrainingDraft {
        learning_rate: Some(0.1),
        batch: Some(32),
        epochs: Some(10),
        ..TrainingDraft::default()
    };
    let spec = common::spec(&[20, 20], draft);
    let mut run = PackRun::new(common::job(&spec, &table, 0..3, 47), table.data(), None).unwrap();
    let mut checkpoint = Vec::new();
    // The checkpoint's buffer grows to its largest, with logits of finished shadows in it.
    while !matches!(run.advance(1).unwrap(), Status::Running { shadows_done: 2, .. }) {}
    run.advance(1).unwrap();
    run.checkpoint(&mut checkpoint).unwrap();
    let mut run = PackRun::new(common::job(&spec, &table, 0..3, 47), table.data(), None).unwrap();
    run.advance(2).unwrap();
    // 47 steps of 32 from about 150 members: ten epochs; then queries and the next shadow.
    let mut stored = 0;
    let during = allocations(|| {
        while !matches!(run.advance(1).unwrap(), Status::Running { shadows_done: 2, .. }) {
            run.checkpoint(&mut checkpoint).unwrap();
            stored += 1;
        }
    });
    assert!(stored > 90, "{stored}");
    assert_eq!(during, 0);
}

/// Of every architecture, with all that a recipe can switch on.
#[test]
fn no_architecture_allocates_after_warm_up_and_all_take_the_memory_that_is_planned() {
    for ((model, table), dropout) in common::with_dropout(&[None, Some(0.2)]) {
        let name = format!("{}, dropout {dropout:?}", model.architecture);
        let draft = TrainingDraft {
            learning_rate: Some(0.01),
            batch: Some(16),
            epochs: Some(10),
            clip_norm: Some(1.0),
            ema: Some(0.9),
            label_smoothing: Some(0.1),
            dropout,
            ..TrainingDraft::default()
        };
        let spec = common::viewed(&common::varied(model, draft), 3);
        let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
        let cost = network.cost(spec.training(), &CpuSizes);
        let before = BYTES.with(Cell::get);
        let mut run = PackRun::new(common::job(&spec, &table, 0..2, 7), table.data(), None).unwrap();
        let taken = (BYTES.with(Cell::get) - before) as f64;
        let planned = (cost.bytes + cost.host_bytes) as f64;
        assert!((0.83..1.2).contains(&(taken / planned)), "{name}: {taken} bytes, {planned} planned");
        // The first step sizes the rows of norms and masks; the checkpoint's buffer grows to its largest beforehand.
        run.advance(1).unwrap();
        let mut checkpoint = Vec::with_capacity(16 << 20);
        let during = allocations(|| {
            while run.advance(1).unwrap() != Status::Done {
                run.checkpoint(&mut checkpoint).unwrap();
            }
        });
        assert_eq!(during, 0, "{name}");
    }
}

#[test]
fn a_pack_takes_the_memory_that_is_planned_for_it() {
    let table = common::Table::new(300, 60, 3);
    for optimizer in ["sgd", "adamw"] {
        let draft = TrainingDraft {
            optimizer: Some(optimizer.into()),
            learning_rate: Some(0.1),
            batch: Some(256),
            epochs: Some(10),
            ..TrainingDraft::default()
        };
        let spec = common::spec(&[300, 200], draft);
        let job = common::job(&spec, &table, 0..3, 47);
        let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
        let cost = network.cost(spec.training(), &CpuSizes);
        let before = BYTES.with(Cell::get);
        let run = PackRun::new(job, table.data(), None).unwrap();
        let taken = (BYTES.with(Cell::get) - before) as f64;
        drop(run);
        let planned = (cost.bytes + cost.host_bytes) as f64;
        assert!((0.95..1.1).contains(&(taken / planned)), "{optimizer}: {taken} bytes, {planned} planned");
    }
}
