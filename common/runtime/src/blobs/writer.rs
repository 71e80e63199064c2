//! One blob being written, part by part.

use bytes::{Bytes, BytesMut};
use object_store::ObjectStore as _;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutMode};
use umbra_core::digest::{Digest, StreamHasher};

use super::error::BlobError;
use super::key::BlobKey;
use super::pending::Pending;
use super::{BlobStore, Stored, object};
use crate::turns::blocking;

/// Bytes gathered before they are written; a blob up to this size is written at once. Object stores take
/// parts of 5 MiB at least.
pub(super) const PART: usize = 8 << 20;
/// The most parts that object stores take.
pub(super) const MAX_PARTS: u64 = 10_000;

/// One blob being written.
pub(super) struct Writer<'s> {
    store: &'s BlobStore,
    key: &'s BlobKey,
    part: BytesMut,
    hasher: StreamHasher,
    size: u64,
    parts: Parts<'s>,
}

/// Where the parts of a blob go.
enum Parts<'s> {
    /// There is only one so far.
    One,
    /// Beside, in a folder. Dropping it removes what it wrote.
    Staged(Path, Box<dyn MultipartUpload>),
    /// To the key.
    Direct(Pending<'s>),
    /// Nowhere: the key was taken before, and the bytes are compared with what is there.
    Compared,
}

impl<'s> Writer<'s> {
    pub(super) fn new(store: &'s BlobStore, key: &'s BlobKey) -> Self {
        let (part, hasher) = (BytesMut::new(), StreamHasher::default());
        Self { store, key, part, hasher, size: 0, parts: Parts::One }
    }

    /// Bytes taken so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Takes more bytes.
    pub(super) async fn push(&mut self, mut chunk: &[u8]) -> Result<(), BlobError> {
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

    /// Publishes the blob.
    pub(super) async fn finish(mut self, expected: Option<&Digest>) -> Result<Stored, BlobError> {
        if matches!(self.parts, Parts::One) {
            self.hasher = hash(std::mem::take(&mut self.hasher), self.part.clone().freeze()).await;
        } else {
            self.write_part().await?;
        }
        let digest = self.hasher.finish();
        let stored = Stored { digest, size: self.size };
        let (store, key) = (self.store, self.key);
        if let Some(&expected) = expected.filter(|expected| **expected != digest) {
            return Err(BlobError::Mismatch { key: key.clone(), expected, found: digest });
        }
        match self.parts {
            Parts::One => {
                let (path, whole) = (object(key), self.part.freeze());
                let put = store.store().put_opts(&path, whole.into(), PutMode::Create.into()).await;
                store.settle(key, &digest, put).await?;
            }
            Parts::Staged(path, mut upload) => {
                upload.complete().await.map_err(|error| BlobError::store(key, error))?;
                let linked = store.link(&path, key, &digest).await;
                store.remove_staged(&path).await;
                linked?;
            }
            Parts::Direct(pending) => complete(store, key, &stored, pending).await?,
            Parts::Compared => store.compare(key, &digest).await?,
        }
        Ok(stored)
    }

    async fn begin(&mut self) -> Result<(), BlobError> {
        let (store, key) = (self.store, self.key);
        let begin = async |path: &Path| {
            let begun = store.store().put_multipart(path).await;
            begun.map_err(|error| store.write_error(key, error))
        };
        self.parts = if store.is_local() {
            let path = store.staging_path();
            let upload = begin(&path).await?;
            Parts::Staged(path, upload)
        } else {
            match store.head(key).await {
                Ok(_) => Parts::Compared,
                Err(BlobError::NotFound(_)) => Parts::Direct(Pending::new(store, begin(&object(key)).await?)),
                Err(error) => return Err(error),
            }
        };
        Ok(())
    }

    /// Hashes and writes the gathered part, at the same time.
    async fn write_part(&mut self) -> Result<(), BlobError> {
        if matches!(self.parts, Parts::One) {
            self.begin().await?;
        }
        let part = self.part.split().freeze();
        let hashed = hash(std::mem::take(&mut self.hasher), part.clone());
        let written = match &mut self.parts {
            Parts::Staged(_, upload) => upload.put_part(part.into()),
            Parts::Direct(pending) => pending.upload().put_part(part.into()),
            Parts::Compared | Parts::One => Box::pin(std::future::ready(Ok(()))),
        };
        let (hasher, written) = futures::join!(hashed, written);
        self.hasher = hasher;
        written.map_err(|error| self.store.write_error(self.key, error))
    }
}

/// Makes the parts a blob, unless the key is taken by now.
async fn complete(
    store: &BlobStore,
    key: &BlobKey,
    stored: &Stored,
    mut pending: Pending<'_>,
) -> Result<(), BlobError> {
    let _alone = store.inner.completing.take(key).await;
    match store.head(key).await {
        Ok(_) => return store.compare(key, &stored.digest).await,
        Err(BlobError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    match pending.upload().complete().await {
        Ok(_) => pending.over(),
        // It may have happened all the same.
        Err(error) => match store.compare(key, &stored.digest).await {
            Ok(()) => pending.over(),
            Err(taken @ BlobError::Taken { .. }) => return Err(taken),
            Err(_) => return Err(unfinished(error)),
        },
    }
    // Another process may have completed the same key in between.
    let size = store.head(key).await?.size;
    if size == stored.size { Ok(()) } else { store.compare(key, &stored.digest).await }
}

/// A write whose parts are gone, or were never taken, begins again.
fn unfinished(error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            BlobError::Refused(error.to_string())
        }
        error => BlobError::caused(&error),
    }
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
