//! `umbra run` interrupted, killed, and run again.

use umbra_tests::{Audit, Entry, Journal, Place, Process, Signal, Stream, command, turn};

use crate::embedded::{Run, reference};

/// Starts the run, sends a signal when a pack is done and others are at work, and answers with the exit
/// code and the words on stderr.
fn disturb(run: &Run, signal: Signal) -> (Option<i32>, String) {
    let journal = Journal::default();
    let mut command = command(run.folder(), &run.arguments(2));
    // For the line that tells of the checkpoint; without it only warnings are written.
    command.env("UMBRA_LOG", "info");
    let mut process = Process::start("run", command, &journal);
    let done = |entry: &Entry| entry.json()["progress"]["packs_done"].as_u64();
    let first = journal.wait(Place::default(), "the first pack", |entry| done(entry) >= Some(1));
    // Of three checkpoints on two slots one is the second of its pack: the first is stored by then.
    let mut checkpoints = 0;
    journal.wait(first.after, "checkpoints of others", |entry| {
        checkpoints += i32::from(entry.line.as_ref().is_some_and(|line| line.contains("hear of checkpoint")));
        checkpoints == 3
    });
    process.signal(signal);
    let code = process.exit_code();
    let most = journal.past().iter().filter_map(|entry| done(entry)).max();
    assert!(most < Some(Audit::medium().packs()), "the signal came too late");
    (code, process.written(Stream::Err))
}

#[test]
fn an_interrupted_run_exits_with_6_and_the_same_command_resumes() {
    let _turn = turn();
    let run = Run::of(&Audit::medium());
    let (code, words) = disturb(&run, Signal::Interrupt);
    assert_eq!(code, Some(6), "{words}");
    assert!(words.contains("run the same command again to resume"), "{words}");
    assert!(!run.out().join("summary.json").exists(), "nothing half-done looks done");

    run.go(2).expect(0);
    let facts = run.facts();
    assert!(facts["packs_resumed"].as_u64() >= Some(1), "{facts}");
    run.results().assert_same(reference(), "after an interruption");
    assert_eq!(reference().weights.len(), Audit::medium().shadows as usize);
    assert_eq!(run.results().weights, reference().weights);

    // Complete: the same command again does nothing and says so.
    let again = run.go(2).expect(0);
    assert!(again.err.contains("holds the findings of this audit already"), "{again:?}");
    assert_eq!(again.json()["event"], "done");
    assert_eq!(run.facts(), facts);
}

#[test]
fn a_killed_run_resumes() {
    let _turn = turn();
    let run = Run::of(&Audit::medium());
    let (code, _) = disturb(&run, Signal::Kill);
    assert_eq!(code, None);
    run.go(2).expect(0);
    let facts = run.facts();
    assert!(facts["packs_resumed"].as_u64() >= Some(1), "{facts}");
    run.results().assert_same(reference(), "after a kill");
    assert_eq!(run.results().weights, reference().weights);
}

#[test]
fn an_output_folder_of_another_audit_is_refused() {
    let _turn = turn();
    let run = Run::of(&Audit::tiny());
    run.go(1).expect(0);
    let other = Audit { epochs: 2, seed: 99, ..Audit::tiny() };
    other.write(run.folder());
    let refused = run.go(1).expect(2);
    for words in ["holds another audit", "seed differs", "training.epochs is 1 there, 2 here", "--out"] {
        assert!(refused.err.contains(words), "\"{words}\" is not in {refused:?}");
    }
}
