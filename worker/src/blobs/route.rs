//! How bytes come to the store and back: through the coordinator, or straight.

use std::io;

use tonic::Status;
use umbra_core::digest::Digest;
use umbra_proto::v1;
use umbra_runtime::backoff::Waits;
use umbra_runtime::blobs::BlobStore;

use super::BlobRef;
use super::content::Content;
use super::direct::Put;
use super::download::Download;
use super::through::Write;
use super::verdict::{Verdict, explain, verdict};
use crate::connector::Client;
use crate::session::Lease;

/// How bytes come to the store and back. Keys, digests and what is reported are the same both ways.
#[derive(Clone)]
pub(crate) enum Route {
    /// Through the coordinator, which refuses stale fences: for workers without credentials for the store.
    Coordinator(Client),
    /// Straight to the store. What is written under a stale fence is counted by nobody.
    Direct(BlobStore),
}

/// A blob to be written.
pub(crate) enum Upload {
    /// Through the coordinator.
    Write(Box<Write>),
    /// Straight to the store.
    Put(Put),
}

/// A blob that is not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// Whoever should take it is away: try again later.
    #[error("{0}")]
    Later(String),
    /// It arrived as other bytes.
    #[error("the blob arrived damaged: {0}")]
    Damaged(String),
    /// Another attempt owns the pack.
    #[error("the fence is stale")]
    Stale,
    /// These bytes are refused.
    #[error("{0}")]
    Refused(String),
    /// The file cannot be read.
    #[error("cannot read the blob's file: {0}")]
    Read(io::Error),
}

impl Route {
    /// Begins to read a blob at its first byte; nothing is sent yet.
    pub(crate) fn download(&self, blob: BlobRef, waits: Waits) -> Download {
        Download::new(self.clone(), blob, waits)
    }

    /// A blob of `size` bytes with SHA-256 `digest`, to be written under a fence; nothing is sent yet.
    pub(crate) fn upload(
        &self,
        lease: &Lease,
        name: String,
        digest: Digest,
        size: u64,
        content: Content,
    ) -> Upload {
        match self {
            Self::Coordinator(client) => {
                Upload::Write(Box::new(Write::new(client.clone(), lease.fence, name, digest, size, content)))
            }
            Self::Direct(store) => Upload::Put(Put::new(store.clone(), lease, &name, digest, size, content)),
        }
    }
}

impl Upload {
    /// Sends what has not arrived yet.
    ///
    /// # Errors
    /// [`UploadError`]; after [`UploadError::Later`] call again.
    pub(crate) async fn attempt(&mut self) -> Result<v1::Blob, UploadError> {
        match self {
            Self::Write(write) => write.attempt().await,
            Self::Put(put) => put.attempt().await,
        }
    }
}

impl From<Status> for UploadError {
    fn from(status: Status) -> Self {
        use umbra_proto::error::Reason;
        let said = explain(&status);
        match verdict(&status) {
            Verdict::Again => Self::Later(format!("the coordinator is away: {said}")),
            Verdict::Stale => Self::Stale,
            Verdict::Refused if Reason::of(&status) == Some(Reason::DigestMismatch) => Self::Damaged(said),
            Verdict::Refused => Self::Refused(format!("the coordinator refused the blob: {said}")),
        }
    }
}
