//! Blobs as files of this machine, to be mapped into memory: where the store has them, or in the cache.

use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _};
use umbra_core::digest::Digest;
use umbra_runtime::blobs::{BlobError, BlobKey};
use umbra_runtime::{CacheError, CachedFile};

use crate::shell::Shell;

/// A blob as a file, which stays where it is as long as this lives.
pub struct BlobFile(Location);

enum Location {
    Store(PathBuf),
    Cache(CachedFile),
}

impl BlobFile {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        match &self.0 {
            Location::Store(path) => path,
            Location::Cache(file) => file.path(),
        }
    }
}

/// The blob of at most `limit` bytes as a file. What comes from a store elsewhere has this SHA-256; of a file
/// in the store's own folder that is not looked at again.
///
/// # Errors
/// What the store says, [`BlobError::Mismatch`], or [`BlobError::Cache`].
pub async fn fetch(shell: &Shell, key: &BlobKey, sha256: &Digest, limit: u64) -> Result<BlobFile, BlobError> {
    match shell.blobs.local_path(key) {
        Some(path) => Ok(BlobFile(Location::Store(path))),
        None => Ok(cached(shell, key, sha256, limit).await?.1),
    }
}

/// The blob as a file that was read to its end and has this SHA-256, and its size.
///
/// # Errors
/// As [`fetch`].
pub async fn verify(
    shell: &Shell,
    key: &BlobKey,
    sha256: &Digest,
    limit: u64,
) -> Result<(u64, BlobFile), BlobError> {
    let Some(path) = shell.blobs.local_path(key) else { return cached(shell, key, sha256, limit).await };
    let size = shell.blobs.verify(key, sha256).await?;
    Ok((size, BlobFile(Location::Store(path))))
}

async fn cached(
    shell: &Shell,
    key: &BlobKey,
    sha256: &Digest,
    limit: u64,
) -> Result<(u64, BlobFile), BlobError> {
    let cannot = |what: String| BlobError::Cache { key: key.clone(), what };
    let cache = shell.cache.as_ref().ok_or_else(|| cannot("there is none".to_owned()))?;
    let size = shell.blobs.head(key).await?.size;
    if size > limit {
        return Err(BlobError::TooLarge { name: key.to_string(), limit });
    }
    let (blobs, name) = (shell.blobs.clone(), key.clone());
    let bytes = futures::stream::once(async move { blobs.stream(&name, 0).await }).try_flatten();
    let file = cache.get(sha256, size, bytes.boxed()).await.map_err(|error| match error {
        CacheError::Source(error) => error,
        CacheError::Damaged { expected, found } => BlobError::Mismatch { key: key.clone(), expected, found },
        CacheError::NoRoom { .. } => cannot(format!("{error}; raise the coordinator's cache_gib")),
        CacheError::File(_) => cannot(format!("{error}; free some space or see its disk")),
        CacheError::Length { .. } => BlobError::Unavailable(format!("of the blob {key}: {error}")),
    })?;
    Ok((size, BlobFile(Location::Cache(file))))
}
