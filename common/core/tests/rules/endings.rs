//! Cancelling, deleting, finishing: bounded steps, slots that come free, results that existed before.

use std::collections::BTreeMap;

use umbra_core::cluster::{
    Action, Checkpoint, Event, Existing, MAX_RECORDS, Record, RecordKey, RevokeReason,
};
use umbra_core::digest::Digest;
use umbra_core::fault::Retry;
use umbra_core::ids::{Fence, PackIndex};
use umbra_core::lifecycle::{AuditState, PackState};

use crate::bench::{
    Bench, LEASE, audit, demand, fault, given, is_acknowledged, pack, refusals, result, revokes,
};

#[test]
fn cancelling_writes_one_record_and_frees_every_slot_once() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    bench.join("far", 1);
    let packs = bench.submit("a", demand(100_000));
    bench.gone("far");
    let actions = bench.cancel("a");
    assert_eq!((bench.written, bench.state("a")), (1, AuditState::Cancelled));
    let near: Vec<_> = packs.iter().filter(|given| given.worker.as_str() == "w").collect();
    assert_eq!(revokes(&actions, RevokeReason::Cancelled), near.iter().map(|g| g.fence).collect::<Vec<_>>());
    assert_eq!(bench.busy(), 3);

    assert!(is_acknowledged(&bench.release(near[0]), near[0].fence));
    assert_eq!(bench.busy(), 2);
    let late = bench.done(near[1]);
    assert!(is_acknowledged(&late, near[1].fence));
    assert_eq!((refusals(&late), bench.written, bench.busy()), (0, 0, 1));
    bench.wait(LEASE);
    assert_eq!(bench.busy(), 0, "a gone worker's slot is free when its lease has run out");
    assert!(bench.cancel("a").is_empty());
    assert_eq!(bench.store.len(), 2, "unfinished packs' records are swept up");
}

#[test]
fn a_cancelled_slot_works_again_only_when_it_is_released() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let old = bench.submit("a", demand(1)).remove(0);
    bench.submit("b", demand(1));
    assert!(given(&bench.cancel("a")).is_empty());
    assert!(given(&bench.wait(3 * LEASE)).is_empty());
    // Asked again at every word and every join.
    assert_eq!(revokes(&bench.progress(&old, None), RevokeReason::Cancelled), [old.fence]);
    assert_eq!(revokes(&bench.rejoin("w", 1, &[&old]), RevokeReason::Cancelled), [old.fence]);
    let next = given(&bench.release(&old));
    assert_eq!((next.len(), next[0].pack.clone()), (1, pack("b", 0)));
}

#[test]
fn a_large_audit_is_taken_over_ended_and_deleted_in_bounded_steps() {
    // Ten full steps exactly: the last one both takes over and finishes.
    let packs = 990;
    let mut bench = Bench::new();
    let id = audit("a");
    let old = |index: u32| {
        let result = result(&pack("old", index), Fence(index.into()));
        (PackIndex(index), Existing::Result(result))
    };
    let existing: BTreeMap<_, _> = (0..packs).map(old).collect();
    let event = Event::AuditSubmitted { audit: id.clone(), demand: demand(packs), existing };
    let mut actions = bench.step(event);
    let mut ticks = 0;
    while !actions.contains(&Action::Finish { audit: id.clone() }) {
        assert!(matches!(actions[..], [Action::WakeAt(_)]), "{actions:?}");
        actions = bench.wait(0);
        ticks += 1;
    }
    assert_eq!(ticks, packs as usize / (MAX_RECORDS - 1));
    assert_eq!(bench.cluster.results(&id).count(), packs as usize);
    bench.step(Event::Analysed { audit: id.clone(), outcome: Ok(()) });
    assert_eq!(bench.state("a"), AuditState::Succeeded);

    bench.step(Event::DeleteAsked { audit: id.clone() });
    bench.wait(0);
    bench.restart(); // in the middle: it goes on
    let mut ticks = 0;
    while bench.store.contains_key(&RecordKey::Audit(id.clone())) {
        bench.wait(0);
        ticks += 1;
        assert!(ticks < 20);
    }
    assert_eq!(bench.store.len(), 1, "only the cluster's record is left");
    assert_eq!(bench.cluster.audit(&id), None);
}

#[test]
fn existing_results_are_not_computed_again() {
    let mut bench = Bench::new();
    bench.join("w", 4);
    let old = |index| Existing::Result(result(&pack("old", index), Fence(1)));
    let existing = [1, 3].map(|index| (PackIndex(index), old(index))).into();
    let event = Event::AuditSubmitted { audit: audit("a"), demand: demand(4), existing };
    let started: Vec<_> = given(&bench.step(event)).into_iter().map(|given| given.pack).collect();
    assert_eq!(started, [pack("a", 0), pack("a", 2)]);
    bench.wait(0);
    let adopted = &bench.cluster.pack(&pack("a", 3)).unwrap().state;
    assert_eq!(*adopted, PackState::Done { fence: None, result: result(&pack("old", 3), Fence(1)) });
}

#[test]
fn packs_whose_weights_exist_go_on_from_them() {
    let mut bench = Bench::new();
    bench.join("w", 4);
    let weights = |index| {
        let key = format!("old/{index}/weights");
        Checkpoint { step: 100, fence: Fence(0), digest: Digest::of(key.as_bytes()), key, bytes: 9 }
    };
    let existing = [1, 3].map(|index| (PackIndex(index), Existing::Weights(weights(index)))).into();
    let event = Event::AuditSubmitted { audit: audit("a"), demand: demand(4), existing };
    let fresh = given(&bench.step(event));
    assert_eq!(fresh.iter().map(|given| given.resume_from.clone()).collect::<Vec<_>>(), [None, None]);
    let kept = given(&bench.wait(0));
    let from: Vec<_> = kept.iter().map(|given| (given.pack.clone(), given.resume_from.clone())).collect();
    assert_eq!(from, [1, 3].map(|index| (pack("a", index), Some(weights(index)))));

    // They outlast whoever holds them and whoever leads, until the pack has a checkpoint of its own.
    bench.restart();
    assert_eq!(bench.cluster.pack(&pack("a", 3)).unwrap().checkpoint, Some(weights(3)));
    bench.rejoin("w", 4, &[&fresh[0], &fresh[1], &kept[0], &kept[1]]);
    let again = given(&bench.release(&kept[0]));
    assert_eq!((again[0].pack.clone(), again[0].resume_from.clone()), (pack("a", 1), Some(weights(1))));
    bench.progress(&again[0], Some(5));
    let own = bench.cluster.pack(&pack("a", 1)).unwrap().checkpoint.clone().unwrap();
    assert_eq!((own.fence, own.step), (again[0].fence, 5));
}

#[test]
fn only_what_has_ended_is_deleted() {
    let mut bench = Bench::new();
    bench.submit("a", demand(1));
    bench.step(Event::DeleteAsked { audit: audit("a") });
    bench.wait(0);
    assert_eq!(bench.state("a"), AuditState::Running);
}

#[test]
fn a_terminal_audit_stays_as_it_is() {
    let mut bench = Bench::new();
    bench.submit("none", demand(0));
    assert_eq!(bench.state("none"), AuditState::Analysing, "no pack, nothing to wait for");
    let failed = Event::Analysed { audit: audit("none"), outcome: Err(fault(Retry::Never)) };
    bench.step(failed.clone());
    assert_eq!(bench.state("none"), AuditState::Failed);
    bench.step(Event::Analysed { audit: audit("none"), outcome: Ok(()) });
    bench.cancel("none");
    bench.submit("none", demand(5));
    assert_eq!(bench.state("none"), AuditState::Failed);
    let record = bench.store.get(&RecordKey::Audit(audit("none")));
    assert!(matches!(record, Some(Record::Audit(record)) if record.demand.packs == 0));
}
