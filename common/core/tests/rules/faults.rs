//! Failures, losses and their bounds.

use umbra_core::cluster::{Event, RevokeReason};
use umbra_core::fault::Retry;
use umbra_core::lifecycle::AuditState;

use crate::bench::{Bench, LEASE, audit, demand, fault, given, pack, revokes, worker};

#[test]
fn a_bad_recipe_fails_its_audit_once() {
    let mut bench = Bench::new();
    bench.join("w", 3);
    let packs = bench.submit("a", demand(200));
    let actions = bench.fail(&packs[1], Retry::Never);
    assert_eq!(bench.state("a"), AuditState::Failed);
    assert_eq!(bench.cluster.audit(&audit("a")).unwrap().fault, Some(fault(Retry::Never)));
    assert_eq!(revokes(&actions, RevokeReason::Cancelled), [packs[0].fence, packs[2].fence]);
    assert_eq!(bench.busy(), 2, "revoked slots are taken until their worker says so");
    bench.release(&packs[0]);
    bench.done(&packs[2]);
    assert_eq!(bench.busy(), 0);
}

#[test]
fn a_failure_waits_twice_as_long_each_time_and_then_fails_the_audit() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let mut current = bench.submit("a", demand(1)).remove(0);
    for wait in [100, 200] {
        assert!(given(&bench.fail(&current, Retry::Backoff)).is_empty());
        assert!(given(&bench.wait(wait - 1)).is_empty());
        current = given(&bench.wait(1)).remove(0);
    }
    bench.fail(&current, Retry::Backoff);
    assert_eq!(bench.state("a"), AuditState::Failed);
    assert_eq!(bench.cluster.audit(&audit("a")).unwrap().fault, Some(fault(Retry::Backoff)));
}

#[test]
fn the_last_attempt_starts_from_scratch() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let mut current = bench.submit("a", demand(1)).remove(0);
    let mut resumed = Vec::new();
    for step in [10, 20] {
        bench.progress(&current, Some(step));
        current = given(&bench.fail(&current, Retry::Elsewhere)).remove(0);
        resumed.push(current.resume_from.as_ref().map(|checkpoint| checkpoint.step));
    }
    assert_eq!(resumed, [Some(10), None], "a bad checkpoint must not be what ends an audit");
}

#[test]
fn elsewhere_is_another_worker_if_there_is_one() {
    let mut bench = Bench::new();
    bench.join("w1", 1);
    let first = bench.submit("a", demand(1)).remove(0);
    let again = given(&bench.fail(&first, Retry::Elsewhere));
    assert_eq!(again[0].worker, worker("w1"), "there is no other worker");

    let mut bench = Bench::new();
    bench.join("w1", 1);
    bench.join("w2", 1);
    let packs = bench.submit("a", demand(2));
    assert!(given(&bench.fail(&packs[0], Retry::Elsewhere)).is_empty(), "w2 is busy, and w1 failed it");
    let moved = given(&bench.done(&packs[1]));
    assert_eq!((moved[0].worker.clone(), moved[0].pack.clone()), (packs[1].worker.clone(), pack("a", 0)));
}

#[test]
fn an_avoided_worker_is_taken_when_the_others_leave() {
    let mut bench = Bench::new();
    bench.join("w1", 1);
    bench.join("w2", 1);
    let packs = bench.submit("a", demand(2));
    bench.fail(&packs[0], Retry::Elsewhere);
    assert!(bench.reason("a").starts_with("failed on worker w1"), "{}", bench.reason("a"));
    let moved = given(&bench.step(Event::DrainAsked { worker: worker("w2") }));
    assert_eq!((moved[0].worker.clone(), moved[0].pack.clone()), (worker("w1"), pack("a", 0)));
}

#[test]
fn an_ingest_that_fails_is_a_failed_attempt() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let mut current = bench.submit("a", demand(1)).remove(0);
    for attempt in 1..=3 {
        bench.done(&current);
        let outcome = Err(fault(Retry::Elsewhere));
        let actions =
            bench.step(Event::Ingested { pack: current.pack.clone(), fence: current.fence, outcome });
        assert_eq!(bench.cluster.pack(&current.pack).unwrap().attempts, attempt);
        if let Some(next) = given(&actions).first() {
            current = next.clone();
        }
    }
    assert_eq!(bench.state("a"), AuditState::Failed);
}

#[test]
fn a_result_that_cannot_be_used_is_made_again_by_another_worker() {
    let mut bench = Bench::new();
    bench.join("w1", 2);
    let first = bench.submit("a", demand(1)).remove(0);
    bench.join("w2", 1);
    bench.done(&first);
    // Also by a leader that only knows the records.
    bench.restart();
    bench.join("w1", 2);
    bench.join("w2", 1);
    let outcome = Err(fault(Retry::Elsewhere));
    let event = Event::Ingested { pack: first.pack.clone(), fence: first.fence, outcome };
    assert_eq!(given(&bench.step(event))[0].worker, worker("w2"));
}

#[test]
fn the_verdict_on_an_earlier_fence_is_not_the_laters() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let first = bench.submit("a", demand(1)).remove(0);
    bench.done(&first);
    let (pack, fence) = (first.pack.clone(), first.fence);
    let failed = Event::Ingested { pack, fence, outcome: Err(fault(Retry::Elsewhere)) };
    let second = given(&bench.step(failed.clone())).remove(0);
    bench.done(&second);
    bench.ingest(&first);
    bench.step(failed);
    let counts = bench.cluster.audit(&audit("a")).unwrap().counts;
    assert_eq!((counts.reported, counts.done), (1, 0));
}

#[test]
fn losses_spend_no_attempts_and_have_their_own_bound() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let mut current = bench.submit("a", demand(1)).remove(0);
    bench.progress(&current, Some(1));
    for losses in 1..=2 {
        current = if losses == 1 {
            given(&bench.release(&current)).remove(0)
        } else {
            bench.gone("w");
            bench.wait(LEASE);
            bench.join("w", 1).remove(0)
        };
        let record = bench.cluster.pack(&current.pack).unwrap();
        assert_eq!((record.attempts, record.losses), (0, losses));
    }
    bench.release(&current);
    let ended = bench.cluster.audit(&audit("a")).unwrap();
    assert_eq!(ended.state, AuditState::Failed);
    assert!(ended.fault.unwrap().message.contains("lost or handed back 3 times"));
}
