//! Uploads that are resumed.

use std::time::Duration;

use bytes::Bytes;
use umbra_core::digest::Digest;
use umbra_runtime::blobs::{BlobError, BlobStore, UploadId, Uploads};

use crate::common::{bytes, files, key, put};
use crate::stores::everywhere;

const LIMIT: u64 = 4 << 20;

fn id(text: &str) -> UploadId {
    UploadId::try_new(text).unwrap()
}

/// Runs a test on all stores, with uploads in a folder.
async fn all(test: impl AsyncFn(BlobStore, Uploads)) {
    everywhere(async |store| {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(store.clone(), &folder.path().join("uploads"), LIMIT).await.unwrap();
        test(store, uploads).await;
    })
    .await;
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (name, whole) = (key("data/set"), bytes(5, 3_000_001));
    let digest = Digest::of(&whole);
    let id = UploadId::derive(&name, &digest);
    let parts = [whole.slice(..1_000_000), whole.slice(1_000_000..2_500_000), whole.slice(2_500_000..)];
    let mut sent = 0;
    for part in parts {
        // Each part comes to a new process.
        let store = BlobStore::local(folder.path()).await.unwrap();
        let uploads = Uploads::open(store.clone(), folder.path(), LIMIT).await.unwrap();
        assert_eq!(uploads.length(&id).await.unwrap(), sent);
        sent += part.len() as u64;
        assert_eq!(uploads.append(&id, uploads.length(&id).await.unwrap(), part).await.unwrap(), sent);
        assert!(
            matches!(store.head(&name).await, Err(BlobError::NotFound(_))),
            "not visible before it is whole"
        );
    }
    let store = BlobStore::local(folder.path()).await.unwrap();
    let uploads = Uploads::open(store.clone(), folder.path(), LIMIT).await.unwrap();
    assert_eq!(uploads.commit(&id, &name, &digest).await.unwrap().size, sent);
    assert_eq!(store.get_verified(&name, &digest, sent).await.unwrap(), whole);
    assert_eq!(files(folder.path()), ["lock", "objects/data/set"]);
}

#[tokio::test]
async fn appends_must_continue_the_upload() {
    all(async |_, uploads| {
        let id = id("u");
        let append =
            async |offset, bytes: &'static [u8]| uploads.append(&id, offset, Bytes::from_static(bytes)).await;
        let have = |result| match result {
            Err(BlobError::Offset { have, .. }) => have,
            other => panic!("{other:?}"),
        };
        assert_eq!(have(append(5, b"late").await), 0);
        assert_eq!(append(0, b"01234").await.unwrap(), 5);
        // Sent again since the answer was lost, even where the ends agree.
        assert_eq!(have(append(0, b"01234").await), 5);
        assert_eq!(have(append(7, b"x").await), 5);
        assert_eq!(append(5, b"").await.unwrap(), 5);
        for (offset, bytes) in [(LIMIT, &b"x"[..]), (u64::MAX, b"x")] {
            let error = append(offset, bytes).await.unwrap_err();
            assert!(matches!(error, BlobError::TooLarge { limit: LIMIT, .. }), "{error:?}");
        }
        assert_eq!(uploads.length(&id).await.unwrap(), 5);
    })
    .await;
}

#[tokio::test]
async fn two_senders_of_one_upload_do_not_mix() {
    all(async |store, uploads| {
        let (name, id, whole) = (key("twice"), id("u"), bytes(6, 1 << 20));
        // Both follow the rule: append where the upload ends, and on a refusal go on from there.
        let send = async || {
            let mut offset = 0;
            while offset < whole.len() as u64 {
                let end = (offset as usize + 50_000).min(whole.len());
                match uploads.append(&id, offset, whole.slice(offset as usize..end)).await {
                    Ok(length) => offset = length,
                    Err(BlobError::Offset { have, .. }) => offset = have,
                    Err(other) => panic!("{other}"),
                }
            }
        };
        futures::join!(send(), send());
        uploads.commit(&id, &name, &Digest::of(&whole)).await.unwrap();
        assert_eq!(store.get(&name, LIMIT).await.unwrap(), whole);
    })
    .await;
}

#[tokio::test]
async fn an_upload_is_settled_while_more_is_added() {
    all(async |store, uploads| {
        let (name, whole) = (key("settled"), bytes(8, 3_000_001));
        let (digest, id) = (Digest::of(&whole), id("u"));
        uploads.settle(&id).await.expect("there is nothing to wait for before it begins");
        let mut have = 0;
        for part in whole.chunks(700_000) {
            let part = Bytes::copy_from_slice(part);
            let (added, settled) = futures::join!(uploads.append(&id, have, part), uploads.settle(&id));
            settled.unwrap();
            have = added.unwrap();
            assert_eq!(uploads.length(&id).await.unwrap(), have);
        }
        uploads.commit(&id, &name, &digest).await.unwrap();
        uploads.settle(&id).await.expect("nor after its end");
        assert_eq!(store.get_verified(&name, &digest, have).await.unwrap(), whole);
    })
    .await;
}

/// A device of characters cannot be synced: it stands for a disk that loses what was written.
#[cfg(unix)]
#[tokio::test]
async fn what_the_disk_did_not_take_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::local(folder.path()).await.unwrap();
    let uploads = Uploads::open(store.clone(), folder.path(), LIMIT).await.unwrap();
    let (name, id, whole) = (key("lost"), id("u"), Bytes::from_static(b"lost and sent again"));
    let digest = Digest::of(&whole);
    let path = folder.path().join("uploads").join(id.as_str());
    let lose = || std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    lose();
    uploads.settle(&id).await.unwrap_err();
    // Nobody finds bytes there that an earlier wait for the disk has lost.
    assert!(matches!(uploads.commit(&id, &name, &digest).await, Err(BlobError::NoUpload(_))));
    lose();
    uploads.commit(&id, &name, &digest).await.unwrap_err();
    assert!(path.symlink_metadata().is_err(), "it is not tried again with the same file");
    assert!(matches!(store.head(&name).await, Err(BlobError::NotFound(_))));
    assert_eq!(uploads.append(&id, 0, whole.clone()).await.unwrap(), whole.len() as u64);
    uploads.commit(&id, &name, &digest).await.unwrap();
    assert_eq!(store.get_verified(&name, &digest, LIMIT).await.unwrap(), whole);
}

#[tokio::test]
async fn wrong_bytes_are_never_published() {
    all(async |store, uploads| {
        let (name, id) = (key("wrong"), id("u"));
        uploads.append(&id, 0, Bytes::from_static(b"trunca")).await.unwrap();
        let error = uploads.commit(&id, &name, &Digest::of(b"truncated")).await.unwrap_err();
        assert!(matches!(error, BlobError::Mismatch { .. }), "{error:?}");
        assert!(matches!(store.head(&name).await, Err(BlobError::NotFound(_))));
        // It starts over.
        assert_eq!(uploads.length(&id).await.unwrap(), 0);
        uploads.append(&id, 0, Bytes::from_static(b"truncated")).await.unwrap();
        uploads.commit(&id, &name, &Digest::of(b"truncated")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_commit_may_be_asked_for_again() {
    all(async |store, uploads| {
        let (name, id, digest) = (key("again"), id("u"), Digest::of(b"bytes"));
        let none = uploads.commit(&id, &name, &digest).await.unwrap_err();
        assert!(matches!(none, BlobError::NoUpload(_)), "{none:?}");
        uploads.append(&id, 0, Bytes::from_static(b"bytes")).await.unwrap();
        let first = uploads.commit(&id, &name, &digest).await.unwrap();
        assert_eq!(uploads.commit(&id, &name, &digest).await.unwrap(), first);
        let other = uploads.commit(&id, &name, &Digest::of(b"other")).await.unwrap_err();
        assert!(matches!(other, BlobError::Taken { .. }), "{other:?}");

        // A sender who goes on writes to a new upload, not into the blob.
        uploads.append(&id, 0, Bytes::from_static(b"late bytes")).await.unwrap();
        assert_eq!(store.get_verified(&name, &digest, 100).await.unwrap(), "bytes");
        let taken = uploads.commit(&id, &name, &Digest::of(b"late bytes")).await.unwrap_err();
        assert!(matches!(taken, BlobError::Taken { .. }), "{taken:?}");
        assert_eq!(uploads.length(&id).await.unwrap(), 0);
        assert_eq!(store.get_verified(&name, &digest, 100).await.unwrap(), "bytes");
    })
    .await;
}

#[tokio::test]
async fn an_upload_of_what_exists_succeeds() {
    all(async |store, uploads| {
        let (name, id, whole) = (key("there"), id("u"), bytes(8, 1000));
        put(&store, "there", &whole).await.unwrap();
        uploads.append(&id, 0, whole.clone()).await.unwrap();
        uploads.commit(&id, &name, &Digest::of(&whole)).await.unwrap();
        assert_eq!(uploads.length(&id).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn old_uploads_expire() {
    all(async |_, uploads| {
        for name in ["a", "b"] {
            uploads.append(&id(name), 0, Bytes::from_static(b"x")).await.unwrap();
        }
        uploads.discard(&id("b")).await.unwrap();
        assert_eq!(uploads.expire(Duration::from_secs(3600)).await.unwrap(), 0);
        assert_eq!(uploads.length(&id("a")).await.unwrap(), 1);
        assert_eq!(uploads.expire(Duration::ZERO).await.unwrap(), 1);
        assert_eq!(uploads.length(&id("a")).await.unwrap(), 0);
    })
    .await;
}

/// Each is staged for a moment, and the last one that is must not take the folder away from the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_uploads_at_a_time_stay_out_of_each_others_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::local(folder.path()).await.unwrap();
    let uploads = Uploads::open(store.clone(), folder.path(), LIMIT).await.unwrap();
    let one = async |number: u64| {
        let (name, whole) = (key(&format!("many/{number}")), bytes(number, 100));
        let digest = Digest::of(&whole);
        let id = UploadId::derive(&name, &digest);
        uploads.append(&id, 0, whole).await.unwrap();
        uploads.commit(&id, &name, &digest).await.unwrap();
    };
    for round in 0..500 {
        futures::future::join_all((0..8).map(|number| one(8 * round + number))).await;
    }
}
