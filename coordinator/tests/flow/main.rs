//! Whole audits through the real coordinator over loopback gRPC, with a worker that answers at once with
//! made-up logits: the flow, not the training, is under test.

#![allow(clippy::unwrap_used)]

mod bounds;
mod elsewhere;
mod fleet;
mod garbage;
mod kept;
mod place;
mod puppet;
mod workers;

use place::{Place, draft};
use puppet::Puppet;
use umbra_core::digest::Digest;
use umbra_proto::error::Reason;
use umbra_proto::v1;

#[tokio::test]
async fn an_audit_goes_from_submission_to_findings() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("first", &draft()).await.unwrap();
    assert_eq!(audit.state(), v1::AuditState::Running);
    assert_eq!(place.get(&audit.id).await.waiting_reason, "no worker is connected");
    assert_eq!(audit.spec.as_ref().unwrap().seed, 0, "the seed stays in the coordinator");

    let mut puppet = Puppet::join(&place, "w1", 2).await;
    puppet.work_off(place.packs()).await;
    let ended = place.watch(&audit.id).await;
    assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
    let progress = ended.progress.unwrap();
    assert_eq!((progress.packs_done, progress.shadows_done), (place.packs(), 32));
    assert!(progress.provisional.is_some_and(|figures| figures.auc > 0.6), "the logits leak");

    let names = place.files(&audit.id).await;
    let expected = [
        "membership.npy",
        "patients.parquet",
        "records.parquet",
        "report.html",
        "run.json",
        "scores-global.npy",
        "scores-lira-online.npy",
        "summary.json",
    ];
    assert_eq!(names, expected);
    let summary = place.summary(&audit.id).await;
    assert!(summary["attacks"]["lira-online"]["auc"].as_f64().unwrap() > 0.6);
    assert_eq!(summary["patients"]["units"], 300);
    place.stop().await;
}

#[tokio::test]
async fn images_with_several_labels_have_findings() {
    let place = Place::of_images().await;
    place.upload().await;
    let audit = place.submit("first", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    puppet.work_off(place.packs()).await;
    let ended = place.watch(&audit.id).await;
    assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
    assert!(ended.progress.unwrap().provisional.is_some_and(|figures| figures.auc > 0.6), "the logits leak");
    let summary = place.summary(&audit.id).await;
    // One label known for a third of the records, two for the others: more than one label shows.
    assert!(summary["attacks"]["lira-online"]["auc"].as_f64().unwrap() > 0.7);
    assert_eq!(
        (&summary["dataset"]["classes"], &summary["dataset"]["several_labels"]),
        (&2.into(), &true.into())
    );
    let page = String::from_utf8(place.file(&audit.id, "report.html").await).unwrap();
    assert!(page.contains("Predict <bdi>several labels</bdi>: <bdi>left, right</bdi>"), "the task is named");
    place.stop().await;
}

/// One logit says what two do that differ by it: the same scores.
#[tokio::test]
async fn one_logit_for_two_classes_is_as_good_as_two() {
    let place = Place::start().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    let mut one = draft();
    one.training.as_mut().unwrap().loss = Some("bce".into());
    let mut scores = Vec::new();
    for (request, draft) in [("two", draft()), ("one", one)] {
        let audit = place.submit(request, &draft).await.unwrap();
        puppet.work_off(place.packs()).await;
        let ended = place.watch(&audit.id).await;
        assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
        let summary = place.summary(&audit.id).await;
        assert_eq!(summary["dataset"]["classes"], 2);
        scores.push(place.file(&audit.id, "scores-lira-online.npy").await);
    }
    assert_eq!(scores[0], scores[1]);
    place.stop().await;
}

#[tokio::test]
async fn views_of_images_are_averaged_and_their_number_is_checked() {
    let place = Place::of_images().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    let mut clean = draft();
    clean.augment = Some(v1::AugmentSpec { flip: Some(true), ..v1::AugmentSpec::default() });
    let mut views = clean.clone();
    views.queries = Some(v1::QuerySpec { views: Some(2) });
    let mut auc = Vec::new();
    for (request, spec) in [("one", &clean), ("two", &views)] {
        // Nothing of the one is the other's: the packs are made anew.
        let audit = place.submit(request, spec).await.unwrap();
        puppet.work_off(place.packs()).await;
        let ended = place.watch(&audit.id).await;
        assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
        auc.push(place.summary(&audit.id).await["attacks"]["global"]["auc"].as_f64().unwrap());
    }
    // The views' noise is independent, so that the mean of two tells more.
    assert!(auc[1] > auc[0] + 0.03, "{auc:?}");

    // A worker that asks another number of questions has not answered this one.
    let mut other = views.clone();
    other.seed = 9;
    let audit = place.submit("three", &other).await.unwrap();
    let mut pack = puppet.next_assignment().await;
    let fence = pack.fence;
    pack.spec.as_mut().unwrap().queries = None;
    puppet.finish(&pack).await;
    let mut left = place.packs();
    while left > 0 {
        let next = puppet.next_assignment().await;
        assert_ne!(next.fence, fence);
        puppet.finish(&next).await;
        left -= 1;
    }
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn the_same_request_is_one_audit_and_stored_logits_are_used_again() {
    let place = Place::start().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let first = place.submit("r", &draft()).await.unwrap();
    puppet.work_off(place.packs()).await;
    place.watch(&first.id).await;

    assert_eq!(place.submit("r", &draft()).await.unwrap().id, first.id);
    let mut other = draft();
    other.seed = 8;
    let refused = place.submit("r", &other).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::AlreadyExists));

    // Only the statistics differ: nothing is trained again.
    let mut statistics = draft();
    statistics.statistics.as_mut().unwrap().fdr = Some(0.1);
    let second = place.submit("s", &statistics).await.unwrap();
    let ended = place.watch(&second.id).await;
    assert_eq!(ended.state(), v1::AuditState::Succeeded);
    assert_ne!(second.id, first.id);
    let scores = |id: String| {
        let place = &place;
        async move { place.file(&id, "scores-lira-online.npy").await }
    };
    assert_eq!(scores(first.id.clone()).await, scores(second.id.clone()).await);

    // The audit that trained is deleted with its logits: a third one trains anew.
    place.delete(&second.id).await.unwrap();
    place.delete(&first.id).await.unwrap();
    let third = place.submit("t", &draft()).await.unwrap();
    puppet.work_off(place.packs()).await;
    assert_eq!(place.watch(&third.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn a_restart_in_the_middle_loses_nothing() {
    let mut place = Place::start().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    puppet.work_off(3).await;
    let held = puppet.next_assignment().await;
    place.restart().await;

    let again = place.get(&audit.id).await;
    assert_eq!(again.state(), v1::AuditState::Running);
    assert!(again.progress.unwrap().packs_done >= 3);
    // The worker comes back with the pack it holds and reports it under the old fence.
    let mut puppet = Puppet::rejoin(&place, "w1", 1, std::slice::from_ref(&held)).await;
    puppet.finish(&held).await;
    puppet.work_off(place.packs() - 4).await;
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn a_result_that_is_not_what_it_says_is_made_again() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let pack = puppet.next_assignment().await;
    puppet.finish_with(&pack, f32::NAN).await;
    // The pack comes back, under a new fence.
    let mut fences = vec![pack.fence];
    let mut left = place.packs();
    while left > 0 {
        let next = puppet.next_assignment().await;
        fences.push(next.fence);
        puppet.finish(&next).await;
        left -= 1;
    }
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    fences.dedup();
    assert_eq!(fences.len(), place.packs() as usize + 1, "one pack was made twice");
    place.stop().await;
}

#[tokio::test]
async fn cancelling_frees_slots_and_ends_the_audit() {
    let place = Place::start().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let packs = [puppet.next_assignment().await, puppet.next_assignment().await];
    let cancelled = place.cancel(&audit.id).await.unwrap();
    assert_eq!(cancelled.state(), v1::AuditState::Cancelled);
    for _ in &packs {
        let revoke = puppet.next_revoke().await;
        assert_eq!(revoke.reason(), v1::RevokeReason::Cancelled);
        puppet.release(&revoke).await;
    }
    // Both slots work again.
    let mut other = draft();
    other.seed = 9;
    let second = place.submit("s", &other).await.unwrap();
    puppet.work_off(place.packs()).await;
    assert_eq!(place.watch(&second.id).await.state(), v1::AuditState::Succeeded);
    let refused = place.cancel(&second.id).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::WrongState));
    assert!(place.cancel(&audit.id).await.is_ok(), "cancelling again changes nothing");
    place.stop().await;
}

#[tokio::test]
async fn a_class_nobody_offers_is_waited_for_in_words() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let _puppet = Puppet::join_with(&place, "w1", 1, &["other-class"], &[]).await;
    let reason = place.watch_until(&audit.id, |audit| audit.waiting_reason.contains("other-class")).await;
    assert!(reason.waiting_reason.contains("test-class"), "{}", reason.waiting_reason);
    place.stop().await;
}

#[tokio::test]
async fn a_data_set_that_is_named_cannot_be_deleted() {
    let place = Place::start().await;
    place.upload().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let refused = place.delete_dataset().await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::WrongState));
    assert!(refused.message().contains(&audit.id), "{}", refused.message());
    assert_eq!(Reason::of(&place.delete(&audit.id).await.unwrap_err()), Some(Reason::WrongState));
    place.cancel(&audit.id).await.unwrap();
    place.delete(&audit.id).await.unwrap();
    place.delete_dataset().await.unwrap();
    assert_eq!(Reason::of(&place.delete_dataset().await.unwrap_err()), Some(Reason::NotFound));
    place.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_cut_off_hears_it_and_comes_back() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let held = puppet.next_assignment().await;
    puppet.break_the_protocol().await;
    puppet.ended().await;
    // It comes back with what it holds. A second session of the same name ends the first.
    let mut first = Puppet::rejoin(&place, "w1", 1, std::slice::from_ref(&held)).await;
    let mut second = Puppet::rejoin(&place, "w1", 1, std::slice::from_ref(&held)).await;
    first.ended().await;
    second.finish(&held).await;
    second.work_off(place.packs() - 1).await;
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn bytes_stay_while_a_data_set_has_them() {
    let place = Place::start().await;
    place.upload().await;
    // The same bytes, under another name and with a wrong claim about their content.
    let refused = place.upload_as("liars", &Digest::of(b"other")).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::DigestMismatch));
    // Two names for the same bytes: one can go.
    place.upload_as("twins", place.content()).await.unwrap();
    place.delete_dataset().await.unwrap();
    let mut twins = draft();
    twins.dataset = "twins".into();
    let audit = place.submit("r", &twins).await.unwrap();
    Puppet::join(&place, "w1", 1).await.work_off(place.packs()).await;
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn a_deleted_audit_can_be_submitted_again_at_once() {
    let place = Place::start().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let audit = place.submit("r", &draft()).await.unwrap();
        seen.push(audit.id.clone());
        puppet.work_off(place.packs()).await;
        assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
        assert!(!place.files(&audit.id).await.is_empty());
        place.delete(&audit.id).await.unwrap();
        assert_eq!(place.blobs_of_audits(), 0, "deleted means its bytes, too");
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "the same request has the same id");
    place.stop().await;
}

#[tokio::test]
async fn results_that_were_just_promised_outlive_the_audit_that_made_them() {
    let place = Place::start().await;
    place.upload().await;
    let first = place.submit("r", &draft()).await.unwrap();
    Puppet::join(&place, "w1", 1).await.work_off(place.packs()).await;
    place.watch(&first.id).await;
    let mut other = draft();
    other.statistics.as_mut().unwrap().fdr = Some(0.1);
    for name in ["aaa", "zzz"] {
        other.name = name.into();
        place.submit(name, &other).await.unwrap();
    }
    place.delete(&first.id).await.unwrap();
    for audit in place.list().await {
        assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded, "{:?}", audit.fault);
    }
    place.stop().await;
}

#[tokio::test]
async fn lost_shadows_are_left_out_and_an_audit_without_any_other_says_why_it_failed() {
    let place = Place::start().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    for (lost, state) in [
        (2, v1::AuditState::Succeeded),
        (place.packs() - 1, v1::AuditState::Succeeded),
        (place.packs(), v1::AuditState::Failed),
    ] {
        let mut spec = draft();
        spec.seed = u64::from(lost);
        let audit = place.submit(&format!("lose {lost}"), &spec).await.unwrap();
        for _ in 0..lost {
            let assign = puppet.next_assignment().await;
            puppet.lose(&assign).await;
        }
        puppet.work_off(place.packs() - lost).await;
        let ended = place.watch(&audit.id).await;
        assert_eq!(ended.state(), state, "{lost} lost packs: {:?}", ended.fault);
        assert_eq!(ended.progress.unwrap().shadows_lost, 4 * lost);
        if let Some(fault) = ended.fault {
            assert_eq!(fault.domain(), v1::FaultDomain::Spec);
            assert!(fault.message.contains("learning_rate"), "{}", fault.message);
        }
    }
    place.stop().await;
}

#[tokio::test]
async fn a_pack_leaves_its_result_and_nothing_else() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let first = puppet.next_assignment().await;
    puppet.checkpoint(&first, 100).await;
    puppet.hand_back(&first, 200).await;
    // The pack goes on from the newer checkpoint.
    let again = puppet.next_assignment().await;
    assert_eq!((again.pack, again.resume_from.as_ref().map(|at| at.step)), (first.pack, Some(200)));
    puppet.checkpoint(&again, 300).await;
    puppet.finish(&again).await;
    puppet.work_off(place.packs() - 1).await;
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    let files = place.files(&audit.id).await.len();
    let place = place.settled().await;
    assert_eq!(place.blobs_of_audits(), files + place.packs() as usize);
    place.stop().await;
}
