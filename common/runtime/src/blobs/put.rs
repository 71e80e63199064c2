//! Writing: streamed, hashed on the way, published whole.

use std::fs::{self, File};
use std::path::Path as FilePath;

use bytes::{Bytes, BytesMut};
use futures::stream::{Stream, StreamExt as _};
use object_store::path::Path;
use object_store::{CopyMode, CopyOptions, MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutMode};
use umbra_core::digest::{Digest, StreamHasher};

use super::error::{BlobError, BoxError};
use super::key::BlobKey;
use super::{BlobStore, Stored, blocking, object};

/// Bytes gathered before they are written; a blob up to this size is written at once.
const PART: usize = 8 << 20;

impl BlobStore {
    /// Stores the bytes of a stream under a key, at most `limit` of them. If `expected` is given, other
    /// bytes are refused and nothing is stored. Dropping the future leaves the whole blob or none.
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
        let mut stream = std::pin::pin!(stream);
        let mut writer = Writer::new(self, key);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| BlobError::Source(error.into()))?;
            if writer.size + chunk.len() as u64 > limit {
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

    /// Gives a whole object a second name; the key is written once.
    async fn link(&self, from: &Path, key: &BlobKey, digest: &Digest) -> Result<(), BlobError> {
        let options = CopyOptions { mode: CopyMode::Create, ..CopyOptions::default() };
        let linked = self.store().copy_opts(from, &object(key), options).await;
        self.settle(key, digest, linked).await
    }

    /// Removes a staged write; what stays behind is removed at the next start.
    async fn remove_staged(&self, staged: &Path) {
        if let Err(error) = self.store().delete(staged).await {
            tracing::warn!(%error, "cannot remove a staged write");
        }
    }

    /// Decides about a key that may have been taken.
    async fn settle<R>(
        &self,
        key: &BlobKey,
        offered: &Digest,
        written: object_store::Result<R>,
    ) -> Result<(), BlobError> {
        match written {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                let found = self.digest(key).await?.digest;
                let (key, offered) = (key.clone(), *offered);
                if found == offered { Ok(()) } else { Err(BlobError::Taken { key, found, offered }) }
            }
            Err(error) => Err(BlobError::store(key, error)),
        }
    }
}

/// One blob being written.
struct Writer<'s> {
    store: &'s BlobStore,
    key: &'s BlobKey,
    part: BytesMut,
    hasher: StreamHasher,
    size: u64,
    /// Present once there is more than one part. Dropping it removes what it wrote.
    upload: Option<(Path, Box<dyn MultipartUpload>)>,
}

impl<'s> Writer<'s> {
    fn new(store: &'s BlobStore, key: &'s BlobKey) -> Self {
        let (part, hasher) = (BytesMut::new(), StreamHasher::default());
        Self { store, key, part, hasher, size: 0, upload: None }
    }

    async fn push(&mut self, mut chunk: &[u8]) -> Result<(), BlobError> {
        self.size += chunk.len() as u64;
        while self.part.len() + chunk.len() > PART {
            let (now, later) = chunk.split_at(PART - self.part.len());
            self.part.extend_from_slice(now);
            chunk = later;
            self.write_part().await?;
        }
        self.part.extend_from_slice(chunk);
        Ok(())
    }

    /// Hashes and writes the gathered part, at the same time.
    async fn write_part(&mut self) -> Result<(), BlobError> {
        if self.upload.is_none() {
            let path = self.store.staging_path();
            let upload = self.store.store().put_multipart(&path).await;
            self.upload = Some((path, upload.map_err(|error| BlobError::store(self.key, error))?));
        }
        let part = self.part.split().freeze();
        let (_, upload) = self.upload.as_mut().expect("it was begun just above");
        let written = upload.put_part(part.clone().into());
        let (hasher, written) = futures::join!(hash(std::mem::take(&mut self.hasher), part), written);
        self.hasher = hasher;
        written.map_err(|error| BlobError::store(self.key, error))
    }

    async fn finish(mut self, expected: Option<&Digest>) -> Result<Stored, BlobError> {
        if self.upload.is_some() {
            self.write_part().await?;
        } else {
            self.hasher = hash(std::mem::take(&mut self.hasher), self.part.clone().freeze()).await;
        }
        let digest = self.hasher.finish();
        let stored = Stored { digest, size: self.size };
        let (store, key) = (self.store, self.key);
        if let Some(&expected) = expected.filter(|expected| **expected != digest) {
            return Err(BlobError::Mismatch { key: key.clone(), expected, found: digest });
        }
        match self.upload {
            None => {
                let (path, whole) = (object(key), self.part.freeze());
                let put = store.store().put_opts(&path, whole.into(), PutMode::Create.into()).await;
                store.settle(key, &digest, put).await?;
            }
            Some((path, mut upload)) => {
                upload.complete().await.map_err(|error| BlobError::store(key, error))?;
                let linked = store.link(&path, key, &digest).await;
                store.remove_staged(&path).await;
                linked?;
            }
        }
        Ok(stored)
    }
}

async fn move_file(from: &FilePath, to: &FilePath) -> Result<(), BlobError> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let moved = blocking(move || {
        // An empty folder is removed along with its last object.
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(from, to)
    });
    moved.await.map_err(|error| BlobError::io(&error))
}

async fn hash(mut hasher: StreamHasher, bytes: Bytes) -> StreamHasher {
    // Not worth another thread.
    if bytes.len() <= 64 << 10 {
        hasher.update(&bytes);
        return hasher;
    }
    blocking(move || {
        hasher.update(&bytes);
        hasher
    })
    .await
}
