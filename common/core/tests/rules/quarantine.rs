//! Workers that fail everything get no more packs for a while.

use umbra_core::cluster::{AuditDemand, Event};
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::lifecycle::AuditState;

use crate::bench::{Bench, Given, audit, demand, given, pack, worker};

const MINUTE: u64 = 60_000;

/// `bad` with two slots and `good` with one, and what runs on them.
fn beside_a_good_one() -> (Bench, Vec<Given>) {
    let mut bench = Bench::new();
    bench.join("bad", 2);
    bench.join("good", 1);
    let packs = bench.submit("a", demand(20));
    assert_eq!(packs.len(), 3);
    (bench, packs)
}

/// Fails whatever `bad` is given, so many times; what it is given last.
fn fail_all(bench: &mut Bench, mut current: Vec<Given>, times: usize) -> Vec<Given> {
    for _ in 0..times {
        let first = current.remove(0);
        assert_eq!(first.worker, worker("bad"));
        current.extend(given(&bench.fail(&first, Retry::Elsewhere)));
    }
    current
}

fn of(name: &str, packs: Vec<Given>) -> Vec<Given> {
    packs.into_iter().filter(|given| given.worker == worker(name)).collect()
}

fn seconds_left(bench: &Bench, name: &str) -> Option<u64> {
    bench.cluster.worker(&worker(name)).unwrap().quarantine.map(|quarantine| quarantine.wait_ms / 1000)
}

#[test]
fn three_failures_in_a_row_of_different_packs_are_the_workers_own() {
    let (mut bench, packs) = beside_a_good_one();
    let good = of("good", packs.clone()).remove(0);
    let left = fail_all(&mut bench, of("bad", packs), 2);
    assert_eq!(bench.cluster.pack(&pack("a", 0)).unwrap().attempts, 1);
    let left = fail_all(&mut bench, left, 1);
    assert_eq!(left.len(), 1, "what it is at work on goes on, and it gets nothing new");
    assert_eq!(seconds_left(&bench, "bad"), Some(60));
    for index in [0, 2, 3] {
        let record = bench.cluster.pack(&pack("a", index)).unwrap();
        assert_eq!((record.attempts, record.losses), (0, 1), "pack {index} is not to blame");
    }
    // So is what it was at work on; but what a slot reports afterwards prolongs nothing.
    bench.fail(&left[0], Retry::Elsewhere);
    let record = bench.cluster.pack(&left[0].pack).unwrap();
    assert_eq!((record.attempts, record.losses, seconds_left(&bench, "bad")), (0, 1, Some(60)));

    assert!(given(&bench.wait(MINUTE - 1)).is_empty());
    let again = given(&bench.wait(1));
    assert_eq!((of("bad", again.clone()).len(), seconds_left(&bench, "bad")), (2, None));
    bench.progress(&good, None);
    // One more, without a success since, and it is there for twice as long.
    fail_all(&mut bench, of("bad", again), 1);
    assert_eq!(seconds_left(&bench, "bad"), Some(120));
}

#[test]
fn a_success_that_is_verified_forgives_everything() {
    let (mut bench, packs) = beside_a_good_one();
    let mut left = fail_all(&mut bench, of("bad", packs), 2);
    let done = left.remove(0);
    left.extend(given(&bench.done(&done)));
    bench.ingest(&done);
    let left = fail_all(&mut bench, left, 2);
    assert_eq!((left.len(), seconds_left(&bench, "bad")), (2, None));
    // One whose result is of no use is one more failure.
    bench.done(&left[0]);
    let outcome = Err(Fault::new(Domain::Worker, Retry::Elsewhere, "not what it says it is"));
    bench.step(Event::Ingested { pack: left[0].pack.clone(), fence: left[0].fence, outcome });
    assert_eq!(seconds_left(&bench, "bad"), Some(60));
}

#[test]
fn a_hello_does_not_lift_it_and_a_new_worker_is_a_new_one() {
    let (mut bench, packs) = beside_a_good_one();
    let left = fail_all(&mut bench, of("bad", packs), 3);
    bench.fail(&left[0], Retry::Elsewhere);
    bench.gone("bad");
    assert!(bench.cluster.worker(&worker("bad")).is_none());
    assert!(bench.join("bad", 2).is_empty());
    assert_eq!(seconds_left(&bench, "bad"), Some(60));
    assert_eq!(bench.join("worse", 2).len(), 2);

    // What only a worker in quarantine is large enough for waits for that one.
    bench.join_sized("small", &[1]);
    bench.submit("large", AuditDemand { memory_bytes: 1 << 30, priority: 1, ..demand(9) });
    for name in ["good", "worse"] {
        bench.step(Event::DrainAsked { worker: worker(name) });
    }
    assert!(
        bench.reason("large").starts_with("worker bad failed several packs"),
        "{}",
        bench.reason("large")
    );
    bench.step(Event::DrainAsked { worker: worker("small") });
    assert_eq!(
        bench.reason("a"),
        "worker bad failed several packs in a row and gets no more for 60 s, after: the device broke"
    );
}

#[test]
fn the_last_worker_is_never_put_in_quarantine() {
    let mut bench = Bench::new();
    bench.join("bad", 2);
    let mut current = bench.submit("a", demand(20));
    let mut failures = 0;
    while bench.state("a") == AuditState::Running {
        let first = current.remove(0);
        current.extend(given(&bench.fail(&first, Retry::Elsewhere)));
        failures += 1;
        assert!(failures < 10 && seconds_left(&bench, "bad").is_none());
    }
    assert!(bench.cluster.audit(&audit("a")).unwrap().fault.is_some(), "it fails fast, as it always did");
}

#[test]
fn one_pack_that_fails_everywhere_is_to_blame_itself() {
    let mut bench = Bench::new();
    for name in ["w1", "w2", "w3"] {
        bench.join(name, 1);
    }
    let mut current = bench.submit("a", demand(1)).remove(0);
    for _ in 0..2 {
        current = given(&bench.fail(&current, Retry::Elsewhere)).remove(0);
    }
    bench.fail(&current, Retry::Elsewhere);
    assert_eq!(bench.state("a"), AuditState::Failed);
    assert!(bench.cluster.workers().all(|worker| worker.quarantine.is_none()));
}
