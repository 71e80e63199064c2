//! Bytes, keys and folders of the tests.

use std::path::Path;

use bytes::Bytes;
use umbra_runtime::blobs::{BlobError, BlobKey, BlobStore};

pub fn key(text: &str) -> BlobKey {
    BlobKey::try_new(text).expect("the test's keys are good")
}

/// Bytes that differ from place to place and from `seed` to `seed`.
pub fn bytes(seed: u64, size: usize) -> Bytes {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A stream of `whole` in pieces that fit no boundary.
pub fn pieces(whole: &Bytes) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send + use<> {
    let chunks: Vec<_> = whole.chunks(300_007).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    futures::stream::iter(chunks)
}

pub async fn put(store: &BlobStore, name: &str, whole: &Bytes) -> Result<(), BlobError> {
    store.put_stream(&key(name), None, u64::MAX, pieces(whole)).await.map(drop)
}

/// The names of the files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&current) else { continue };
        for path in entries.map(|entry| entry.expect("the folder is readable").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let within = path.strip_prefix(folder).expect("it lies below");
                names.push(within.to_str().expect("names are UTF-8").to_owned());
            }
        }
    }
    names.sort();
    names
}
