//! An audit is cancelled in the middle.

use umbra_tests::{Audit, Cluster, turn};

use crate::baseline::undisturbed;
use crate::middle::checkpoint;

#[test]
fn cancelling_frees_every_slot_and_the_same_audit_runs_anew() {
    let _turn = turn();
    let cluster = Cluster::start(5);
    let workers = [cluster.worker("a", 2), cluster.worker("b", 1)];
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::medium());
    let at_work: Vec<_> = workers.iter().map(|worker| checkpoint(&cluster, worker, before, None)).collect();
    cluster.gauge("umbra_slots_busy", 3.0);

    let cancelled = cluster.ask(&["audit", "cancel", &id]).expect(0);
    assert_eq!(cancelled.json()["state"], "cancelled");
    for (worker, lost) in workers.iter().zip(at_work) {
        cluster.journal.wait(before, "a cancelled pack to be released", |entry| {
            worker.said(entry, "the pack is released") && entry.number("fence") >= lost.fence
        });
    }
    cluster.gauge("umbra_slots_busy", 0.0);
    assert_eq!(cluster.metrics().of("umbra_slots"), 3.0);
    let watched = cluster.ask(&["audit", "watch", &id]).expect(1);
    assert!(watched.err.contains("was cancelled"), "{watched:?}");
    cluster.ask(&["audit", "cancel", &id]).expect(0);
    let report = cluster.ask(&["audit", "report", &id, "--out", "nothing"]).expect(1);
    assert!(report.err.contains("was cancelled"), "{report:?}");

    cluster.ask(&["audit", "delete", &id]).expect(0);
    assert_eq!(cluster.submit(&Audit::medium()), id);
    cluster.findings(&id).assert_same(undisturbed(), "after a cancelled run");
    assert_eq!(cluster.metrics().of("umbra_stale_fences_refused_total"), 0.0);
    cluster.assert_healthy();
}
