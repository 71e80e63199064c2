//! Random histories of a whole model cluster: crashes at any point, lost and late messages, zombies,
//! drains, cancels, failing transactions. Invariants S1 to S8 and P1 are checked after every step, and
//! after each history, with the faults stopped, that every audit ends and every slot comes free.
//!
//! `UMBRA_HISTORIES=N` runs N histories (10,000 unless set), `UMBRA_SEED=S` begins at seed S. A history
//! that fails is printed with the line that replays it alone.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod audits;
mod blobs;
mod chance;
mod chaos;
mod machine;
mod oracle;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{Tally, World};

const MOVES: u32 = 500;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// One history. Everything in it follows from its seed.
fn run(seed: u64, traced: bool) -> (Tally, Vec<String>, Result<(), String>) {
    let mut world = World::new(seed, traced);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        world.disturb(MOVES);
        world.settle();
    }));
    let outcome = outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    });
    (world.tally, world.trace.unwrap_or_default(), outcome)
}

fn replay(seed: u64) -> ! {
    let (_, trace, outcome) = run(seed, true);
    let tail = trace.len().saturating_sub(60);
    eprintln!("{}", trace[tail..].join("\n"));
    panic!(
        "seed {seed}: {}\nreplay: UMBRA_SEED={seed} UMBRA_HISTORIES=1 cargo test -p umbra-core --test histories",
        outcome.err().unwrap_or_else(|| "the failure did not come again".to_owned())
    );
}

#[test]
fn every_history_keeps_the_invariants_and_ends() {
    let (seed, histories) = (number("UMBRA_SEED", 1), number("UMBRA_HISTORIES", 10_000));
    println!("UMBRA_SEED={seed} UMBRA_HISTORIES={histories}");
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let parts: Vec<Result<Tally, u64>> = std::thread::scope(|scope| {
        let run_part = |part: u64| {
            let mut tally = Tally::default();
            for seed in (seed..seed + histories).skip(part as usize).step_by(threads as usize) {
                let (counted, _, outcome) = run(seed, false);
                outcome.map_err(|_| seed)?;
                tally.add(&counted);
            }
            Ok(tally)
        };
        let handles: Vec<_> = (0..threads).map(|part| scope.spawn(move || run_part(part))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let mut tally = Tally::default();
    for part in parts {
        tally.add(&part.unwrap_or_else(|seed| replay(seed)));
    }
    println!("{tally:#?}");
    if histories >= 1_000 {
        let expected = [
            "assigned to a larger slot",
            "assigned with a checkpoint",
            "assigned with kept weights",
            "audits cancelled",
            "audits failed",
            "audits succeeded",
            "cancels asked",
            "coordinator crashes",
            "crashes between commit and actions",
            "deletes asked",
            "drained",
            "ingests and analyses failed",
            "links broken",
            "machines broken",
            "machines frozen",
            "machines killed",
            "moved to a faster slot",
            "refused",
            "sessions replaced",
            "slots lost",
            "submitted with results",
            "transactions failed",
            "transactions in doubt",
            "workers quarantined",
        ];
        for what in expected {
            assert!(
                tally.0.get(what).is_some_and(|times| *times >= histories / 100),
                "too few {what}: {tally:?}"
            );
        }
    }
}

#[test]
fn a_seed_replays_its_history_exactly() {
    let (first, second) = (run(7, true), run(7, true));
    assert!(first.1.len() > 100, "{}", first.1.len());
    assert_eq!(first, second);
}
