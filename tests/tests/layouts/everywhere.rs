//! One slot or several, one process or many.

use umbra_tests::{Audit, Cluster, turn};

use crate::embedded::{Results, Run, reference};

#[test]
fn two_embedded_slots_give_the_bytes_of_one() {
    let _turn = turn();
    let run = Run::of(&Audit::medium());
    run.go(2).expect(0);
    run.results().assert_same(reference(), "two embedded slots");
}

/// Runs the audit on workers with so many slots each.
fn on_cluster(slots: &[u32], what: &str) {
    let _turn = turn();
    let mut cluster = Cluster::start(30);
    let names = ["a", "b", "c"];
    let workers: Vec<_> = names.iter().zip(slots).map(|(name, &slots)| cluster.worker(name, slots)).collect();
    let id = cluster.submit(&Audit::medium());
    let findings = cluster.findings(&id);
    for worker in &workers {
        let past = cluster.journal.past();
        let worked = past.iter().any(|entry| worker.said(entry, "the pack is done"));
        assert!(worked, "{what}: {} did nothing", worker.process.name());
    }
    Results::read(findings, &cluster.stop()).assert_same(reference(), what);
}

#[test]
fn one_worker_of_one_slot_gives_the_same_bytes() {
    on_cluster(&[1], "one worker");
}

#[test]
fn three_workers_give_the_same_bytes() {
    on_cluster(&[1, 1, 1], "three workers");
}

#[test]
fn a_worker_of_two_slots_beside_one_of_one_gives_the_same_bytes() {
    on_cluster(&[2, 1], "two slots and one");
}

#[test]
fn larger_packs_change_no_finding() {
    let _turn = turn();
    let run = Run::of(&Audit { pack: 8, ..Audit::medium() });
    run.go(2).expect(0);
    let (larger, usual) = (run.results().findings, &reference().findings);
    for name in ["membership.npy", "scores-lira-online.npy", "scores-global.npy", "records.parquet"] {
        assert_eq!(larger.digest(name), usual.digest(name), "{name}");
    }
}
