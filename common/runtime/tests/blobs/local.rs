//! What can happen to a folder.

use std::fs;

use bytes::Bytes;
use futures::StreamExt as _;
use umbra_core::digest::Digest;
use umbra_runtime::blobs::{BlobError, BlobStore, MAX_CHUNK, OpenBlobsError};

use crate::common::{bytes, files, key, put};

#[tokio::test]
async fn a_folder_has_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::local(folder.path()).await.unwrap();
    let second = BlobStore::local(folder.path()).await.err().unwrap();
    assert!(matches!(second, OpenBlobsError::Lock(_)), "{second:?}");
    assert!(second.to_string().contains("is in use by this process"), "{second}");
    drop(store);
    BlobStore::local(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_file_where_the_folder_should_be_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "x").unwrap();
    let error = BlobStore::local(&path).await.err().unwrap();
    assert!(error.to_string().starts_with("cannot create the folder"), "{error}");
}

#[tokio::test]
async fn leftovers_of_a_crash_are_removed_and_blobs_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::local(folder.path()).await.unwrap();
    put(&store, "a/b/small", &bytes(1, 10)).await.unwrap();
    put(&store, "large", &bytes(2, 9 << 20)).await.unwrap();
    drop(store);
    let clean = ["lock", "objects/a/b/small", "objects/large"];
    assert_eq!(files(folder.path()), clean);

    for leftover in ["staging/77-0", "staging/77-1#1", "objects/a/b/small#1", "objects/other#12"] {
        fs::create_dir_all(folder.path().join("staging")).unwrap();
        fs::write(folder.path().join(leftover), "half a bl").unwrap();
    }
    let store = BlobStore::local(folder.path()).await.unwrap();
    assert_eq!(files(folder.path()), clean);
    store.verify(&key("large"), &Digest::of(&bytes(2, 9 << 20))).await.unwrap();
}

#[tokio::test]
async fn a_dropped_write_is_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::local(folder.path()).await.unwrap();
    let (more, rest) = tokio::sync::mpsc::channel(1);
    let rest = tokio_stream::wrappers::ReceiverStream::new(rest);
    let name = key("dropped");
    let mut writing = Box::pin(store.put_stream::<_, std::io::Error>(&name, None, u64::MAX, rest));
    // Thirty pieces are more than one part, so a staged file exists by the time the last is taken.
    for _ in 0..30 {
        tokio::select! {
            ended = &mut writing => panic!("{ended:?}"),
            sent = more.send(Ok(Bytes::from(vec![1; MAX_CHUNK]))) => sent.unwrap(),
        }
    }
    assert!(!files(&folder.path().join("staging")).is_empty());
    drop(writing);
    drop(store);
    BlobStore::local(folder.path()).await.unwrap();
    assert_eq!(files(folder.path()), ["lock"]);
}

#[tokio::test]
async fn damage_on_the_disk_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::local(folder.path()).await.unwrap();
    let (name, whole) = (key("blob"), bytes(3, 3 * MAX_CHUNK));
    let digest = Digest::of(&whole);
    put(&store, "blob", &whole).await.unwrap();
    let path = store.local_path(&name).unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole);

    let mut flipped = whole.to_vec();
    flipped[MAX_CHUNK + 1] ^= 1;
    fs::write(&path, &flipped).unwrap();
    let found = Digest::of(&flipped);
    for error in [
        store.verify(&name, &digest).await.unwrap_err(),
        store.get_verified(&name, &digest, u64::MAX).await.unwrap_err(),
    ] {
        assert!(matches!(error, BlobError::Mismatch { found: f, .. } if f == found), "{error:?}");
    }

    // A file that shrinks while it is read ends the stream with an error, and does not hang it.
    let mut stream = store.stream(&name, 0).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().len(), MAX_CHUNK);
    fs::File::options().write(true).open(&path).unwrap().set_len(MAX_CHUNK as u64 + 5).unwrap();
    assert!(matches!(stream.next().await.unwrap(), Err(BlobError::Unavailable(_))));
    assert!(matches!(store.verify(&name, &digest).await, Err(BlobError::Mismatch { .. })));
    assert!(matches!(store.get_range(&name, 0..2 << 20).await, Err(BlobError::Range { .. })));
}

#[tokio::test]
async fn files_of_others_are_not_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::local(folder.path()).await.unwrap();
    put(&store, "mine", &bytes(1, 1)).await.unwrap();
    fs::write(folder.path().join("objects/README Upper"), "x").unwrap();
    fs::create_dir(folder.path().join("objects/folder")).unwrap();
    let listed: Vec<_> = store.list(None).collect().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].as_ref().unwrap().key, key("mine"));
    assert!(matches!(store.get(&key("folder"), 10).await, Err(BlobError::NotFound(_))));
    // A blob where a folder is needed cannot be helped by trying again.
    let error = put(&store, "mine/below", &bytes(1, 1)).await.unwrap_err();
    assert!(matches!(error, BlobError::Refused(_)), "{error:?}");
}
