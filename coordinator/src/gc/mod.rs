//! Collecting garbage: blobs that no record names, such as what a zombie wrote after its pack was done, or
//! what a coordinator that was killed did not get to delete; and entries of the index whose blobs are gone.
//!
//! What is named is asked of the engine, which only a leader answers; what is to go is put to it once more,
//! and it proves under its epoch that it still leads. A store that cannot be read to its end ends the run
//! before anything is deleted.

mod decide;
mod index;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use umbra_core::digest::Digest;
use umbra_core::places;
use umbra_proto::store::v1::StoredEnd;
use umbra_runtime::blobs::{BlobError, BlobKey};
use umbra_runtime::drain::Drain;

pub use decide::Kept;

use crate::engine::records::{Damaged, decode};
use crate::engine::{Command, EngineGone};
use crate::shell::Shell;
use crate::store::{StoreError, read_all};
use crate::{datasets, keys};

/// The most blobs that one run takes away; the rest is for the next.
const MOST: usize = 10_000;
/// The first run after a start comes after this time at the latest, so that frequent restarts do not put it
/// off for ever.
const FIRST: Duration = Duration::from_secs(3600);

/// What a run took away.
#[derive(Debug, Default, Clone, Copy)]
struct Collected {
    blobs: u64,
    bytes: u64,
    /// Entries of the index of results.
    entries: u64,
}

/// Why a run ended before its end. What it has not taken away is for the next.
#[derive(Debug, thiserror::Error)]
enum GcError {
    #[error(transparent)]
    Gone(#[from] EngineGone),
    #[error(transparent)]
    Meta(#[from] StoreError),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error("{0}")]
    Datasets(String),
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// Collects garbage every so often, until the drain begins.
pub async fn run(shell: Arc<Shell>, every: Duration, drain: Drain) {
    let first = tokio::time::Instant::now() + every.min(FIRST);
    let mut turns = tokio::time::interval_at(first, every);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = drain.begun() => return,
            _ = turns.tick() => {}
        }
        let collected = tokio::select! {
            () = drain.begun() => return,
            collected = collect(&shell) => collected,
        };
        match collected {
            Ok(Collected { blobs: 0, entries: 0, .. }) => tracing::debug!("no garbage"),
            Ok(Collected { blobs, bytes, entries }) => {
                tracing::info!(blobs, bytes, entries, "collected garbage");
            }
            Err(error) => tracing::warn!(%error, "cannot collect garbage now"),
        }
    }
}

async fn collect(shell: &Shell) -> Result<Collected, GcError> {
    let mut kept = shell.engine.ask(|reply| Command::Kept { reply }).await?;
    for entry in read_all(shell.store.as_ref(), &keys::ends()).await? {
        let end = decode::<StoredEnd>(&entry.key, &entry.value.bytes)?;
        kept.keys.extend(end.files.into_iter().filter_map(|file| file.blob).map(|blob| blob.key));
    }
    kept.keys.extend(datasets(shell).await?);
    let mut collected = Collected { entries: index::sweep(shell, &kept).await?, ..Collected::default() };
    let candidates = candidates(shell, &kept).await?;
    let named: Vec<String> = candidates.iter().map(|(key, _)| key.to_string()).collect();
    if named.is_empty() {
        return Ok(collected);
    }
    let free = shell.engine.ask(|reply| Command::Collect { candidates: named, reply }).await?;
    for (key, size) in candidates.into_iter().filter(|(key, _)| free.contains(key.as_str())) {
        if delete(shell, &key).await? {
            tracing::debug!(%key, size, "delete a blob that nobody names");
            metrics::counter!("umbra_blobs_collected_total").increment(1);
            collected.blobs += 1;
            collected.bytes += size;
        }
    }
    Ok(collected)
}

/// Garbage and its sizes, up to a bound.
async fn candidates(shell: &Shell, kept: &Kept) -> Result<Vec<(BlobKey, u64)>, GcError> {
    let (now, grace) = (Duration::from_millis(shell.clock.unix_ms()), shell.config.storage.gc_grace);
    let mut found = Vec::new();
    for folder in [places::AUDITS, places::DATASETS] {
        let folder = BlobKey::try_new(folder).expect("it is one good segment");
        let mut below = shell.blobs.list(Some(&folder));
        while let Some(info) = below.try_next().await? {
            let written = info.modified.duration_since(std::time::UNIX_EPOCH).ok();
            let age = written.and_then(|written| now.checked_sub(written));
            if found.len() < MOST && decide::is_garbage(info.key.as_str(), age, kept, grace) {
                found.push((info.key, info.size));
            }
        }
    }
    Ok(found)
}

/// Deletes a blob, unless it is a data set that was registered meanwhile.
async fn delete(shell: &Shell, key: &BlobKey) -> Result<bool, GcError> {
    let parts = key.as_str().split_once('/');
    let dataset = parts.filter(|(folder, _)| *folder == places::DATASETS);
    if let Some(sha256) = dataset.and_then(|(_, digest)| digest.parse::<Digest>().ok()) {
        let _alone = shell.dataset_bytes.write().await;
        if datasets(shell).await?.contains(&places::dataset_blob(&sha256)) {
            return Ok(false);
        }
        shell.blobs.delete(key).await?;
    } else {
        shell.blobs.delete(key).await?;
    }
    Ok(true)
}

/// The keys of all registered data sets.
async fn datasets(shell: &Shell) -> Result<Vec<String>, GcError> {
    let all = datasets::all(shell).await.map_err(|status| GcError::Datasets(status.message().to_owned()))?;
    Ok(all.into_iter().map(|dataset| dataset.key).collect())
}
