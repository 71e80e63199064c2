//! What holds of blobs wherever they lie.

use bytes::Bytes;
use futures::TryStreamExt as _;
use umbra_core::digest::Digest;
use umbra_runtime::blobs::{BlobError, MAX_CHUNK, Stored};

use crate::common::{bytes, key, pieces, put};
use crate::stores::everywhere;

/// What is written at once; one byte more goes in parts.
const PART: usize = 8 << 20;

#[tokio::test]
async fn bytes_of_every_size_come_back() {
    everywhere(async |store| {
        for size in [0, 1, MAX_CHUNK, MAX_CHUNK + 1, PART, PART + 1, 2 * PART + 12_345] {
            let name = key(&format!("sizes/{size}"));
            let whole = bytes(size as u64, size);
            let stored = Stored { digest: Digest::of(&whole), size: size as u64 };
            let put =
                store.put_stream(&name, Some(&stored.digest), size as u64, pieces(&whole)).await.unwrap();
            assert_eq!(put, stored);
            assert_eq!(store.head(&name).await.unwrap().size, size as u64);
            assert_eq!(store.digest(&name).await.unwrap(), stored);
            assert_eq!(store.get_verified(&name, &stored.digest, size as u64).await.unwrap(), whole);

            for offset in [0, size / 3, size] {
                let chunks: Vec<Bytes> =
                    store.stream(&name, offset as u64).await.unwrap().try_collect().await.unwrap();
                assert!(chunks.iter().all(|chunk| (1..=MAX_CHUNK).contains(&chunk.len())), "{size} {offset}");
                assert_eq!(chunks.concat(), whole[offset..], "{size} from {offset}");
            }
            let (start, end) = (size / 4, size - size / 4);
            let range = store.get_range(&name, start as u64..end as u64).await.unwrap();
            assert_eq!(range, whole[start..end]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_blob_is_written_once() {
    everywhere(async |store| {
        for size in [10, PART + 10] {
            let name = format!("once/{size}");
            let (first, other) = (bytes(1, size), bytes(2, size));
            put(&store, &name, &first).await.unwrap();
            put(&store, &name, &first).await.unwrap();
            let error = put(&store, &name, &other).await.unwrap_err();
            let (found, offered) = (Digest::of(&first), Digest::of(&other));
            assert!(
                matches!(&error, BlobError::Taken { found: f, offered: o, .. } if (*f, *o) == (found, offered)),
                "{error:?}"
            );
            assert_eq!(store.verify(&key(&name), &found).await.unwrap(), size as u64);
        }
    })
    .await;
}

#[tokio::test]
async fn of_many_writers_of_one_key_one_wins() {
    everywhere(async |store| {
        for size in [10, PART + 10] {
            let name = format!("race/{size}");
            let contents: Vec<_> = (0..6).map(|seed| bytes(seed, size)).collect();
            let results =
                futures::future::join_all(contents.iter().map(|whole| put(&store, &name, whole))).await;
            let won: Vec<_> = (0..6).filter(|&i| results[i].is_ok()).collect();
            assert_eq!(won.len(), 1);
            store.verify(&key(&name), &Digest::of(&contents[won[0]])).await.unwrap();
            let lost = results.iter().filter(|result| matches!(result, Err(BlobError::Taken { .. })));
            assert_eq!(lost.count(), 5);
        }
    })
    .await;
}

#[tokio::test]
async fn what_fails_is_never_visible() {
    everywhere(async |store| {
        for size in [10, PART + 10] {
            let (name, whole) = (key("bad/blob"), bytes(7, size));
            let wrong = Digest::of(b"something else");
            let error = store.put_stream(&name, Some(&wrong), u64::MAX, pieces(&whole)).await.unwrap_err();
            assert!(
                matches!(&error, BlobError::Mismatch { expected, found, .. }
                    if *expected == wrong && *found == Digest::of(&whole)),
                "{error:?}"
            );
            let error = store.put_stream(&name, None, size as u64 - 1, pieces(&whole)).await.unwrap_err();
            assert!(matches!(error, BlobError::TooLarge { .. }), "{error:?}");
            let broken = futures::StreamExt::chain(
                pieces(&whole),
                futures::stream::iter([Err(std::io::Error::other("the line is dead"))]),
            );
            let error = store.put_stream(&name, None, u64::MAX, broken).await.unwrap_err();
            assert_eq!(error.to_string(), "the upload broke off: the line is dead");

            assert!(matches!(store.head(&name).await, Err(BlobError::NotFound(_))));
            assert!(matches!(store.get(&name, 1 << 30).await, Err(BlobError::NotFound(_))));
            assert!(matches!(store.stream(&name, 0).await.err(), Some(BlobError::NotFound(_))));
            assert!(store.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn reads_outside_of_a_blob_are_refused() {
    everywhere(async |store| {
        let name = key("ranges/ten");
        store.put(&name, Bytes::from_static(b"0123456789")).await.unwrap();
        assert_eq!(store.get_range(&name, 3..7).await.unwrap(), "3456");
        assert_eq!(store.get_range(&name, 10..10).await.unwrap(), "");
        #[allow(clippy::reversed_empty_ranges)]
        for range in [5..11, 11..11, 7..3, 0..u64::MAX] {
            let error = store.get_range(&name, range.clone()).await.unwrap_err();
            assert!(matches!(error, BlobError::Range { size: 10, .. }), "{range:?}: {error:?}");
        }
        assert!(matches!(store.stream(&name, 11).await.err(), Some(BlobError::Range { .. })));
        assert!(matches!(store.get(&name, 9).await, Err(BlobError::TooLarge { limit: 9, .. })));
    })
    .await;
}

#[tokio::test]
async fn listing_and_deleting_keep_to_their_folder() {
    everywhere(async |store| {
        for name in ["a/1", "a/b/2", "ab/3", "c"] {
            store.put(&key(name), Bytes::from(name)).await.unwrap();
        }
        let list = async |folder: Option<&str>| {
            let folder = folder.map(key);
            let found: Vec<_> = store.list(folder.as_ref()).try_collect().await.unwrap();
            let mut names: Vec<_> = found.into_iter().map(|info| (info.key.to_string(), info.size)).collect();
            names.sort();
            names
        };
        let named =
            |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), n.len() as u64)).collect::<Vec<_>>();
        assert_eq!(list(None).await, named(&["a/1", "a/b/2", "ab/3", "c"]));
        assert_eq!(list(Some("a")).await, named(&["a/1", "a/b/2"]));
        assert_eq!(list(Some("none")).await, []);

        store.delete(&key("c")).await.unwrap();
        store.delete(&key("c")).await.unwrap();
        assert_eq!(store.delete_below(&key("a")).await.unwrap(), 2);
        assert_eq!(store.delete_below(&key("a")).await.unwrap(), 0);
        assert_eq!(list(None).await, named(&["ab/3"]));
        // A deleted key may be written anew.
        store.put(&key("c"), Bytes::from_static(b"other")).await.unwrap();
    })
    .await;
}
