//! A worker that uses the store without the coordinator between.

use bytes::Bytes;
use umbra_core::digest::Digest;
use umbra_proto::v1::RevokeReason;
use umbra_proto::v1::connect_request::Message as Said;
use umbra_proto::v1::connect_response::Message as Answer;
use umbra_runtime::blobs::{BlobKey, BlobStore};
use umbra_worker::Outcome;

use crate::fixture::{ENDLESS, Fixture};
use crate::{done, part, released};

/// The bytes of a blob that must be there.
async fn stored(store: &BlobStore, key: &str) -> Bytes {
    store.get(&BlobKey::try_new(key).unwrap(), 1 << 20).await.unwrap()
}

#[tokio::test]
async fn a_direct_worker_reads_and_writes_where_the_coordinator_would() {
    let store = BlobStore::memory();
    let mut fixture = Fixture::start_on(&store, 1).await;
    let (mut talk, hello) = fixture.coordinator.welcome().await;
    assert_eq!(hello.store_id, store.identity().await.unwrap());

    fixture.assign(&talk, 0, 7, 2000).await;
    let checkpoint = talk.checkpoint().await;
    let report = talk.report().await;
    let result = done(report).blob.unwrap();
    assert_eq!(result.key, "audit/tiny-12345678/pack-0/fence-7/logits");
    let logits = stored(&store, &result.key).await;
    assert_eq!(Digest::of(&logits).as_bytes()[..], result.sha256);
    let blob = checkpoint.blob.clone().unwrap();
    assert!(blob.key.starts_with("audit/tiny-12345678/pack-0/fence-7/checkpoint-"), "{}", blob.key);
    assert_eq!(Digest::of(&stored(&store, &blob.key).await).as_bytes()[..], blob.sha256);

    // From the checkpoint the same bytes come, under the next fence's key.
    let mut again = fixture.pack(0, 8, 2000);
    again.resume_from = Some(checkpoint);
    talk.say(Answer::Assign(again)).await;
    let resumed = done(talk.report().await);
    assert!(resumed.resumed_from_step > 0);
    let resumed = resumed.blob.unwrap();
    assert_eq!(
        (resumed.key.as_str(), resumed.sha256),
        ("audit/tiny-12345678/pack-0/fence-8/logits", result.sha256)
    );

    {
        let shelf = fixture.coordinator.shelf();
        assert!(shelf.writes.is_empty() && shelf.reads.is_empty(), "nothing went through the coordinator");
    }
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_direct_worker_hands_its_checkpoint_back_through_the_store() {
    let store = BlobStore::memory();
    let mut fixture = Fixture::start_on(&store, 1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 0, 7, ENDLESS).await;
    talk.stepping(7).await;
    fixture.drain.begin();
    talk.until(|said| matches!(said, Said::Draining(_)).then_some(())).await;
    talk.revoke(7, RevokeReason::Draining).await;
    let checkpoint = released(talk.report().await).expect("it was at work");
    let blob = checkpoint.blob.unwrap();
    assert_eq!(blob.key, format!("audit/tiny-12345678/pack-0/fence-7/checkpoint-{}", checkpoint.step));
    assert_eq!(Digest::of(&stored(&store, &blob.key).await).as_bytes()[..], blob.sha256);
    talk.until(|said| matches!(said, Said::Bye(_)).then_some(())).await;
    drop(talk);
    assert_eq!(fixture.outcome().await.unwrap(), Outcome::Left);
}
