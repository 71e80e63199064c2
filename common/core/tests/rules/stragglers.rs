//! The last packs of an audit do not hang on the slowest slot.

use umbra_core::cluster::{Action, Event, Outcome, RevokeReason};

use crate::bench::{Bench, Given, LEASE, checkpoint, demand, given, pack, revokes, worker};

/// `slow` takes 10 steps a second and `fast` 1,000; each has a pack, of 100,000 steps, and `fast` is done.
fn slow_and_idle() -> (Bench, Given, Given) {
    let mut bench = Bench::new();
    bench.join("fast", 1);
    let fast = bench.submit("a", demand(2)).remove(0);
    let slow = bench.join("slow", 1).remove(0);
    for half_second in 0..=4 {
        bench.pace(&fast, half_second * 500, 100_000 - half_second * 500);
        assert!(bench.pace(&slow, half_second * 5, 100_000 - half_second * 5).is_empty());
        bench.now += 500;
    }
    bench.done(&fast);
    (bench, slow, fast)
}

#[test]
fn a_straggler_goes_on_on_a_faster_idle_slot_and_spends_nothing() {
    let (mut bench, slow, fast) = slow_and_idle();
    assert_eq!(revokes(&bench.pace(&slow, 25, 99_975), RevokeReason::Moving), [slow.fence]);
    assert!(bench.pace(&slow, 25, 99_975).is_empty(), "it is asked once");
    assert_eq!(
        revokes(&bench.rejoin("slow", 1, &[&slow]), RevokeReason::Moving),
        [slow.fence],
        "or by a new session"
    );
    let saved = checkpoint(&slow.pack, slow.fence, 26);
    let actions = bench.report(&slow, Outcome::Released { checkpoint: Some(saved.clone()) });
    let at = |wanted: fn(&Action) -> bool| actions.iter().position(wanted);
    let acknowledged = at(|action| matches!(action, Action::Acknowledge { .. }));
    assert!(acknowledged < at(|action| matches!(action, Action::Assign { .. })), "its slot is free first");
    let moved = given(&actions).remove(0);
    assert_eq!((&moved.worker, &moved.pack, moved.resume_from), (&fast.worker, &slow.pack, Some(saved)));
    let record = bench.cluster.pack(&slow.pack).unwrap();
    assert_eq!((record.attempts, record.losses), (0, 0));
}

#[test]
fn a_result_that_comes_first_counts() {
    let (mut bench, slow, _) = slow_and_idle();
    bench.pace(&slow, 25, 99_975);
    assert!(given(&bench.done(&slow)).is_empty());
    bench.ingest(&slow);
    assert_eq!(bench.cluster.audit(&slow.pack.audit).unwrap().counts.done, 1);
}

#[test]
fn a_place_that_was_taken_meanwhile_is_not_waited_for() {
    let (mut bench, slow, fast) = slow_and_idle();
    bench.pace(&slow, 25, 99_975);
    let other = bench.submit("b", demand(1)).remove(0);
    assert_eq!(other.worker, fast.worker);
    let again = given(&bench.release(&slow)).remove(0);
    assert_eq!((again.worker, again.pack), (slow.worker, slow.pack.clone()));
    assert_eq!(bench.cluster.pack(&slow.pack).unwrap().losses, 0);
}

#[test]
fn a_pack_is_moved_once_an_hour_at_most() {
    let (mut bench, slow, _) = slow_and_idle();
    bench.pace(&slow, 25, 99_975);
    bench.step(Event::DrainAsked { worker: worker("fast") });
    let again = given(&bench.release(&slow)).remove(0);
    bench.join("fast", 1);
    let mut asked = Vec::new();
    // An hour is 100 s here.
    while asked.is_empty() {
        bench.now += 500;
        let done = (bench.now - 3_000) / 100;
        let actions = bench.pace(&again, done, 100_000 - done);
        asked = revokes(&actions, RevokeReason::Moving);
    }
    assert!((102_000..104_000).contains(&bench.now), "{}", bench.now);
}

#[test]
fn what_is_nearly_done_or_hardly_slower_stays() {
    let (mut bench, slow, _) = slow_and_idle();
    // Ten steps take a second here; there, with those that no checkpoint holds, hardly any time. More than a lease
    // of a second is to be gained.
    assert!(bench.pace(&slow, 25, 10).is_empty());
    assert_eq!(LEASE, 1_000);
    assert_eq!(revokes(&bench.pace(&slow, 25, 20), RevokeReason::Moving), [slow.fence]);

    let mut bench = Bench::new();
    bench.join("w1", 1);
    let first = bench.submit("a", demand(2)).remove(0);
    let second = bench.join("w2", 1).remove(0);
    for half_second in 0..=4 {
        bench.pace(&first, half_second * 50, 100_000);
        bench.pace(&second, half_second * 26, 100_000);
        bench.now += 500;
    }
    bench.done(&first);
    assert!(bench.pace(&second, 130, 100_000).is_empty(), "half as fast is not slower than by the factor");
    assert_eq!(second.pack, pack("a", 1));
}

#[test]
fn nothing_is_moved_to_a_slot_that_somebody_waits_for() {
    let (mut bench, slow, fast) = slow_and_idle();
    let other = bench.submit("b", demand(5)).remove(0);
    assert_eq!(other.worker, fast.worker);
    assert!(bench.pace(&slow, 25, 99_975).is_empty());
}
