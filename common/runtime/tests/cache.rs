//! The cache of files: fetched once, verified, bounded.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::convert::Infallible;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use umbra_core::digest::Digest;
use umbra_runtime::{CacheError, CachedFile, FileCache};

fn bytes(seed: u8) -> Bytes {
    vec![seed; 100].into()
}

/// The bytes in pieces; `read` counts how often somebody begins to.
fn source(seed: u8, read: &AtomicU32) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + use<'_> {
    let begun = stream::once(async {
        read.fetch_add(1, Ordering::Relaxed);
        Ok(Bytes::new())
    });
    begun.chain(stream::iter([bytes(seed).slice(..33), bytes(seed).slice(33..)].map(Ok)))
}

async fn get(cache: &FileCache, seed: u8, read: &AtomicU32) -> Result<CachedFile, CacheError<Infallible>> {
    cache.get(&Digest::of(&bytes(seed)), 100, source(seed, read)).await
}

fn there(folder: &std::path::Path, seed: u8) -> bool {
    folder.join(Digest::of(&bytes(seed)).to_string()).exists()
}

#[tokio::test]
async fn many_that_ask_for_one_file_fetch_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FileCache::open(folder.path(), 1000).unwrap();
    let read = AtomicU32::new(0);
    let asked = futures::future::join_all((0..8).map(|_| get(&cache, 1, &read))).await;
    for file in &asked {
        assert_eq!(fs::read(file.as_ref().unwrap().path()).unwrap(), bytes(1));
    }
    drop(asked);
    get(&cache, 1, &read).await.unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 1);

    // A later process verifies what it finds.
    drop(cache);
    let cache = FileCache::open(folder.path(), 1000).unwrap();
    get(&cache, 1, &read).await.unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 1);
    fs::write(folder.path().join(Digest::of(&bytes(1)).to_string()), vec![7; 100]).unwrap();
    let file = get(&cache, 1, &read).await.unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 2);
    assert_eq!(fs::read(file.path()).unwrap(), bytes(1));
}

#[tokio::test]
async fn the_least_recently_used_go_first_and_what_is_used_stays() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FileCache::open(folder.path(), 300).unwrap();
    let read = AtomicU32::new(0);
    let path = |seed| folder.path().join(Digest::of(&bytes(seed)).to_string());
    // Used in this order, by a clock that tells them apart.
    for (seed, age) in [(1, 30), (2, 20), (3, 10)] {
        get(&cache, seed, &read).await.unwrap();
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        fs::File::options().write(true).open(path(seed)).unwrap().set_modified(past).unwrap();
    }
    let held = get(&cache, 1, &read).await.unwrap();
    let fourth = get(&cache, 4, &read).await.unwrap();
    assert!(there(folder.path(), 1) && !there(folder.path(), 2) && there(folder.path(), 3));
    let third = get(&cache, 3, &read).await.unwrap();
    let error = get(&cache, 5, &read).await.unwrap_err();
    assert!(matches!(error, CacheError::NoRoom { size: 100, limit: 300 }), "{error}");
    assert_eq!([&held, &third, &fourth].map(|file| fs::read(file.path()).unwrap().len()), [100; 3]);
    drop(held);
    get(&cache, 5, &read).await.unwrap();
    assert!(!there(folder.path(), 1));
}

#[tokio::test]
async fn room_is_kept_for_what_is_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FileCache::open(folder.path(), 150).unwrap();
    let read = AtomicU32::new(0);
    let digest = Digest::of(&bytes(1));
    let asked = tokio::sync::Notify::new();
    let never = stream::once(async {
        asked.notify_one();
        std::future::pending::<Result<Bytes, Infallible>>().await
    });
    let mut coming = Box::pin(cache.get(&digest, 100, never));
    tokio::select! {
        ended = &mut coming => panic!("it ended: {:?}", ended.map(|file| file.path().to_owned())),
        // Bytes are asked for once there is room for them.
        () = asked.notified() => {}
    }
    let error = get(&cache, 2, &read).await.unwrap_err();
    assert!(matches!(error, CacheError::NoRoom { size: 100, limit: 150 }), "{error}");
    drop(coming);
    // Its room comes back, if not at once: a thread may still be at work for it.
    let again = async { while get(&cache, 2, &read).await.is_err() {} };
    tokio::time::timeout(std::time::Duration::from_secs(60), again).await.unwrap();
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().ends_with(".part")), "{names:?}");
}

#[tokio::test]
async fn other_bytes_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FileCache::open(folder.path(), 1000).unwrap();
    let expected = Digest::of(&bytes(1));
    let sent = |whole: &'static [u8]| stream::iter([Ok::<_, Infallible>(Bytes::from_static(whole))]);
    for wrong in [&b"short"[..], &[2; 100]] {
        let error = cache.get(&expected, 100, sent(wrong)).await.unwrap_err();
        assert!(
            matches!(&error, CacheError::Damaged { found, .. } if *found == Digest::of(wrong)),
            "{error}"
        );
    }
    for size in [99, 101] {
        let error = cache.get(&expected, size, sent(&[1; 100])).await.unwrap_err();
        assert!(matches!(error, CacheError::Length { found: 100, .. }), "{error}");
    }
    let broken = stream::iter([Ok(bytes(1).slice(..50)), Err(std::io::Error::other("the line is dead"))]);
    let error = cache.get(&expected, 100, broken).await.unwrap_err();
    assert_eq!(error.to_string(), "the line is dead");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the lock alone");
}
