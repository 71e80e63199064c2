//! What a stopped coordinator's meta store says was committed.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message as _;
use umbra_coordinator::store::{EmbeddedStore, MetaStore, Prefix, read_all};
use umbra_core::digest::Digest;
use umbra_proto::store::v1::StoredLogits;

/// Where one shadow's committed logits lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The blob's key: `audit/ID/pack-N/fence-F/logits`.
    pub blob: String,
    /// SHA-256 of the blob.
    pub sha256: Digest,
    /// The shadow's place in it.
    pub position: u32,
}

impl Committed {
    /// The pack whose attempt wrote them, and the fence it wrote under.
    ///
    /// # Panics
    /// If the key is not a pack's.
    pub fn pack_and_fence(&self) -> (u64, u64) {
        let number = |part: Option<&str>, prefix: &str| part?.strip_prefix(prefix)?.parse().ok();
        let mut parts = self.blob.split('/').skip(2);
        let found = (number(parts.next(), "pack-"), number(parts.next(), "fence-"));
        let (Some(pack), Some(fence)) = found else { panic!("{} is no pack's blob", self.blob) };
        (pack, fence)
    }
}

/// The committed logits in a state folder, by the key that names a shadow's result wherever it was made.
///
/// # Panics
/// If a process still holds the store, or it cannot be read.
pub fn committed(state: &Path) -> BTreeMap<String, Committed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(async {
        let store = EmbeddedStore::open(state.join("meta.redb")).await.expect("the store can be opened");
        committed_in(&store).await
    })
}

/// The same in an open store.
pub(crate) async fn committed_in(store: &dyn MetaStore) -> BTreeMap<String, Committed> {
    let all = Prefix::try_new("logits/").expect("it is a prefix");
    let entries = read_all(store, &all).await.expect("the store can be read");
    let read = entries.into_iter().map(|entry| {
        let stored = StoredLogits::decode(entry.value.bytes).expect("stored messages can be decoded");
        let blob = stored.blob.expect("committed logits name their blob");
        let sha256 = Digest::from_slice(&blob.sha256).expect("digests have 32 bytes");
        let committed = Committed { blob: blob.key, sha256, position: stored.position };
        (entry.key.as_str().to_owned(), committed)
    });
    read.collect()
}
