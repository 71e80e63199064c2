//! Weights that an audit keeps are there for audits that ask other questions, as long as anybody counts on them.

use umbra_proto::v1;

use crate::place::{Place, draft};
use crate::puppet::Puppet;

/// An audit that keeps its weights, with so many views of every record.
fn keeping(views: u32) -> v1::AuditSpec {
    v1::AuditSpec {
        augment: Some(v1::AugmentSpec { noise: Some(0.1), ..v1::AugmentSpec::default() }),
        queries: Some(v1::QuerySpec { views: Some(views) }),
        placement: Some(v1::PlacementSpec { keep_weights: Some(true), ..v1::PlacementSpec::default() }),
        ..draft()
    }
}

/// The blobs of weights that are there.
fn weights(place: &Place) -> Vec<String> {
    place.blobs().into_iter().filter(|key| key.ends_with("/weights")).collect()
}

/// The blobs of an audit that are there.
fn blobs_of(place: &Place, audit: &v1::Audit) -> Vec<String> {
    let folder = format!("audit/{}/", audit.id);
    place.blobs().into_iter().filter(|key| key.starts_with(&folder)).collect()
}

async fn run(place: &Place, id: &str) -> serde_json::Value {
    serde_json::from_slice(&place.file(id, "run.json").await).unwrap()
}

#[tokio::test]
async fn other_queries_begin_with_the_weights_that_were_kept() {
    let mut place = Place::start().await;
    place.upload().await;
    let packs = place.packs();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let first = place.submit("first", &keeping(1)).await.unwrap();
    puppet.work_off(packs).await;
    place.watch(&first.id).await;
    assert_eq!(run(&place, &first.id).await["packs_queried"], 0);
    let kept = weights(&place);
    assert_eq!(kept.len() as u32, packs, "{kept:?}");

    // Another seed is other shadows.
    let other = place.submit("other", &v1::AuditSpec { seed: 8, ..keeping(2) }).await.unwrap();
    let assign = puppet.next_assignment().await;
    assert_eq!((assign.audit_id.as_str(), assign.resume_from.clone()), (other.id.as_str(), None));
    place.cancel(&other.id).await.unwrap();
    let revoke = puppet.next_revoke().await;
    puppet.release(&revoke).await;

    let second = place.submit("second", &keeping(2)).await.unwrap();
    let begun = puppet.next_assignment().await;
    let from = begun.resume_from.clone().unwrap();
    assert_eq!(from.step, begun.steps * u64::from(begun.shadows), "its last step is taken");
    let key = from.blob.unwrap().key;
    assert!(key.starts_with(&format!("audit/{}/pack-{}/", first.id, begun.pack)), "{key}");
    // A checkpoint of its own takes their place, and they stay whose they were.
    puppet.checkpoint(&begun, 5).await;
    puppet.finish(&begun).await;
    place = place.settled().await;
    assert!(weights(&place).contains(&key), "they are the first audit's");

    // The first audit goes; what the second has yet to begin with stays, whoever leads.
    place.delete(&first.id).await.unwrap();
    let named: Vec<_> = kept.iter().filter(|kept| **kept != key).cloned().collect();
    assert_eq!(blobs_of(&place, &first), named);
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    for _ in 1..packs {
        let assign = puppet.next_assignment().await;
        let from = assign.resume_from.clone().unwrap();
        assert!(named.contains(&from.blob.unwrap().key), "{assign:?}");
        puppet.finish(&assign).await;
    }
    let ended = place.watch(&second.id).await;
    assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
    // Who did what is told of the time since the restart.
    assert_eq!(run(&place, &second.id).await["packs_queried"], packs - 1);

    // The second has weights of its own for a third.
    let third = place.submit("third", &keeping(3)).await.unwrap();
    let assign = puppet.next_assignment().await;
    assert_eq!(assign.audit_id, third.id);
    let key = assign.resume_from.unwrap().blob.unwrap().key;
    assert!(key.starts_with(&format!("audit/{}/", second.id)), "{key}");
    // Of each of its packs there are logits and weights, and no checkpoint.
    let place = place.settled().await;
    let mut left = blobs_of(&place, &second);
    left.retain(|key| key.contains("/pack-"));
    assert_eq!(left.len() as u32, 2 * packs, "{left:?}");
    place.stop().await;
}

/// An audit that keeps none leaves none, and a worker may not write any.
#[tokio::test]
async fn weights_are_kept_for_who_asks_alone() {
    let place = Place::start().await;
    place.upload().await;
    let spec = v1::AuditSpec { placement: None, ..keeping(1) };
    let audit = place.submit("first", &spec).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let assign = puppet.next_assignment().await;
    let refused = puppet.try_write(&assign, "weights", vec![1]).await.unwrap_err();
    assert!(refused.message().contains("where the audit keeps them"), "{refused}");
    puppet.finish(&assign).await;
    puppet.work_off(place.packs() - 1).await;
    place.watch(&audit.id).await;
    place.submit("second", &v1::AuditSpec { placement: None, ..keeping(2) }).await.unwrap();
    assert_eq!(puppet.next_assignment().await.resume_from, None);
    place.stop().await;
}

/// Weights that are not what their worker said are no result.
#[tokio::test]
async fn weights_that_are_not_there_are_refused() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("first", &keeping(1)).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let assign = puppet.next_assignment().await;
    puppet.finish_without_weights(&assign).await;
    puppet.work_off(place.packs()).await;
    assert_eq!(place.watch(&audit.id).await.state(), v1::AuditState::Succeeded);
    assert_eq!(weights(&place).len() as u32, place.packs());
    place.stop().await;
}
