//! Slots whose device is lost, while the worker's others go on.

use std::collections::BTreeSet;

use umbra_core::cluster::{Event, SlotStatus};
use umbra_core::fault::Retry;

use crate::bench::{Bench, LEASE, demand, given, is_acknowledged, still, worker};

#[test]
fn a_lost_slot_ends_its_pack_by_report_and_gets_no_other() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    let packs = bench.submit("a", demand(4));
    let lost = bench.lose("w", [packs[0].slot]);
    assert!(lost.is_empty() && bench.busy() == 2, "what runs there ends by its report: {lost:?}");
    assert_eq!(bench.reason("a"), "the only slot that could take it is busy");
    let held = SlotStatus { pack: Some(packs[0].pack.clone()), lost: true };
    assert_eq!(bench.cluster.slots(&worker("w"))[packs[0].slot as usize], held);

    let failed = bench.fail(&packs[0], Retry::Elsewhere);
    assert!(is_acknowledged(&failed, packs[0].fence) && given(&failed).is_empty());
    assert!(bench.lose("w", [packs[0].slot]).is_empty(), "once more changes nothing");
    // The other slot goes on, with the pack that only this worker is left for.
    let mut current = packs[1].clone();
    for _ in 0..3 {
        current = given(&bench.done(&current)).remove(0);
        assert_eq!(current.slot, packs[1].slot);
    }
    let empty = SlotStatus { pack: None, lost: true };
    assert_eq!(bench.cluster.slots(&worker("w"))[packs[0].slot as usize], empty);
    let status = bench.cluster.workers().next().unwrap();
    assert_eq!((status.slots, status.busy, status.lost), (2, 1, 1));
}

#[test]
fn an_idle_slot_that_is_lost_is_not_free_until_the_worker_joins_anew() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    bench.lose("w", [0, 1, 77]);
    assert!(bench.submit("a", demand(1)).is_empty());
    assert_eq!(
        bench.reason("a"),
        "all 2 slots that could take it lost their device: see `umbra worker list`"
    );
    let join = |lost: &[u32]| Event::WorkerJoined {
        worker: worker("w"),
        slots: 2,
        numerics: vec!["x".to_owned()],
        running: vec![],
        lost: BTreeSet::from_iter(lost.iter().copied()),
        memory: vec![],
    };
    // The same process says hello again, then its successor.
    assert!(given(&bench.step(join(&[0, 1, u32::MAX]))).is_empty());
    let given = given(&bench.step(join(&[0]))).remove(0);
    assert_eq!(given.slot, 1);
}

#[test]
fn a_claim_on_a_lost_slot_is_kept_and_its_report_counts() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let pack = bench.submit("a", demand(2)).remove(0);
    bench.gone("w");
    let (numerics, running, lost) = (vec!["x".to_owned()], vec![still(&pack)], BTreeSet::from([0]));
    bench.step(Event::WorkerJoined {
        worker: worker("w"),
        slots: 1,
        numerics,
        running,
        lost,
        memory: vec![],
    });
    assert!(bench.cluster.live_fence(pack.fence).is_some());
    assert!(given(&bench.done(&pack)).is_empty());
    assert_eq!(
        bench.reason("a"),
        "the only slot that could take it lost its device: see `umbra worker list`"
    );
    assert_eq!(bench.cluster.pack(&pack.pack).unwrap().losses, 0);
}

#[test]
fn a_pack_does_not_wait_for_another_worker_that_has_no_device_left() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let first = bench.submit("a", demand(2)).remove(0);
    let second = bench.join("other", 1).remove(0);
    assert!(given(&bench.fail(&first, Retry::Elsewhere)).is_empty());
    assert_eq!(bench.reason("a"), "failed on worker w, and every other worker that could take it is busy");
    let again = given(&bench.lose("other", [0])).remove(0);
    assert_eq!((again.pack, again.worker), (first.pack, worker("w")));
    bench.fail(&second, Retry::Backoff);
}

#[test]
fn a_worker_without_a_session_loses_nothing_and_one_that_speaks_is_heard() {
    let mut bench = Bench::new();
    assert!(bench.lose("nobody", [0]).is_empty() && bench.cluster.workers().count() == 0);
    bench.join("w", 2);
    bench.submit("a", demand(3));
    bench.wait(LEASE);
    assert_eq!(bench.reason("a"), "the only worker that could take it does not answer");
    bench.lose("w", [0]);
    assert_eq!(bench.reason("a"), "the only slot that could take it is busy");
}
