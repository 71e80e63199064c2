//! Writing a blob straight to the store, under the key that the coordinator would give it.

use std::fs::File;
use std::io;

use futures::stream::{self, StreamExt as _};
use umbra_core::digest::Digest;
use umbra_core::places;
use umbra_proto::{convert, v1};
use umbra_runtime::blobs::{BlobError, BlobKey, BlobStore, BlobStream, InvalidBlobKey, file_chunks};

use super::content::Content;
use super::route::UploadError;
use crate::session::Lease;

/// A blob to be put into the store.
pub(crate) struct Put {
    store: BlobStore,
    key: Result<BlobKey, InvalidBlobKey>,
    digest: Digest,
    size: u64,
    content: Content,
}

impl Put {
    pub(super) fn new(
        store: BlobStore,
        lease: &Lease,
        name: &str,
        digest: Digest,
        size: u64,
        content: Content,
    ) -> Self {
        let key = BlobKey::try_new(places::pack_blob(&lease.pack, lease.fence, name));
        Self { store, key, digest, size, content }
    }

    /// Sends all of it. Bytes that are there already, since an answer was lost, are success.
    pub(super) async fn attempt(&self) -> Result<v1::Blob, UploadError> {
        let key = self.key.as_ref().map_err(|error| UploadError::Refused(error.to_string()))?;
        let chunks = self.chunks().await.map_err(UploadError::Read)?;
        match self.store.put_stream(key, Some(&self.digest), self.size, chunks).await {
            Ok(stored) => Ok(convert::blob(key.as_str(), &stored.digest, stored.size)),
            Err(BlobError::Source(error)) => Err(UploadError::Read(io::Error::other(error))),
            // What was sent was hashed on its way: the file is not what it was.
            Err(error @ (BlobError::Mismatch { .. } | BlobError::TooLarge { .. })) => {
                Err(UploadError::Read(io::Error::other(error)))
            }
            Err(error) if error.is_transient() => {
                Err(UploadError::Later(format!("the object store is away: {error}")))
            }
            Err(error) => Err(UploadError::Refused(format!("the object store refused the blob: {error}"))),
        }
    }

    async fn chunks(&self) -> io::Result<BlobStream> {
        Ok(match &self.content {
            Content::Memory(bytes) => stream::iter([Ok(bytes.clone())]).boxed(),
            Content::File(path) => {
                let path = path.clone();
                let opened = tokio::task::spawn_blocking(move || File::open(path)).await;
                file_chunks(opened.map_err(io::Error::other)??, 0..self.size)
            }
        })
    }
}
