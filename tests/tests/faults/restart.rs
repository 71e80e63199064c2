//! The coordinator goes away in the middle and comes back over the same state.

use umbra_tests::{Audit, Cluster, Signal, turn};

use crate::baseline::undisturbed;
use crate::middle::{begun, checkpoint};

/// Nothing that was reported is lost, and what runs on living workers goes on: every pack is begun once.
fn comes_back(signal: Signal, expected: Option<i32>) {
    let _turn = turn();
    let mut cluster = Cluster::start(5);
    let (a, b) = (cluster.worker("a", 1), cluster.worker("b", 1));
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::medium());
    let mut watch = cluster.watch("watch", &id);
    let first_done =
        cluster.journal.wait(before, "the first pack", |entry| a.said(entry, "the pack is done"));
    checkpoint(&cluster, &a, first_done.after, None);

    let before = cluster.journal.now();
    assert_eq!(cluster.restart(signal), expected);

    for worker in [&a, &b] {
        let joined = cluster.journal.wait(before, "a worker to come back", |entry| {
            entry.is(cluster.coordinator(), "worker joined") && worker.is_meant(entry)
        });
        let said = cluster.journal.past();
        let reconnected = said.iter().any(|entry| worker.said(entry, "joined the coordinator"));
        assert!(reconnected, "{joined}");
        // The fault fired: it was at work, or had a report that nobody had acknowledged.
        assert_eq!(joined.number("running"), 1, "{joined}");
    }
    cluster.findings(&id).assert_same(undisturbed(), "after a restart of the coordinator");
    let mut packs = begun(&cluster, &[&a, &b]);
    packs.sort_unstable();
    assert_eq!(packs, (0..Audit::medium().packs()).collect::<Vec<_>>(), "packs begun");
    assert_eq!(cluster.metrics().of("umbra_stale_fences_refused_total"), 0.0);
    // A watcher finds its way back, too.
    assert_eq!(watch.exit_code(), Some(0));
    cluster.assert_healthy();
}

#[test]
fn a_killed_coordinator_goes_on() {
    comes_back(Signal::Kill, None);
}

#[test]
fn a_coordinator_that_is_told_to_end_exits_with_0_and_goes_on() {
    comes_back(Signal::Terminate, Some(0));
}
