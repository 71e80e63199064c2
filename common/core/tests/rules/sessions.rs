//! Workers that come, go, come back and drain.

use umbra_core::cluster::{Action, Event, Outcome, RevokeReason};

use crate::bench::{
    Bench, Given, LEASE, checkpoint, demand, given, is_acknowledged, pack, refusals, revokes, worker,
};

#[test]
fn a_worker_that_comes_back_in_time_keeps_its_packs() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    let packs = bench.submit("a", demand(2));
    bench.gone("w");
    bench.wait(LEASE - 1);
    let actions = bench.rejoin("w", 2, &[&packs[0], &packs[1]]);
    assert!(given(&actions).is_empty() && refusals(&actions) == 0);
    bench.wait(LEASE - 1);
    assert!(packs.iter().all(|given| bench.cluster.live_fence(given.fence).is_some()), "leases begin again");
    assert_eq!(bench.busy(), 2);
}

#[test]
fn what_a_worker_does_not_claim_is_lost() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    let packs = bench.submit("a", demand(2));
    bench.progress(&packs[0], Some(30));
    let again = given(&bench.rejoin("w", 2, &[&packs[1]]));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].pack, packs[0].pack);
    assert_eq!(again[0].resume_from.as_ref().map(|checkpoint| checkpoint.step), Some(30));
    assert_eq!(bench.cluster.pack(&packs[0].pack).unwrap().losses, 1);
    assert_eq!(bench.cluster.pack(&packs[1].pack).unwrap().losses, 0);
}

#[test]
fn a_worker_gone_for_a_lease_is_forgotten_and_refused_when_it_returns() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let old = bench.submit("a", demand(1)).remove(0);
    bench.gone("w");
    bench.wait(LEASE);
    assert_eq!(bench.cluster.workers().count(), 0);
    let actions = bench.rejoin("w", 1, &[&old]);
    assert_eq!((refusals(&actions), revokes(&actions, RevokeReason::Stale)), (1, vec![old.fence]));
    assert!(given(&actions).is_empty(), "its only slot is still at work on the old fence");
    let freed = bench.release(&old);
    assert!(is_acknowledged(&freed, old.fence));
    assert_eq!((refusals(&freed), given(&freed)[0].pack.clone()), (0, old.pack));
}

#[test]
fn a_report_that_was_taken_in_is_acknowledged_at_the_next_join() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let first = bench.submit("a", demand(2)).remove(0);
    let second = given(&bench.done(&first)).remove(0);
    // The connection broke before acknowledgement and assignment arrived.
    let actions = bench.rejoin("w", 1, &[&first]);
    assert!(is_acknowledged(&actions, first.fence) && refusals(&actions) == 0);
    let third = given(&actions).remove(0);
    assert_eq!((third.pack.clone(), third.slot), (second.pack, second.slot));
    let order: Vec<_> = actions.iter().filter(|action| !matches!(action, Action::WakeAt(_))).collect();
    assert!(matches!(order[..], [Action::Acknowledge { .. }, Action::Assign { .. }]), "{order:?}");
}

#[test]
fn draining_hands_back_without_a_loss() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    let packs = bench.submit("a", demand(3));
    let actions = bench.step(Event::DrainAsked { worker: worker("w") });
    assert_eq!(revokes(&actions, RevokeReason::Draining), [packs[0].fence, packs[1].fence]);
    let saved = checkpoint(&packs[0].pack, packs[0].fence, 40);
    let released = bench.report(&packs[0], Outcome::Released { checkpoint: Some(saved.clone()) });
    assert!(given(&released).is_empty(), "a draining worker gets nothing new");
    bench.done(&packs[1]);
    assert_eq!(
        bench.cluster.audit(&packs[0].pack.audit).unwrap().counts.reported,
        1,
        "a result still counts"
    );
    bench.step(Event::WorkerLeft { worker: worker("w") });
    assert_eq!(bench.cluster.workers().count(), 0);

    let moved = bench.join("other", 1).remove(0);
    assert_eq!((moved.pack, moved.resume_from), (packs[0].pack.clone(), Some(saved)));
    assert_eq!(bench.cluster.pack(&packs[0].pack).unwrap().losses, 0);
}

#[test]
fn a_pack_handed_back_with_nothing_to_remember_has_no_record() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let first = bench.submit("a", demand(2)).remove(0);
    bench.step(Event::DrainAsked { worker: worker("w") });
    bench.release(&first);
    assert_eq!(bench.cluster.pack(&pack("a", 0)), None);
    let next: Vec<_> = bench.join("other", 2).into_iter().map(|given| given.pack).collect();
    assert_eq!(next, [pack("a", 0), pack("a", 1)]);
}

#[test]
fn nonsense_from_a_worker_is_answered_and_bounded() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let real = bench.submit("a", demand(1)).remove(0);
    let mut beyond = real.clone();
    (beyond.slot, beyond.fence) = (u32::MAX, umbra_core::ids::Fence(77));
    let mut unknown = beyond.clone();
    unknown.pack = pack("nobody", 9);
    let actions = bench.rejoin("w", u32::MAX, &[&real, &real, &beyond, &unknown]);
    assert_eq!(bench.cluster.workers().next().unwrap().slots, umbra_core::cluster::MAX_SLOTS);
    assert_eq!((refusals(&actions), bench.busy()), (1, 1));
    assert!(bench.cluster.live_fence(real.fence).is_some());
    let stranger = Given { worker: worker("nobody"), ..real };
    assert!(bench.progress(&stranger, None).is_empty(), "a worker without a session is not heard");
}
