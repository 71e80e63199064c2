//! The index of results: entries whose blob has gone with its audit say nothing any more.

use std::collections::BTreeMap;

use bytes::Bytes;
use umbra_proto::store::v1::{StoredLogits, StoredWeights};
use umbra_runtime::blobs::{BlobError, BlobKey};

use super::{GcError, Kept};
use crate::engine::Command;
use crate::engine::records::{Damaged, decode};
use crate::keys;
use crate::shell::Shell;
use crate::store::{Entry, Key, MAX_PAGE};

/// Entries that the engine forgets in one step.
const AT_ONCE: usize = 100;

/// Forgets the entries of blobs that no record names and that are not there; how many.
pub(super) async fn sweep(shell: &Shell, kept: &Kept) -> Result<u64, GcError> {
    let of_logits: BlobOf = |key, value| Ok(decode::<StoredLogits>(key, value)?.blob.unwrap_or_default().key);
    let of_weights: BlobOf =
        |key, value| Ok(decode::<StoredWeights>(key, value)?.blob.unwrap_or_default().key);
    let mut forgotten = 0;
    for (prefix, blob_of) in [(keys::all_logits(), of_logits), (keys::all_weights(), of_weights)] {
        let mut after = None;
        loop {
            let page = shell.store.range(&prefix, after.as_ref(), MAX_PAGE).await?;
            let stale = stale(shell, kept, page.entries, blob_of).await?;
            for some in stale.chunks(AT_ONCE) {
                let forget = |reply| Command::Forget { entries: some.to_vec(), reply };
                forgotten += shell.engine.ask(forget).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(forgotten)
}

/// The key of the blob that an entry names.
type BlobOf = fn(&Key, &Bytes) -> Result<String, Damaged>;

async fn stale(
    shell: &Shell,
    kept: &Kept,
    entries: Vec<Entry>,
    blob_of: BlobOf,
) -> Result<Vec<Entry>, GcError> {
    let (mut stale, mut gone) = (Vec::new(), BTreeMap::new());
    for entry in entries {
        let blob = blob_of(&entry.key, &entry.value.bytes)?;
        if kept.has(&blob) {
            continue;
        }
        // All shadows of a pack lie in one.
        let is_gone = match gone.get(&blob) {
            Some(is_gone) => *is_gone,
            None => {
                let is_gone = match BlobKey::try_new(blob.as_str()) {
                    Err(_) => true,
                    Ok(key) => match shell.blobs.head(&key).await {
                        Ok(_) => false,
                        Err(BlobError::NotFound(_)) => true,
                        Err(error) => return Err(error.into()),
                    },
                };
                gone.insert(blob, is_gone);
                is_gone
            }
        };
        if is_gone {
            stale.push(entry);
        }
    }
    Ok(stale)
}
