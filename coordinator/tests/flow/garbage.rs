//! Blobs that no record names are taken away, and no others.

use std::time::Duration;

use umbra_core::digest::Digest;
use umbra_proto::v1;

use crate::place::{Place, draft};
use crate::puppet::Puppet;

/// Waits until none of these blobs is there.
async fn until_gone(place: &Place, garbage: &[String]) {
    let gone = async {
        let mut often = tokio::time::interval(Duration::from_millis(10));
        while garbage.iter().any(|key| place.blobs().contains(key)) {
            often.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("the garbage goes");
}

#[tokio::test]
async fn what_no_record_names_goes_and_the_rest_stays() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("first", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    puppet.work_off(place.packs()).await;
    place.watch(&audit.id).await;
    // One that is at work when the garbage is collected, with a checkpoint.
    let mut other = draft();
    other.seed = 8;
    let second = place.submit("second", &other).await.unwrap();
    let at_work = puppet.next_assignment().await;
    puppet.checkpoint(&at_work, 5).await;
    place.watch_until(&second.id, |audit| audit.progress.is_some()).await;
    let place = place.settled().await;
    let named = place.blobs();
    assert!(named.iter().any(|key| key.ends_with("checkpoint-5")), "{named:?}");

    let (id, fence) = (&audit.id, at_work.fence);
    let garbage = [
        // A zombie wrote after its pack was done.
        format!("audit/{id}/pack-0/fence-99999/logits"),
        format!("audit/{id}/findings-99999/summary.json"),
        "audit/gone-12345678/pack-0/fence-1/logits".to_owned(),
        format!("dataset/{}", Digest::of(b"nobody's")),
    ];
    let not_ours = [
        "meta/store-id".to_owned(),
        format!("audit/{id}/notes"),
        // Written under a live fence, and not reported yet.
        format!("audit/{}/pack-{}/fence-{fence}/logits", second.id, at_work.pack),
    ];
    let planted: Vec<String> = garbage.iter().chain(&not_ours).cloned().collect();
    let place = place.collecting(&planted).await;
    until_gone(&place, &garbage).await;
    let left = place.blobs();
    assert!(named.is_subset(&left), "gone: {:?}", named.difference(&left));
    assert!(not_ours.iter().all(|key| left.contains(key)), "{left:?}");
    assert_eq!(left.len(), named.len() + not_ours.len());
    assert_eq!(place.get(id).await.state(), v1::AuditState::Succeeded);
    place.file(id, "summary.json").await;
    place.stop().await;
}

/// What says where results lie goes when they have gone with their audit, and only then.
#[tokio::test]
async fn the_index_of_an_audit_that_was_deleted_goes() {
    let place = Place::start().await;
    place.upload().await;
    let keeping = v1::PlacementSpec { keep_weights: Some(true), ..v1::PlacementSpec::default() };
    let spec = |seed| v1::AuditSpec { seed, placement: Some(keeping), ..draft() };
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    for seed in [7, 8] {
        let audit = place.submit(&seed.to_string(), &spec(seed)).await.unwrap();
        puppet.work_off(place.packs()).await;
        place.watch(&audit.id).await;
    }
    // Another audit counts on the results of the first, which goes; so does the second, alone.
    let statistics = v1::StatisticsSpec { fdr: Some(0.1), ..v1::StatisticsSpec::default() };
    let borrower = v1::AuditSpec { statistics: Some(statistics), ..spec(7) };
    let borrower = place.submit("borrower", &borrower).await.unwrap();
    place.watch(&borrower.id).await;
    for audit in place.list().await {
        if audit.id != borrower.id {
            place.delete(&audit.id).await.unwrap();
        }
    }
    let garbage = ["audit/gone-12345678/pack-0/fence-1/logits".to_owned()];
    let place = place.collecting(&garbage).await;
    until_gone(&place, &garbage).await;
    let entries = place.entries().await;
    let count = |prefix: &str| entries.iter().filter(|key| key.starts_with(prefix)).count();
    // The first audit's weights went with it: nobody counts on these.
    assert_eq!((count("logits/"), count("weights/")), (32, 0), "{entries:?}");
}
