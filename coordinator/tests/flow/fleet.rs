//! Real fleets: slots of different sizes, shares of them, broken workers, audits that queue and grow.

use umbra_core::digest::Digest;
use umbra_proto::error::{Reason, violations};
use umbra_proto::v1;

use crate::place::{Place, draft};
use crate::puppet::Puppet;

const GIB: u64 = 1 << 30;

fn placed(placement: v1::PlacementSpec) -> v1::AuditSpec {
    v1::AuditSpec { placement: Some(placement), ..draft() }
}

#[tokio::test]
async fn a_pack_that_runs_out_of_memory_goes_to_the_larger_slot() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let mut puppet = Puppet::join_sized(&place, "w1", &[80 * GIB, 16 * GIB], &["test-class"], &[]).await;
    let (small, large) = (puppet.next_assignment().await, puppet.next_assignment().await);
    assert_eq!((small.slot, large.slot), (1, 0), "the smallest that is large enough comes first");
    puppet.fail_with(&small, v1::FaultRetry::Larger).await;
    puppet.finish(&large).await;
    for _ in 1..place.packs() {
        let assign = puppet.next_assignment().await;
        assert_eq!(assign.slot, 0, "what was too small for one pack is so for all");
        puppet.finish(&assign).await;
    }
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn what_no_slot_can_hold_is_waited_for_in_words() {
    let place = Place::start().await;
    place.upload().await;
    // Two hundred million parameters: over 2 GiB with their gradients and momentum.
    let mut wide = draft();
    let model = v1::ModelSpec { architecture: "mlp".into(), widths: vec![10_000; 3], ..Default::default() };
    wide.model = Some(model);
    let audit = place.submit("r", &wide).await.unwrap();
    let _puppet = Puppet::join_sized(&place, "w1", &[GIB], &["test-class"], &[]).await;
    let waits = place.watch_until(&audit.id, |audit| audit.waiting_reason.contains("needs a slot")).await;
    assert_eq!(
        waits.waiting_reason,
        "a shadow needs a slot of 2.0 GiB and the largest has 1.0 GiB: use a smaller model or batch, or a larger \
         device"
    );
    place.stop().await;
}

#[tokio::test]
async fn priority_and_limits_share_the_slots_and_the_queue_says_so() {
    let place = Place::start().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 3).await;
    let few = placed(v1::PlacementSpec { max_slots: Some(2), ..v1::PlacementSpec::default() });
    let few = place.submit("few", &few).await.unwrap();
    let shown = few.spec.as_ref().unwrap().placement.unwrap();
    assert_eq!((shown.max_slots, shown.priority, shown.weight), (Some(2), None, None));
    let firsts = [puppet.next_assignment().await, puppet.next_assignment().await];
    assert!(firsts.iter().all(|assign| assign.audit_id == few.id));

    // The third slot is the next audit's, whatever it is; then two more queue, by priority.
    let mut other = draft();
    other.seed = 8;
    let third = place.submit("third", &other).await.unwrap();
    assert_eq!(puppet.next_assignment().await.audit_id, third.id);
    other.seed = 9;
    let later = place.submit("later", &other).await.unwrap();
    let urgent = placed(v1::PlacementSpec { priority: Some(5), ..v1::PlacementSpec::default() });
    let urgent = place.submit("urgent", &v1::AuditSpec { seed: 10, ..urgent }).await.unwrap();
    let position = async |id: &str, wanted: Option<u32>| {
        let queues = |audit: &v1::Audit| audit.progress.unwrap().queue_position == wanted;
        place.watch_until(id, queues).await
    };
    position(&urgent.id, Some(0)).await;
    position(&later.id, Some(1)).await;
    assert_eq!(position(&few.id, None).await.progress.unwrap().packs_waiting, 6);

    // Rates of what runs say how long the queue takes.
    puppet.progress(&firsts[0], 10).await;
    let timed = async {
        let mut steps = 20;
        while place.get(&urgent.id).await.progress.unwrap().seconds_left == 0.0 {
            puppet.progress(&firsts[0], steps).await;
            steps += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), timed).await.expect("in time");
    puppet.finish(&firsts[0]).await;
    assert_eq!(puppet.next_assignment().await.audit_id, urgent.id);

    // The same audit with another priority is the same audit, as it was.
    let hasty = placed(v1::PlacementSpec { priority: Some(100), ..v1::PlacementSpec::default() });
    let again = place.submit("later", &v1::AuditSpec { seed: 9, ..hasty }).await.unwrap();
    assert_eq!((again.id, again.spec.unwrap().placement.unwrap().priority), (later.id, None));
    place.stop().await;
}

#[tokio::test]
async fn a_worker_that_fails_everything_is_listed_with_the_reason() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("r", &draft()).await.unwrap();
    let mut bad = Puppet::join(&place, "bad", 1).await;
    let first = bad.next_assignment().await;
    let mut good = Puppet::join(&place, "good", 1).await;
    bad.fail(&first).await;
    for _ in 0..2 {
        let next = bad.next_assignment().await;
        bad.fail(&next).await;
    }
    let workers = place.workers(0, "").await.unwrap().workers;
    let [bad, well] = &workers[..] else { panic!("{workers:?}") };
    assert!((50..=60).contains(&bad.quarantine_seconds), "{bad:?}");
    assert_eq!(bad.quarantine_reason, "the device is lost");
    assert_eq!((well.quarantine_seconds, well.quarantine_reason.as_str()), (0, ""));
    good.work_off(place.packs()).await;
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn a_pack_that_stands_still_goes_on_where_slots_are_fast() {
    let place = Place::with_pace(20).await;
    place.upload().await;
    let shadows = Some(v1::ShadowSpec { count: Some(8), block: Some(8), population: None });
    let audit = place.submit("r", &v1::AuditSpec { shadows, ..draft() }).await.unwrap();
    let mut slow = Puppet::join(&place, "slow", 1).await;
    let held = slow.next_assignment().await;
    let mut fast = Puppet::join(&place, "fast", 1).await;
    let first = fast.next_assignment().await;
    // The one takes a step at every word, the other none.
    let mut often = tokio::time::interval(std::time::Duration::from_millis(5));
    for step in 1..=20 {
        often.tick().await;
        fast.progress(&first, step).await;
    }
    fast.finish(&first).await;
    let revoked = async {
        loop {
            slow.progress(&held, 3).await;
            tokio::select! {
                revoke = slow.next_revoke() => return revoke,
                _ = often.tick() => {}
            }
        }
    };
    let revoke = tokio::time::timeout(std::time::Duration::from_secs(60), revoked).await.expect("in time");
    assert_eq!((revoke.fence, revoke.reason()), (held.fence, v1::RevokeReason::Moving));
    slow.hand_back(&held, 3).await;
    let moved = fast.next_assignment().await;
    assert_eq!((moved.pack, moved.resume_from.clone().unwrap().step), (held.pack, 3));
    fast.finish(&moved).await;
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    place.stop().await;
}

#[tokio::test]
async fn an_audit_grows_by_whole_blocks_and_trains_the_new_ones_only() {
    let place = Place::start().await;
    place.upload().await;
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    let with = |count: u32, seed: u64| {
        let shadows = Some(v1::ShadowSpec { count: Some(count), block: Some(16), population: None });
        v1::AuditSpec { seed, shadows, ..draft() }
    };
    let old = place.submit("old", &with(16, 7)).await.unwrap();
    puppet.work_off(4).await;
    assert_eq!(place.watch(&old.id).await.state(), v1::AuditState::Succeeded);

    for wrong in [0, 16, 24, 40, u32::MAX] {
        let refused = violations(&place.extend(&old.id, wrong).await.unwrap_err());
        assert_eq!(refused[0].field, "shadows", "{wrong}: {refused:?}");
    }
    assert_eq!(Reason::of(&place.extend("nobody-1", 32).await.unwrap_err()), Some(Reason::NotFound));
    let larger = place.extend(&old.id, 32).await.unwrap();
    assert_eq!(larger.spec.as_ref().unwrap().shadows.unwrap().block, Some(16));
    assert_eq!(place.extend(&old.id, 32).await.unwrap().id, larger.id, "twice is once");
    // Four packs of the new block; more would not be there to be worked off.
    puppet.work_off(4).await;
    let ended = place.watch(&larger.id).await;
    assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
    let run = place.file(&larger.id, "run.json").await;
    let run: serde_json::Value = serde_json::from_slice(&run).unwrap();
    assert_eq!(run["packs_reused"], 4, "{run}");

    // Against 32 shadows from the start, elsewhere.
    let fresh = Place::start().await;
    fresh.upload().await;
    let mut other = Puppet::join(&fresh, "w1", 2).await;
    let whole = fresh.submit("whole", &with(32, 7)).await.unwrap();
    other.work_off(8).await;
    assert_eq!(fresh.watch(&whole.id).await.state(), v1::AuditState::Succeeded);
    let mut compared = 0;
    for name in fresh.files(&whole.id).await {
        // Who did it when, and the page that names the audit.
        if name == "run.json" || name == "report.html" {
            continue;
        }
        let (grown, whole) = (place.file(&larger.id, &name).await, fresh.file(&whole.id, &name).await);
        assert_eq!(Digest::of(&grown), Digest::of(&whole), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 6);
    assert_eq!(place.get(&old.id).await.progress.unwrap().shadows, 16, "the old one stays");
    fresh.stop().await;
    place.stop().await;
}
