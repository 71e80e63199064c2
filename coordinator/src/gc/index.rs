//! The index of results: entries whose blob has gone with its audit say nothing any more.

use std::collections::BTreeMap;

use umbra_runtime::blobs::{BlobError, BlobKey};

use super::{GcError, Kept};
use crate::engine::Command;
use crate::keys;
use crate::reuse::{ReadPlace, logits_place, weights_place};
use crate::shell::Shell;
use crate::store::{Entry, MAX_PAGE, Prefix};

/// Entries that the engine forgets in one step.
const AT_ONCE: usize = 100;

/// Forgets the entries of blobs that no record names and that are not there; how many.
pub(super) async fn sweep(shell: &Shell, kept: &Kept) -> Result<u64, GcError> {
    let indices: [(Prefix, ReadPlace); 2] =
        [(keys::all_logits(), logits_place), (keys::all_weights(), weights_place)];
    let mut forgotten = 0;
    for (prefix, place) in indices {
        let mut after = None;
        loop {
            let page = shell.store.range(&prefix, after.as_ref(), MAX_PAGE).await?;
            let stale = stale(shell, kept, page.entries, place).await?;
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

async fn stale(
    shell: &Shell,
    kept: &Kept,
    entries: Vec<Entry>,
    place: ReadPlace,
) -> Result<Vec<Entry>, GcError> {
    let (mut stale, mut gone) = (Vec::new(), BTreeMap::new());
    for entry in entries {
        let blob = place(&entry.key, &entry.value.bytes)?.blob.key;
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
