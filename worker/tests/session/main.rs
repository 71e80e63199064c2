//! A whole worker against a coordinator that plays a script: real sockets, real training.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod coordinator;
mod devices;
mod direct;
mod fixture;

use std::time::Duration;

use coordinator::Talk;
use fixture::{ENDLESS, Fixture};
use umbra_core::digest::Digest;
use umbra_proto::PROTOCOL;
use umbra_proto::error::{Reason, refuse};
use umbra_proto::v1::connect_request::Message as Said;
use umbra_proto::v1::connect_response::Message as Answer;
use umbra_proto::v1::report::Outcome as Ended;
use umbra_proto::v1::{self, FaultDomain, FaultRetry, RevokeReason};
use umbra_worker::{Outcome, WorkError};

fn done(report: v1::Report) -> v1::PackResult {
    match report.outcome {
        Some(Ended::Done(result)) => result,
        other => panic!("not done: {other:?}"),
    }
}

fn released(report: v1::Report) -> Option<v1::Checkpoint> {
    match report.outcome {
        Some(Ended::Released(released)) => released.checkpoint,
        other => panic!("not released: {other:?}"),
    }
}

fn failed(report: v1::Report) -> v1::Fault {
    match report.outcome {
        Some(Ended::Failed(fault)) => fault,
        other => panic!("not failed: {other:?}"),
    }
}

fn sha(result: &v1::PackResult) -> Vec<u8> {
    result.blob.clone().unwrap().sha256
}

/// Trains a pack to its end.
async fn finish(fixture: &Fixture, talk: &mut Talk, assign: v1::Assign) -> v1::PackResult {
    let fence = assign.fence;
    talk.say(Answer::Assign(assign)).await;
    let report = talk.report().await;
    assert_eq!(report.fence, fence);
    let result = done(report);
    let blob = result.blob.clone().unwrap();
    let stored = fixture.coordinator.shelf().blobs[&blob.key].clone();
    assert_eq!(Digest::of(&stored).as_bytes()[..], blob.sha256);
    result
}

/// The worker leaves with nothing to hand back.
async fn part(fixture: Fixture, mut talk: Talk) {
    fixture.drain.begin();
    talk.until(|said| matches!(said, Said::Draining(_)).then_some(())).await;
    talk.until(|said| matches!(said, Said::Bye(_)).then_some(())).await;
    assert!(talk.ended().await);
    drop(talk);
    assert_eq!(fixture.outcome().await.unwrap(), Outcome::Left);
}

#[tokio::test]
async fn a_pack_is_trained_and_its_bytes_survive_breaks() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, hello) = fixture.coordinator.welcome().await;
    assert_eq!((hello.worker_id.as_str(), hello.protocol, hello.slots), ("w1", PROTOCOL, 1));
    assert_eq!(hello.numerics, [umbra_train::numerics_class()]);
    assert!(hello.running.is_empty());
    assert_eq!(fixture.coordinator.shelf().authorization.as_deref(), Some("Bearer a-token-of-the-test"));

    fixture.coordinator.shelf().cut_read = Some(1500);
    fixture.coordinator.shelf().cut_write = Some(("logits".into(), 100));
    let assign = fixture.pack(0, 1, 300);
    let result = finish(&fixture, &mut talk, assign).await;
    assert_eq!((result.lost_shadows.len(), result.resumed_from_step), (0, 0));
    assert_eq!(result.blob.unwrap().key, "tiny/0/1/logits");
    {
        let shelf = fixture.coordinator.shelf();
        let name = "datasets/tiny".to_owned();
        assert_eq!(shelf.reads, [(name.clone(), 0), (name, 1500)]);
        let logits: Vec<_> =
            shelf.writes.iter().filter(|write| write.0 == "logits").map(|write| write.1).collect();
        assert_eq!(logits, [0, 100]);
    }
    part(fixture, talk).await;
}

#[tokio::test]
async fn after_a_break_the_worker_says_what_still_runs() {
    let mut fixture = Fixture::start(2).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 1, 5, ENDLESS).await;
    let before = talk.stepping(5).await;
    assert_eq!((before.slot, before.audit_id.as_str(), before.pack), (1, "tiny-12345678", 0));
    assert_eq!(before.samples, before.steps_done * 8);
    let checkpoint = talk.checkpoint().await;
    talk.refuse(refuse(Reason::Unavailable, "restarting")).await;

    let (mut talk, hello) = fixture.coordinator.welcome().await;
    let [again] = &hello.running[..] else { panic!("{:?}", hello.running) };
    assert_eq!((again.fence, again.slot), (5, 1));
    assert!(again.steps_done > before.steps_done);
    // Checkpoints are not acknowledged, so the latest is said again.
    assert!(talk.checkpoint().await.step >= checkpoint.step);
    talk.revoke(5, RevokeReason::Cancelled).await;
    assert_eq!(released(talk.report().await), None);
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_cancelled_pack_is_dropped_and_its_slot_works_again() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 0, 1, ENDLESS).await;
    talk.stepping(1).await;
    talk.revoke(1, RevokeReason::Cancelled).await;
    assert_eq!(released(talk.report().await), None);
    let assign = fixture.pack(0, 2, 10);
    finish(&fixture, &mut talk, assign).await;
    // A fence that was never here is answered all the same.
    talk.revoke(9, RevokeReason::Stale).await;
    let report = talk.report().await;
    assert_eq!((report.fence, released(report)), (9, None));
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_drain_hands_back_with_a_checkpoint() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 0, 1, ENDLESS).await;
    let before = talk.stepping(1).await;
    fixture.drain.begin();
    talk.until(|said| matches!(said, Said::Draining(_)).then_some(())).await;
    talk.revoke(1, RevokeReason::Draining).await;
    let checkpoint = released(talk.report().await).expect("it was at work");
    assert!(checkpoint.step >= before.steps_done && checkpoint.fence == 1);
    let blob = checkpoint.blob.unwrap();
    assert_eq!(blob.key, format!("tiny/0/1/checkpoint-{}", checkpoint.step));
    assert_eq!(Digest::of(&fixture.coordinator.shelf().blobs[&blob.key]).as_bytes()[..], blob.sha256);
    talk.until(|said| matches!(said, Said::Bye(_)).then_some(())).await;
    drop(talk);
    assert_eq!(fixture.outcome().await.unwrap(), Outcome::Left);
}

#[tokio::test]
async fn a_pack_that_is_to_move_is_handed_back_and_the_slot_goes_on() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 0, 1, ENDLESS).await;
    let before = talk.stepping(1).await;
    talk.revoke(1, RevokeReason::Moving).await;
    let checkpoint = released(talk.report().await).expect("it was at work");
    assert!(checkpoint.step >= before.steps_done && checkpoint.fence == 1);
    let assign = fixture.pack(0, 2, 10);
    finish(&fixture, &mut talk, assign).await;
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_stale_fence_drops_the_pack_at_its_next_write() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.coordinator.shelf().stale.insert(1);
    fixture.assign(&talk, 0, 1, ENDLESS).await;
    assert_eq!(released(talk.report().await), None);
    fixture.coordinator.shelf().stale.insert(2);
    fixture.assign(&talk, 0, 2, 10).await;
    assert_eq!(released(talk.report().await), None);
    assert!(fixture.coordinator.shelf().blobs.keys().all(|key| key == "datasets/tiny"));
    let assign = fixture.pack(0, 3, 10);
    finish(&fixture, &mut talk, assign).await;
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_result_waits_for_a_coordinator_that_is_away() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    let steps = 500_000;
    fixture.assign(&talk, 0, 1, steps).await;
    talk.until(|said| match said {
        Said::Heartbeat(beat) => (!beat.running.is_empty()).then_some(()),
        Said::Report(_) => Some(()),
        _ => None,
    })
    .await;
    fixture.coordinator.kill().await;
    fixture.coordinator.restart();
    // The coordinator is not ready before the pack has taken its last step.
    let mut talk = loop {
        let (talk, hello) = fixture.coordinator.hello().await;
        let [running] = &hello.running[..] else { panic!("{:?}", hello.running) };
        assert_eq!(running.fence, 1);
        if running.steps_done == 2 * steps {
            talk.welcome().await;
            break talk;
        }
        talk.refuse(refuse(Reason::Unavailable, "not ready")).await;
    };
    let result = done(talk.report().await);
    assert!(fixture.coordinator.shelf().blobs.contains_key(&result.blob.unwrap().key));
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_pack_goes_on_from_its_checkpoint_or_from_the_start_with_the_same_bytes() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    let steps = 200_000;
    let assign = fixture.pack(0, 1, steps);
    let key = "tiny/0/1/checkpoint-";
    let whole = finish(&fixture, &mut talk, assign).await;
    let (step, good) = {
        let shelf = fixture.coordinator.shelf();
        let named = shelf.blobs.iter().filter_map(|(name, bytes)| Some((name.strip_prefix(key)?, bytes)));
        let all = named.map(|(step, bytes)| (step.parse::<u64>().unwrap(), bytes.clone()));
        all.min_by_key(|(step, _)| *step).expect("a checkpoint was stored")
    };
    assert!(step > 0 && step < 2 * steps && step.is_multiple_of(500));

    let mut cut = good.to_vec();
    cut.truncate(good.len() - 1);
    let mut damaged = fixture.coordinator.put("damaged", &good);
    damaged.sha256 = vec![0; 32];
    let missing = v1::Blob { key: "missing".into(), ..damaged.clone() };
    let cases = [
        (fixture.coordinator.put("good", &good), step),
        (fixture.coordinator.put("cut", &cut), 0),
        (damaged, 0),
        (missing, 0),
    ];
    for (fence, (blob, from)) in (2..).zip(cases) {
        let mut assign = fixture.pack(0, fence, steps);
        assign.resume_from = Some(v1::Checkpoint { step, fence: 1, blob: Some(blob.clone()) });
        let result = finish(&fixture, &mut talk, assign).await;
        assert_eq!(result.resumed_from_step, from, "{}", blob.key);
        assert_eq!(sha(&result), sha(&whole), "{}", blob.key);
    }
    part(fixture, talk).await;
}

#[tokio::test]
async fn what_cannot_be_trained_is_reported_as_what_it_is() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    type Change = fn(&mut v1::Assign);
    let cases: [(Change, FaultDomain, FaultRetry); 4] = [
        (|a| a.dataset.as_mut().unwrap().sha256 = vec![1; 32], FaultDomain::Data, FaultRetry::Backoff),
        (|a| a.data_digest = Digest::of(b"other").to_string(), FaultDomain::Data, FaultRetry::Backoff),
        (|a| a.dataset.as_mut().unwrap().size = 1 << 30, FaultDomain::Worker, FaultRetry::Elsewhere),
        (|a| a.spec.as_mut().unwrap().model = None, FaultDomain::Spec, FaultRetry::Never),
    ];
    for (fence, (change, domain, retry)) in (1..).zip(cases) {
        let mut assign = fixture.pack(0, fence, 10);
        change(&mut assign);
        talk.say(Answer::Assign(assign)).await;
        let fault = failed(talk.report().await);
        assert_eq!((fault.domain(), fault.retry()), (domain, retry), "{}", fault.message);
    }
    part(fixture, talk).await;
}

#[tokio::test]
async fn slots_share_one_download() {
    let mut fixture = Fixture::start(2).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 0, 1, 10).await;
    fixture.assign(&talk, 1, 2, 10).await;
    let (first, second) = (talk.report().await, talk.report().await);
    assert_eq!(sha(&done(first)), sha(&done(second)), "no result depends on its slot or fence");
    assert_eq!(fixture.coordinator.shelf().reads.len(), 1);
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_coordinator_that_refuses_the_worker_ends_it() {
    type Expected = fn(&WorkError) -> bool;
    let cases: [(Reason, Expected); 2] = [
        (Reason::VersionSkew, |error| matches!(error, WorkError::VersionSkew(_))),
        (Reason::Unauthenticated, |error| matches!(error, WorkError::Unauthenticated(_))),
    ];
    for (reason, expected) in cases {
        let mut fixture = Fixture::start(1).await;
        let (mut talk, _) = fixture.coordinator.welcome().await;
        fixture.assign(&talk, 0, 1, ENDLESS).await;
        talk.stepping(1).await;
        fixture.coordinator.shelf().refusal = Some(refuse(reason, "go away"));
        talk.refuse(refuse(Reason::Unavailable, "restarting")).await;
        let error = fixture.outcome().await.unwrap_err();
        assert!(expected(&error) && error.to_string().contains("go away"), "{error}");
    }
}

#[tokio::test]
async fn a_drain_without_a_coordinator_gives_up_after_the_grace_time() {
    let mut fixture = Fixture::start_with(1, Duration::from_millis(300)).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 0, 1, ENDLESS).await;
    talk.stepping(1).await;
    fixture.coordinator.kill().await;
    assert_eq!(fixture.leave().await.unwrap(), Outcome::GaveUp { unfinished: 1 });
}
