//! Leases and fences: who may report, and what a stale fence is told.

use umbra_core::cluster::{Action, RevokeReason};
use umbra_core::lifecycle::{AuditState, PackState};

use crate::bench::{Bench, LEASE, audit, demand, given, is_acknowledged, pack, refusals, revokes};

#[test]
fn a_pack_goes_from_slot_to_result() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    let packs = bench.submit("a", demand(3));
    assert_eq!(
        packs.iter().map(|given| given.pack.clone()).collect::<Vec<_>>(),
        [pack("a", 0), pack("a", 1)]
    );
    assert!(packs[0].fence < packs[1].fence);

    let actions = bench.done(&packs[0]);
    assert!(is_acknowledged(&actions, packs[0].fence));
    assert!(actions.iter().any(|action| matches!(action, Action::Ingest { .. })));
    let third = given(&actions).remove(0);
    assert_eq!((third.pack.clone(), third.slot), (pack("a", 2), packs[0].slot));

    bench.ingest(&packs[0]);
    for given in [&packs[1], &third] {
        bench.done(given);
        assert_eq!(bench.state("a"), AuditState::Running);
    }
    bench.ingest(&third);
    assert_eq!(bench.ingest(&packs[1]), [Action::Finish { audit: audit("a") }]);
    assert_eq!((bench.state("a"), bench.busy()), (AuditState::Analysing, 0));
    let keys: Vec<_> = bench.cluster.results(&audit("a")).map(|(_, result)| result.key.clone()).collect();
    assert_eq!(keys, ["a/0/1/logits", "a/1/2/logits", "a/2/3/logits"]);
}

#[test]
fn a_report_sent_again_is_acknowledged_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let given = bench.submit("a", demand(1)).remove(0);
    bench.done(&given);
    let again = bench.done(&given);
    assert!(is_acknowledged(&again, given.fence));
    assert_eq!((again.len(), bench.written), (1, 0));
    bench.ingest(&given);
    assert_eq!((bench.done(&given).len(), bench.written), (1, 0));
    assert!(bench.ingest(&given).is_empty(), "a result counts once");
}

#[test]
fn words_renew_a_lease_and_silence_ends_it() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let first = bench.submit("a", demand(1)).remove(0);
    for _ in 0..3 {
        bench.wait(LEASE - 1);
        bench.progress(&first, None);
    }
    bench.progress(&first, Some(70));
    assert!(bench.cluster.live_fence(first.fence).is_some());
    bench.wait(LEASE - 1);
    assert!(bench.cluster.live_fence(first.fence).is_some());
    bench.wait(1);
    assert!(bench.cluster.live_fence(first.fence).is_none());

    // It was the worker's silence, so the worker gets nothing until it speaks; another one goes on.
    let second = bench.join("other", 1).remove(0);
    assert_eq!(second.resume_from.map(|checkpoint| checkpoint.step), Some(70));
    assert!(second.fence > first.fence);
}

#[test]
fn a_zombie_is_refused_once_and_its_slot_comes_back() {
    let mut bench = Bench::new();
    bench.join("zombie", 1);
    let old = bench.submit("a", demand(2)).remove(0);
    bench.wait(LEASE);
    let new = bench.join("w", 1).remove(0);
    assert_eq!(new.pack, old.pack);

    let first = bench.progress(&old, Some(9));
    assert_eq!((refusals(&first), revokes(&first, RevokeReason::Stale)), (1, vec![old.fence]));
    assert!(given(&first).is_empty(), "the slot is still taken");
    let again = bench.progress(&old, None);
    assert_eq!((refusals(&again), revokes(&again, RevokeReason::Stale)), (0, vec![old.fence]));

    let last = bench.done(&old);
    assert_eq!(refusals(&last), 0);
    assert!(is_acknowledged(&last, old.fence));
    assert_eq!(given(&last)[0].pack, pack("a", 1), "the slot works again");
    let state = bench.cluster.pack(&old.pack).unwrap();
    assert!(matches!(state.state, PackState::Leased { fence, .. } if fence == new.fence));
    assert_eq!(state.checkpoint, None, "a stale checkpoint is nothing");
    bench.done(&new);
    bench.ingest(&new);
    let counted: Vec<_> = bench.cluster.results(&audit("a")).map(|(_, result)| result.key.clone()).collect();
    assert_eq!(counted, [format!("a/0/{}/logits", new.fence)]);
}

#[test]
fn another_workers_claim_of_a_live_fence_is_stale_and_harmless() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let real = bench.submit("a", demand(1)).remove(0);
    let actions = bench.rejoin("impostor", 1, &[&real]);
    assert_eq!((refusals(&actions), revokes(&actions, RevokeReason::Stale)), (1, vec![real.fence]));
    bench.step(umbra_core::cluster::Event::WorkerLeft { worker: crate::bench::worker("impostor") });
    assert!(bench.cluster.live_fence(real.fence).is_some());
    assert_eq!(bench.cluster.pack(&real.pack).unwrap().losses, 0);
}

#[test]
fn the_better_checkpoint_is_kept() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let given = bench.submit("a", demand(1)).remove(0);
    let step = |bench: &Bench| bench.cluster.pack(&pack("a", 0)).unwrap().checkpoint.as_ref().map(|c| c.step);
    bench.progress(&given, Some(20));
    bench.progress(&given, Some(10));
    assert_eq!((step(&bench), bench.written), (Some(20), 0));

    // Its successor could not read it and began again: what it writes is newer, at a lower step.
    let second = crate::bench::given(&bench.release(&given)).remove(0);
    assert_eq!(second.resume_from.as_ref().map(|checkpoint| checkpoint.step), Some(20));
    bench.progress(&second, Some(5));
    assert_eq!(step(&bench), Some(5));
}
