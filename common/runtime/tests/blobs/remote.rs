//! What only a store beyond this machine does: refusals, being away, being shared.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use umbra_core::digest::Digest;
use umbra_runtime::blobs::{Access, BlobError, BlobStore, OpenBlobsError, Place};

use crate::common::{bytes, key, pieces, put};
use crate::s3::S3;
use crate::stores::open;

#[tokio::test]
async fn what_is_not_safe_or_not_enough_is_refused_at_once() {
    let place: Place = "s3://bucket/prefix".parse().unwrap();
    let refused = async |access: Access| match BlobStore::open(&place, &access).await {
        Err(OpenBlobsError::Setup(message)) => message,
        Err(other) => other.to_string(),
        Ok(_) => panic!("it was opened"),
    };
    let endpoint = |endpoint: &str| Access { endpoint: Some(endpoint.into()), ..Access::default() };
    let message = refused(endpoint("http://10.0.0.7:9000")).await;
    assert!(message.contains("AWS_ALLOW_HTTP=true"), "{message}");
    let message = refused(endpoint("10.0.0.7:9000")).await;
    assert!(message.contains("is no URL"), "{message}");
    let environment = vec![("AWS_ACCESS_KEY_ID".to_owned(), "alone".to_owned())];
    let message = refused(Access { environment, ..Access::default() }).await;
    assert!(message.contains("cannot be set up"), "{message}");
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    let message = refused(Access { authorities: Some(bundle.clone()), ..Access::default() }).await;
    assert!(message.contains("ca.pem"), "{message}");
    std::fs::write(&bundle, "no certificate").unwrap();
    let environment = vec![("AWS_CA_BUNDLE".to_owned(), bundle.display().to_string())];
    let message = refused(Access { environment, ..Access::default() }).await;
    assert!(message.contains("holds no certificate"), "{message}");

    // Told that its network may see everything, it is opened; so are the others, with less.
    let allowed = vec![("AWS_ALLOW_HTTP".to_owned(), "true".to_owned())];
    let access = Access { environment: allowed, ..endpoint("http://10.0.0.7:9000") };
    assert!(BlobStore::open(&place, &access).await.is_ok());
    let account = vec![("AZURE_STORAGE_ACCOUNT_NAME".to_owned(), "ward".to_owned())];
    let azure = Access { environment: account, ..Access::default() };
    assert!(BlobStore::open(&"az://container".parse().unwrap(), &azure).await.is_ok());
    assert!(BlobStore::open(&"gs://bucket".parse().unwrap(), &Access::default()).await.is_ok());
}

#[tokio::test]
async fn wrong_secrets_and_buckets_are_said_in_words_and_are_not_waited_for() {
    let Some(s3) = S3::start(1) else { return };
    let mut environment = s3.environment();
    environment.push(("AWS_SECRET_ACCESS_KEY".into(), "another".into()));
    let access = Access { environment, ..Access::default() };
    let place = format!("s3://{}", S3::BUCKET).parse().unwrap();
    let store = BlobStore::open(&place, &access).await.unwrap();
    for error in [
        put(&store, "a", &bytes(1, 10)).await.unwrap_err(),
        put(&store, "a", &bytes(1, 9 << 20)).await.unwrap_err(),
        store.head(&key("a")).await.unwrap_err(),
        store.identity().await.unwrap_err(),
    ] {
        assert!(matches!(error, BlobError::Refused(_)), "{error:?}");
    }
    let nowhere = open(&s3, "s3://no-such-bucket/x").await;
    for size in [10, 9 << 20] {
        let error = put(&nowhere, "a", &bytes(1, size)).await.unwrap_err();
        assert!(matches!(error, BlobError::Refused(_)), "{error:?}");
    }
}

/// Without its authority the server might be anybody's, and nothing is said to it.
#[tokio::test]
async fn a_server_is_known_by_its_authority() {
    let Some(s3) = S3::start_secured(1) else { return };
    let Some(strange) = S3::start_secured(0) else { return };
    let place = format!("s3://{}/secured", S3::BUCKET).parse().unwrap();
    let patience = Duration::from_secs(1);
    let access =
        |authorities| Access { environment: s3.environment(), authorities, patience, ..Access::default() };
    let store = BlobStore::open(&place, &access(Some(s3.authority()))).await.unwrap();
    let whole = bytes(7, 9 << 20);
    put(&store, "a", &whole).await.unwrap();
    store.verify(&key("a"), &Digest::of(&whole)).await.unwrap();
    for authorities in [None, Some(strange.authority())] {
        let store = BlobStore::open(&place, &access(authorities)).await.unwrap();
        let error = store.head(&key("a")).await.unwrap_err();
        // Once it has another certificate, or this one is trusted, all goes on.
        assert!(error.is_transient() && error.to_string().contains("--blobs-ca"), "{error:?}");
    }
}

#[tokio::test]
async fn a_prefix_keeps_to_itself_and_an_id_is_drawn_once() {
    let Some(s3) = S3::start(1) else { return };
    let place = |prefix: &str| format!("s3://{}/{prefix}", S3::BUCKET);
    let (one, other) = (open(&s3, &place("one")).await, open(&s3, &place("other/deep")).await);
    put(&one, "a", &bytes(1, 10)).await.unwrap();
    assert!(matches!(other.head(&key("a")).await, Err(BlobError::NotFound(_))));
    assert_eq!(other.list(None).count().await, 0);
    assert_eq!(one.list(None).count().await, 1);

    let again = open(&s3, &place("one/")).await;
    let (first, second) = futures::join!(one.identity(), again.identity());
    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    assert_eq!(first.len(), 32);
    assert_ne!(first, other.identity().await.unwrap());
}

#[tokio::test]
async fn two_processes_that_write_the_same_bytes_both_succeed() {
    let Some(s3) = S3::start(1) else { return };
    let place = format!("s3://{}", S3::BUCKET);
    // Each has its own idea of who writes.
    let (one, other) = (open(&s3, &place).await, open(&s3, &place).await);
    for size in [10, 17 << 20] {
        let (name, whole) = (format!("same/{size}"), bytes(3, size));
        let (first, second) = futures::join!(put(&one, &name, &whole), put(&other, &name, &whole));
        first.unwrap();
        second.unwrap();
        one.verify(&key(&name), &Digest::of(&whole)).await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_write_is_aborted() {
    let Some(s3) = S3::start(1) else { return };
    let store = open(&s3, &format!("s3://{}", S3::BUCKET)).await;
    let (more, rest) = tokio::sync::mpsc::channel(1);
    let rest = tokio_stream::wrappers::ReceiverStream::new(rest);
    let name = key("dropped");
    let mut writing = Box::pin(store.put_stream::<_, std::io::Error>(&name, None, u64::MAX, rest));
    for _ in 0..30 {
        tokio::select! {
            ended = &mut writing => panic!("{ended:?}"),
            sent = more.send(Ok(Bytes::from(vec![1; 1 << 20]))) => sent.unwrap(),
        }
    }
    drop(writing);
    assert_eq!(store.abort_dropped().await.unwrap(), 1);
    assert_eq!(store.abort_dropped().await.unwrap(), 0);
    assert!(matches!(store.head(&name).await, Err(BlobError::NotFound(_))));
    // One that fails is aborted at once.
    let wrong = Digest::of(b"other");
    let failed = store.put_stream(&name, Some(&wrong), u64::MAX, pieces(&bytes(1, 9 << 20))).await;
    assert!(matches!(failed, Err(BlobError::Mismatch { .. })), "{failed:?}");
    assert_eq!(store.abort_dropped().await.unwrap(), 0);
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_for_a_while_and_loses_nothing() {
    let Some(mut s3) = S3::start(1) else { return };
    let patience = Duration::from_secs(1);
    let access = Access { environment: s3.environment(), patience, ..Access::default() };
    let place = format!("s3://{}", S3::BUCKET).parse().unwrap();
    let store = BlobStore::open(&place, &access).await.unwrap();
    let whole = bytes(5, 9 << 20);
    put(&store, "before", &whole).await.unwrap();
    s3.stop();
    let error = store.head(&key("before")).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable(_)) && error.is_transient(), "{error:?}");
    s3.restart();
    // A server that has just come back answers before it has found all it keeps.
    let access = Access { environment: s3.environment(), ..Access::default() };
    let store = BlobStore::open(&place, &access).await.unwrap();
    store.verify(&key("before"), &Digest::of(&whole)).await.unwrap();
    put(&store, "after", &whole).await.unwrap();
}
