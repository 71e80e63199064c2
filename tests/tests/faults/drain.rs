//! A worker is told to go.

use std::sync::Arc;

use umbra_tests::{Audit, Cluster, Entry, Place, Signal, Worker, turn};

use crate::baseline::undisturbed;
use crate::middle::{AtWork, assigned, checkpoint};

/// A worker in the middle of a pack of an audit. The lease is long: what is handed back does not wait for it.
fn at_work() -> (Cluster, Worker, Place, String, AtWork) {
    let cluster = Cluster::start(600);
    let leaver = cluster.worker("leaver", 1);
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::medium());
    let at_work = checkpoint(&cluster, &leaver, before, None);
    (cluster, leaver, before, id, at_work)
}

/// Waits for the release of its pack, with the checkpoint of the moment it was told to go, not an earlier one.
fn released(cluster: &Cluster, leaver: &Worker, from: Place, at_work: AtWork) -> Arc<Entry> {
    let released =
        cluster.journal.wait(from, "the release", |entry| leaver.said(entry, "the pack is released"));
    assert!(released.number("checkpoint") >= at_work.step, "{released}");
    released
}

#[test]
fn a_drained_worker_hands_back_everything_it_did() {
    let _turn = turn();
    let (cluster, mut leaver, before, id, at_work) = at_work();
    leaver.process.signal(Signal::Terminate);
    assert_eq!(leaver.process.exit_code(), Some(0));
    cluster.journal.wait(before, "the goodbye", |entry| {
        entry.is(cluster.coordinator(), "worker left") && leaver.is_meant(entry)
    });
    let released = released(&cluster, &leaver, before, at_work);
    let handed_back = released.number("checkpoint");

    let stayer = cluster.worker("stayer", 2);
    let again = assigned(&cluster, &stayer, released.after, at_work.pack);
    assert_eq!((again.number("resume_step"), again.number("steps_again")), (handed_back, 0));
    let fence = again.number("fence");
    let taken = cluster.journal.wait(again.after, "the stayer to go on from the checkpoint", |entry| {
        stayer.said(entry, "go on from a checkpoint") && entry.number("fence") == fence
    });
    assert_eq!(taken.number("step"), handed_back);

    cluster.findings(&id).assert_same(undisturbed(), "after a worker was drained");
    let metrics = cluster.metrics();
    assert_eq!(metrics.of("umbra_steps_recomputed_total"), 0.0);
    assert_eq!(metrics.of("umbra_packs_resumed_total"), 1.0);
    cluster.assert_healthy();
}

#[test]
fn a_worker_that_an_operator_drains_ends_and_its_pack_goes_on_elsewhere() {
    let _turn = turn();
    let (cluster, mut leaver, before, id, at_work) = at_work();
    let drained = cluster.ask(&["worker", "drain", &leaver.id]).expect(0);
    assert_eq!(drained.json()["draining"], true, "{drained:?}");
    assert_eq!(leaver.process.exit_code(), Some(0));
    let released = released(&cluster, &leaver, before, at_work);
    let handed_back = released.number("checkpoint");
    // It is gone, so there is nobody to drain.
    let gone = cluster.ask(&["worker", "drain", &leaver.id]).expect(1);
    assert!(gone.err.contains("`umbra worker list` shows who is"), "{gone:?}");

    let stayer = cluster.worker("stayer", 2);
    let again = assigned(&cluster, &stayer, released.after, at_work.pack);
    assert_eq!((again.number("resume_step"), again.number("steps_again")), (handed_back, 0));
    cluster.findings(&id).assert_same(undisturbed(), "after an operator drained a worker");
    assert_eq!(cluster.metrics().of("umbra_steps_recomputed_total"), 0.0);
    cluster.assert_healthy();
}

#[test]
fn peers_that_do_not_move_keep_no_coordinator_from_ending() {
    let _turn = turn();
    let mut cluster = Cluster::start(30);
    let mut worker = cluster.worker("frozen", 1);
    worker.process.signal(Signal::Stop);
    let _silent = cluster.connect();
    // Asserts that it exits with 0.
    cluster.stop();
}
