//! Slots of different sizes, and audits that may use a few of them only.

use umbra_core::cluster::AuditDemand;
use umbra_core::fault::Retry;
use umbra_core::lifecycle::AuditState;

use crate::bench::{Bench, Given, LEASE, audit, demand, given, pack, worker};

const GIB: u64 = 1 << 30;

fn needs(bytes: u64, packs: u32) -> AuditDemand {
    AuditDemand { memory_bytes: bytes, ..demand(packs) }
}

fn places(given: &[Given]) -> Vec<String> {
    given.iter().map(|given| format!("{} {}:{}", given.pack, given.worker, given.slot)).collect()
}

#[test]
fn the_smallest_slot_that_is_large_enough_is_used_first() {
    let mut bench = Bench::new();
    bench.join_sized("w", &[80 * GIB, 16 * GIB, 24 * GIB]);
    assert_eq!(places(&bench.submit("a", needs(20 * GIB, 1))), ["a/0 w:2"]);
    assert_eq!(places(&bench.submit("b", needs(20 * GIB, 1))), ["b/0 w:0"]);
    assert!(bench.submit("c", needs(20 * GIB, 1)).is_empty());
    assert_eq!(bench.reason("c"), "all 2 slots that could take it are busy");
    assert_eq!(places(&bench.submit("d", needs(0, 1))), ["d/0 w:1"]);
}

#[test]
fn a_slot_that_does_not_tell_holds_everything_and_comes_last() {
    let mut bench = Bench::new();
    bench.join_sized("w", &[0, 16 * GIB]);
    assert_eq!(places(&bench.submit("a", needs(8 * GIB, 2))), ["a/0 w:1", "a/1 w:0"]);
    bench.join("other", 1);
    assert_eq!(places(&bench.submit("b", needs(1 << 60, 1))), ["b/0 other:0"]);
}

#[test]
fn a_large_pack_waits_for_its_slot_and_the_small_ones_behind_it_go_on() {
    let mut bench = Bench::new();
    bench.join_sized("w", &[80 * GIB, 16 * GIB]);
    let first = bench.submit("a", needs(40 * GIB, 2));
    assert_eq!(places(&first), ["a/0 w:0"]);
    assert_eq!(places(&bench.submit("b", needs(8 * GIB, 3))), ["b/0 w:1"]);
    // Both wait for the large slot now, and the fair order decides as ever: a has none, b has one.
    assert_eq!(places(&given(&bench.done(&first[0]))), ["a/1 w:0"]);
}

#[test]
fn what_no_slot_could_ever_hold_says_so() {
    let mut bench = Bench::new();
    bench.join_sized("w", &[16 * GIB, 24 * GIB]);
    assert!(bench.submit("a", needs(40 * GIB, 2)).is_empty());
    assert_eq!(
        bench.reason("a"),
        "a shadow needs a slot of 40.0 GiB and the largest has 24.0 GiB: use a smaller model or batch, or a \
         larger device"
    );
    assert_eq!(places(&bench.join_sized("large", &[40 * GIB])), ["a/0 large:0"]);
    bench.lose("large", [0]);
    assert!(bench.reason("a").contains("the largest has 24.0 GiB"), "{}", bench.reason("a"));
}

#[test]
fn out_of_memory_moves_a_pack_to_a_larger_slot_and_its_audit_with_it() {
    let mut bench = Bench::new();
    bench.join_sized("w", &[16 * GIB, 17 * GIB, 80 * GIB]);
    let packs = bench.submit("a", demand(4));
    assert_eq!(places(&packs), ["a/0 w:0", "a/1 w:1", "a/2 w:2"]);
    assert!(given(&bench.fail(&packs[0], Retry::Larger)).is_empty(), "17 GiB are hardly more than 16");
    let record = bench.cluster.pack(&pack("a", 0)).unwrap();
    assert_eq!((record.attempts, record.losses, record.too_small), (0, 1, 16 * GIB));
    assert_eq!(bench.reason("a"), "the only slot that could take it is busy");

    // Also for a leader that only knows the records; a pack that was never tried needs as much.
    bench.restart();
    let rejoined = bench.join_sized("w", &[16 * GIB, 17 * GIB, 80 * GIB]);
    assert_eq!(places(&rejoined), ["a/0 w:2"], "what it does not claim is lost and waits behind");
    assert_eq!(places(&given(&bench.done(&rejoined[0]))), ["a/1 w:2"]);
}

#[test]
fn out_of_memory_where_nothing_is_larger_is_a_failure() {
    let mut bench = Bench::new();
    bench.join_sized("w", &[16 * GIB]);
    let mut current = bench.submit("a", demand(1)).remove(0);
    for attempts in 1..3 {
        current = given(&bench.fail(&current, Retry::Larger)).remove(0);
        let record = bench.cluster.pack(&pack("a", 0)).unwrap();
        assert_eq!((record.attempts, record.too_small), (attempts, 0), "others may have used it meanwhile");
    }
    bench.fail(&current, Retry::Larger);
    assert_eq!(bench.state("a"), AuditState::Failed);
    assert!(bench.cluster.audit(&audit("a")).unwrap().fault.is_some());
}

#[test]
fn an_audit_uses_no_more_slots_than_it_may() {
    let mut bench = Bench::new();
    bench.join("w", 3);
    let packs = bench.submit("a", AuditDemand { max_slots: 2, ..demand(4) });
    assert_eq!(packs.len(), 2);
    assert_eq!(bench.reason("a"), "it uses all 2 slots that max_slots allows it");
    assert_eq!(bench.submit("b", demand(5)).len(), 1);
    let next = given(&bench.done(&packs[0]));
    assert_eq!(places(&next), ["a/2 w:0"]);
    // A slot that is lost with its worker is one that may be used again.
    bench.cancel("b");
    assert!(bench.join("other", 3).is_empty());
    bench.gone("w");
    let moved = given(&bench.wait(LEASE));
    assert!(moved.len() == 2 && moved.iter().all(|given| given.worker == worker("other")), "{moved:?}");
}
