//! Receiving bytes: a header, then chunks, into an upload that survives a break.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use umbra_core::digest::Digest;
use umbra_proto::error::{bad_field, refuse};
use umbra_proto::{CHUNK, error::Reason};
use umbra_runtime::blobs::{BlobKey, Stored, UploadId, Uploads};

use super::refusals;

/// What the sender announced.
pub struct Announced {
    /// Where the bytes go.
    pub key: BlobKey,
    /// Their SHA-256.
    pub sha256: Digest,
    /// Their number.
    pub size: u64,
    /// Where the chunks start.
    pub offset: u64,
}

/// How long a sender is listened to.
pub struct Hearing {
    /// How long it may pause.
    pub silence: Duration,
    /// Cancelled when it has begun to send the same anew.
    pub superseded: CancellationToken,
}

/// Takes the chunks and publishes the blob. Bytes that are there already are skipped.
///
/// # Errors
/// A status: what arrived is kept for a resumption unless it is wrong.
pub async fn receive(
    uploads: &Uploads,
    announced: &Announced,
    hearing: &Hearing,
    chunks: impl Stream<Item = Result<Bytes, Status>> + Send,
) -> Result<Stored, Status> {
    if announced.size == 0 {
        return Err(bad_field("size", "it is 0: there are no empty blobs"));
    }
    let id = UploadId::derive(&announced.key, &announced.sha256);
    let _room = uploads.receive(&id, announced.size).map_err(|error| refusals::blob(&error))?;
    let mut have = uploads.length(&id).await.map_err(|error| refusals::blob(&error))?;
    if announced.offset > have {
        let message = format!("the chunks start at {}, but only {have} bytes are here", announced.offset);
        return Err(bad_field("offset", message));
    }
    let mut at = announced.offset;
    let mut chunks = std::pin::pin!(chunks);
    while let Some(chunk) = hearing.next(&mut chunks).await? {
        if chunk.len() > CHUNK {
            return Err(bad_field("chunk", format!("it has {} bytes: send at most 1 MiB", chunk.len())));
        }
        let end = at + chunk.len() as u64;
        if end > announced.size {
            let message = format!("more bytes arrive than the {} announced", announced.size);
            return Err(bad_field("chunk", message));
        }
        if end > have {
            let new = chunk.slice((have - at.min(have)) as usize..);
            have = uploads.append(&id, have, new).await.map_err(|error| refusals::blob(&error))?;
        }
        at = end;
    }
    if at < announced.size {
        let message = format!("the stream ended after {at} of {} bytes: send the rest", announced.size);
        return Err(refuse(Reason::Unavailable, message));
    }
    let committed = uploads.commit(&id, &announced.key, &announced.sha256).await;
    committed.map_err(|error| refusals::blob(&error))
}

impl Hearing {
    /// The next chunk; none at the end.
    async fn next(
        &self,
        chunks: &mut (impl Stream<Item = Result<Bytes, Status>> + Unpin),
    ) -> Result<Option<Bytes>, Status> {
        let silence = self.silence;
        tokio::select! {
            () = self.superseded.cancelled() => {
                Err(refuse(Reason::Unavailable, "the same is sent over another stream now"))
            }
            heard = tokio::time::timeout(silence, chunks.next()) => heard.unwrap_or_else(|_| {
                let message = format!("nothing arrived for {silence:?}: send the rest");
                Some(Err(refuse(Reason::Unavailable, message)))
            }).transpose(),
        }
    }
}
