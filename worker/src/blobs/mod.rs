//! Bytes to and from the blob store, through the coordinator or straight: whole blobs, by digest, however often
//! the connection breaks.

mod content;
mod direct;
mod download;
mod identity;
mod route;
mod through;
mod verdict;

pub(crate) use content::Content;
pub(crate) use identity::identity;
pub(crate) use route::{Route, Upload, UploadError};
pub(crate) use through::wire_fence;
pub(crate) use verdict::explain;

use std::time::Duration;

use umbra_core::digest::Digest;
use umbra_core::seed::Stream;
use umbra_proto::{convert, v1};
use umbra_runtime::Backoff;
use umbra_runtime::backoff::Waits;

/// A blob's name, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobRef {
    /// The key.
    pub(crate) key: String,
    /// SHA-256 of the bytes.
    pub(crate) digest: Digest,
    /// The number of bytes.
    pub(crate) size: u64,
}

impl BlobRef {
    /// Checks what a message says.
    pub(crate) fn try_from_wire(field: &str, blob: Option<v1::Blob>) -> Result<Self, String> {
        let blob = blob.ok_or_else(|| format!("{field} is missing"))?;
        let digest = convert::digest(field, &blob.sha256).map_err(|status| status.message().to_owned())?;
        Ok(Self { key: blob.key, digest, size: blob.size })
    }
}

/// Waits between attempts at a call: up to 200 ms at first, up to 10 s in the end.
pub(crate) fn waits(jitter: Stream) -> Waits {
    Backoff::try_new(Duration::from_millis(200), Duration::from_secs(10))
        .expect("the bounds are in order")
        .start(jitter)
}
