//! Which audit gets the next slot.

use std::collections::BTreeMap;

use umbra_core::cluster::AuditDemand;

use crate::bench::{Bench, Given, audit, demand, given};

fn shares(packs: &[Given]) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for given in packs {
        *shares.entry(given.pack.audit.to_string()).or_default() += 1;
    }
    shares
}

#[test]
fn slots_are_shared_by_weight() {
    let mut bench = Bench::new();
    bench.submit("a", AuditDemand { weight: 3, ..demand(100) });
    bench.submit("b", AuditDemand { weight: 1, ..demand(100) });
    bench.submit("c", AuditDemand { weight: 0, ..demand(100) });
    let shares = shares(&bench.join("w", 20));
    assert_eq!(shares, BTreeMap::from([("a".into(), 12), ("b".into(), 4), ("c".into(), 4)]));
}

#[test]
fn priority_goes_first_and_age_breaks_ties() {
    let mut bench = Bench::new();
    bench.submit("z-first", demand(2));
    bench.submit("a-second", demand(2));
    bench.submit("urgent", AuditDemand { priority: 1, ..demand(2) });
    let order: Vec<_> = bench.join("w", 4).iter().map(|given| given.pack.audit.to_string()).collect();
    assert_eq!(order, ["urgent", "urgent", "z-first", "a-second"]);
}

#[test]
fn the_place_in_the_queue_is_the_number_of_audits_ahead() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    bench.submit("a", demand(2));
    bench.submit("b", demand(2));
    bench.submit("urgent", AuditDemand { priority: 1, memory_bytes: 1 << 30, ..demand(1) });
    bench.submit("other", AuditDemand { numerics: "y".into(), ..demand(1) });
    let position = |name| bench.cluster.queue_position(&audit(name));
    // a has the slot, so that b comes before it.
    assert_eq!(
        ["urgent", "b", "a", "other", "nobody"].map(position),
        [Some(0), Some(1), Some(2), Some(0), None]
    );
}

#[test]
fn a_newcomer_catches_up_as_slots_come_free() {
    let mut bench = Bench::new();
    bench.join("w", 4);
    let mut running = bench.submit("a", demand(100));
    bench.submit("b", demand(100));
    for _ in 0..2 {
        let done = running.remove(0);
        let next = given(&bench.done(&done));
        assert_eq!(next[0].pack.audit.as_str(), "b");
    }
    let done = running.remove(0);
    assert_eq!(given(&bench.done(&done))[0].pack.audit.as_str(), "a", "two and two are even");
}

#[test]
fn work_spreads_over_workers() {
    let mut bench = Bench::new();
    for name in ["w1", "w2", "w3"] {
        bench.join(name, 4);
    }
    let workers: Vec<_> =
        bench.submit("a", demand(6)).into_iter().map(|given| given.worker.to_string()).collect();
    assert_eq!(workers, ["w1", "w2", "w3", "w1", "w2", "w3"]);
}

#[test]
fn a_class_without_workers_holds_nobody_up() {
    let mut bench = Bench::new();
    bench.submit("gpu", AuditDemand { numerics: "cuda".into(), priority: 9, ..demand(5) });
    bench.submit("cpu", demand(5));
    assert_eq!(shares(&bench.join("w", 8)), BTreeMap::from([("cpu".into(), 5)]));
}
