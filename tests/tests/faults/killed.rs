//! A worker is killed between a checkpoint and its report.

use umbra_tests::{Audit, Cluster, turn};

use crate::baseline::undisturbed;
use crate::middle::{assigned, checkpoint};

#[test]
fn another_worker_goes_on_from_the_checkpoint() {
    let _turn = turn();
    let cluster = Cluster::start(1);
    let mut victim = cluster.worker("victim", 1);
    let heir = cluster.worker("heir", 1);
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::medium());

    let lost = checkpoint(&cluster, &victim, before, None);
    victim.process.kill();

    let again = assigned(&cluster, &heir, before, lost.pack);
    assert!(again.number("fence") > lost.fence);
    let resumed = again.number("resume_step");
    assert!(resumed >= lost.step && resumed > 0, "{again}");
    assert!(again.number("steps_again") < Audit::CHECKPOINT_STEPS, "{again}");
    // The worker says so itself: the checkpoint's bytes were found and taken.
    let fence = again.number("fence");
    let taken = cluster.journal.wait(again.after, "the heir to go on from the checkpoint", |entry| {
        heir.said(entry, "go on from a checkpoint") && entry.number("fence") == fence
    });
    assert_eq!(taken.number("step"), resumed);

    cluster.findings(&id).assert_same(undisturbed(), "after the loss of a worker");
    let metrics = cluster.metrics();
    assert_eq!(metrics.of("umbra_packs_resumed_total"), 1.0);
    assert_eq!(metrics.of("umbra_packs_assigned_total"), Audit::medium().packs() as f64 + 1.0);
    assert!(metrics.of("umbra_steps_recomputed_total") < Audit::CHECKPOINT_STEPS as f64);
    assert_eq!(metrics.of("umbra_stale_fences_refused_total"), 0.0);
    cluster.assert_healthy();
}
