//! Releases side by side: an audit begins on the previous release and ends on this one, each part replaced while it runs.
//! Needs the previous release's binary in `UMBRA_PREVIOUS`; `tests/run upgrade` builds it.
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

use std::path::PathBuf;

use umbra_tests::{Audit, Cluster, Signal, Worker, turn};

fn previous() -> Option<PathBuf> {
    let path = std::env::var_os("UMBRA_PREVIOUS").filter(|path| !path.is_empty());
    if path.is_none() {
        println!("skipped: UMBRA_PREVIOUS names no binary of the previous release (bash tests/run upgrade)");
    }
    path.map(PathBuf::from)
}

fn retire(mut worker: Worker) {
    worker.process.signal(Signal::Terminate);
    assert_eq!(worker.process.exit_code(), Some(0), "the end of {}", worker.process.name());
}

#[test]
fn an_audit_goes_through_an_upgrade_without_a_trace_in_its_findings() {
    let Some(previous) = previous() else { return };
    let _turn = turn();
    let undisturbed = {
        let cluster = Cluster::start(30);
        let _worker = cluster.worker("undisturbed", 2);
        cluster.findings(&cluster.submit(&Audit::medium()))
    };

    let mut cluster = Cluster::of_release(&previous, &["--lease", "30"]);
    let old = cluster.worker_of(&previous, "old", 1);
    let before = cluster.journal.now();
    // The client is new all the while.
    let id = cluster.submit(&Audit::medium());
    let coordinator = cluster.coordinator().to_owned();
    let at_work = cluster.journal.wait(before, "a checkpoint on the old worker", |entry| {
        entry.is(&coordinator, "hear of checkpoint") && old.is_meant(entry)
    });
    retire(old);

    // Workers may be replaced first: a new one takes up what the old one left, under the old coordinator.
    let new = cluster.worker("new", 1);
    cluster.journal.wait(at_work.after, "the new worker to go on from the old one's checkpoint", |entry| {
        new.said(entry, "go on from a checkpoint")
    });
    let done = cluster
        .journal
        .wait(at_work.after, "a pack of the new worker", |entry| new.said(entry, "the pack is done"));

    // The coordinator is replaced over the same state, under a new worker.
    cluster.upgrade();
    let joined = cluster.journal.wait(done.after, "the new worker to come back", |entry| {
        entry.is(cluster.coordinator(), "worker joined") && new.is_meant(entry)
    });

    // Or coordinators first: old workers go on under the new one, and finish.
    let late = cluster.worker_of(&previous, "late", 1);
    retire(new);
    cluster.findings(&id).assert_same(&undisturbed, "through an upgrade");
    let finished = cluster.journal.past().iter().any(|entry| late.said(entry, "the pack is done"));
    assert!(finished, "the old worker did nothing under the new coordinator since {joined}");
    cluster.assert_healthy();
}
