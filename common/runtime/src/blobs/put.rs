//! Writing: streamed, hashed on the way, published whole.

use std::fs::{self, File};
use std::io;
use std::path::Path as FilePath;

use bytes::Bytes;
use futures::stream::{Stream, StreamExt as _};
use object_store::path::Path;
use umbra_core::digest::Digest;

use super::error::{BlobError, BoxError};
use super::key::BlobKey;
use super::writer::{MAX_PARTS, PART, Writer};
use super::{BlobStore, Stored, local};
use crate::turns::blocking;

impl BlobStore {
    /// Stores the bytes of a stream under a key, at most `limit` of them. If `expected` is given, other
    /// bytes are refused and nothing is stored. Dropping the future leaves the whole blob or none.
    ///
    /// A blob of one part is created on condition that its key is free. A larger one is staged and then
    /// linked in a folder; in an object store its parts go straight to the key, where they are invisible
    /// until they are completed, which happens only if the key is free by then. No store makes these two one
    /// step. Within a process they are: of two writers one waits. Two processes write one key only if it
    /// names the digest, as of data sets, or a fence, which is one process's alone: so they have the same
    /// bytes, and it is the same who is last.
    ///
    /// # Errors
    /// [`BlobError::Taken`], [`BlobError::Mismatch`], [`BlobError::TooLarge`], [`BlobError::Source`] if
    /// the stream fails, or what the store says.
    pub async fn put_stream<S, E>(
        &self,
        key: &BlobKey,
        expected: Option<&Digest>,
        limit: u64,
        stream: S,
    ) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<BoxError>,
    {
        let limit = if self.is_local() { limit } else { limit.min(PART as u64 * MAX_PARTS) };
        let stored = self.write(key, expected, limit, stream).await;
        if !stored.as_ref().is_err_and(BlobError::is_transient) {
            // What came of this write is what to report; what cannot be aborted now is tried again.
            let _ = self.abort_dropped().await;
        }
        stored
    }

    async fn write<S, E>(
        &self,
        key: &BlobKey,
        expected: Option<&Digest>,
        limit: u64,
        stream: S,
    ) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<BoxError>,
    {
        let mut stream = std::pin::pin!(stream);
        let mut writer = Writer::new(self, key);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| BlobError::Source(error.into()))?;
            if writer.size() + chunk.len() as u64 > limit {
                return Err(BlobError::TooLarge { name: key.to_string(), limit });
            }
            writer.push(&chunk).await?;
        }
        writer.finish(expected).await
    }

    /// Stores bytes that are in memory.
    ///
    /// # Errors
    /// As [`Self::put_stream`].
    pub async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<Stored, BlobError> {
        let limit = bytes.len() as u64;
        let whole = futures::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        self.put_stream(key, None, limit, whole).await
    }

    /// Publishes a local, durable file whose bytes are `offered`. A file within this store's folder is
    /// moved, so that nobody can write to it through its old name; it is back there if this fails for a
    /// time. Another file is copied.
    pub(super) async fn publish_file(
        &self,
        path: &FilePath,
        key: &BlobKey,
        offered: &Stored,
    ) -> Result<(), BlobError> {
        let path = path.to_owned();
        let Some(local) = self.inner.local.as_ref().filter(|local| path.starts_with(&local.folder)) else {
            let file = blocking(move || File::open(&path)).await.map_err(|error| BlobError::io(&error))?;
            let chunks = super::read::file_chunks(file, 0..offered.size);
            return self.put_stream(key, Some(&offered.digest), offered.size, chunks).await.map(drop);
        };
        let staged = self.staging_path();
        let staged_file = local.folder.join(staged.as_ref());
        move_file(&path, &staged_file).await?;
        let linked = self.link(&staged, key, &offered.digest).await;
        match &linked {
            Err(error) if error.is_transient() => move_file(&staged_file, &path).await?,
            _ => self.remove_staged(&staged).await,
        }
        linked
    }

    /// Gives a whole, durable file of a local store its place; the key is written once.
    pub(super) async fn link(&self, from: &Path, key: &BlobKey, digest: &Digest) -> Result<(), BlobError> {
        let Some(local) = &self.inner.local else {
            return Err(BlobError::Refused("only a folder gives files names".into()));
        };
        let (from, to) = (local.folder.join(from.as_ref()), local.object(key));
        match blocking(move || local::link(&from, &to)).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.settle_taken(key, digest).await
            }
            linked => linked.map_err(|error| BlobError::io(&error)),
        }
    }

    /// Removes a staged write; what stays behind is removed at the next start.
    pub(super) async fn remove_staged(&self, staged: &Path) {
        let Some(local) = &self.inner.local else { return };
        let file = local.folder.join(staged.as_ref());
        // Not by the store, which removes a folder with its last file: the next one may be on its way there.
        if let Err(error) = blocking(move || fs::remove_file(file)).await {
            tracing::warn!(%error, "cannot remove a staged write");
        }
    }

    /// Decides about a key that may have been taken, by us in an attempt whose answer was lost, or by others.
    pub(super) async fn settle<R>(
        &self,
        key: &BlobKey,
        offered: &Digest,
        written: object_store::Result<R>,
    ) -> Result<(), BlobError> {
        match written {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                self.settle_taken(key, offered).await
            }
            Err(error) => Err(self.write_error(key, error)),
        }
    }

    async fn settle_taken(&self, key: &BlobKey, offered: &Digest) -> Result<(), BlobError> {
        match self.compare(key, offered).await {
            Err(BlobError::NotFound(_)) => {
                Err(BlobError::Unavailable(format!("another write of the blob {key} is going on")))
            }
            compared => compared,
        }
    }

    /// Whether a blob that exists is the one that is offered.
    pub(super) async fn compare(&self, key: &BlobKey, offered: &Digest) -> Result<(), BlobError> {
        let found = self.digest(key).await?.digest;
        let (key, offered) = (key.clone(), *offered);
        if found == offered { Ok(()) } else { Err(BlobError::Taken { key, found, offered }) }
    }

    pub(super) fn write_error(&self, key: &BlobKey, error: object_store::Error) -> BlobError {
        if self.is_local() { BlobError::store(key, error) } else { BlobError::writing(key, error) }
    }
}

async fn move_file(from: &FilePath, to: &FilePath) -> Result<(), BlobError> {
    let (from, to) = (from.to_owned(), to.to_owned());
    blocking(move || fs::rename(from, to)).await.map_err(|error| BlobError::io(&error))
}
