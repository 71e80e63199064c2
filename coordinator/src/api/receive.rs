//! Receiving bytes: a header, then chunks, into an upload that survives a break.

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures::{Stream, StreamExt as _};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use umbra_core::digest::Digest;
use umbra_proto::error::{bad_field, refuse};
use umbra_proto::{CHUNK, error::Reason};
use umbra_runtime::blobs::{BlobKey, Stored, UploadId, Uploads};

use super::refusals;

/// Chunks of a stream that may wait to be written.
const AHEAD: usize = 2;
/// The same over all streams of the process, and those that are being written: 64 MiB.
static ROOM: Semaphore = Semaphore::const_new(64);
/// Bytes that are worth a wait for the disk of their own.
const STEP: u64 = 8 << 20;

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

/// A chunk that waits to be written.
struct Arrived {
    chunk: Bytes,
    room: SemaphorePermit<'static>,
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
    let have = uploads.length(&id).await.map_err(|error| refusals::blob(&error))?;
    if announced.offset > have {
        let message = format!("the chunks start at {}, but only {have} bytes are here", announced.offset);
        return Err(bad_field("offset", message));
    }
    // What arrived is written, and what is written goes to the disk, while the next is on its way; a sender that
    // is faster than the file waits.
    let (arrived, arrivals) = mpsc::channel(AHEAD);
    let (grown, growth) = watch::channel(have);
    let (heard, written, settled) = futures::join!(
        hear(announced, have, hearing, chunks, arrived),
        write(uploads, &id, have, hearing, arrivals, grown),
        settle(uploads, &id, growth)
    );
    // First what may be why the others failed.
    settled?;
    written?;
    heard?;
    let committed = uploads.commit(&id, &announced.key, &announced.sha256).await;
    committed.map_err(|error| refusals::blob(&error))
}

/// Listens to the end and hands on what is new: the bytes after the first `have`.
async fn hear(
    announced: &Announced,
    have: u64,
    hearing: &Hearing,
    chunks: impl Stream<Item = Result<Bytes, Status>> + Send,
    arrived: mpsc::Sender<Arrived>,
) -> Result<(), Status> {
    let mut at = announced.offset;
    let mut chunks = std::pin::pin!(chunks);
    loop {
        let chunk = tokio::select! {
            biased;
            // Who writes has failed and says why.
            () = arrived.closed() => return Ok(()),
            chunk = hearing.next(&mut chunks) => chunk?,
        };
        let Some(mut chunk) = chunk else { break };
        if chunk.len() > CHUNK {
            return Err(bad_field("chunk", format!("it has {} bytes: send at most 1 MiB", chunk.len())));
        }
        let end = at + chunk.len() as u64;
        if end > announced.size {
            let message = format!("more bytes arrive than the {} announced", announced.size);
            return Err(bad_field("chunk", message));
        }
        if end > have {
            chunk.advance(have.saturating_sub(at) as usize);
            // Asked for once the chunk is here, so that whoever is slow to send keeps no room from others.
            let room = ROOM.acquire().await.expect("nobody closes it");
            if arrived.send(Arrived { chunk, room }).await.is_err() {
                return Ok(());
            }
        }
        at = end;
    }
    if at < announced.size {
        let message = format!("the stream ended after {at} of {} bytes: send the rest", announced.size);
        return Err(refuse(Reason::Unavailable, message));
    }
    Ok(())
}

/// Writes what arrives, to its end; what still waits when another stream takes over comes over that again.
async fn write(
    uploads: &Uploads,
    id: &UploadId,
    mut have: u64,
    hearing: &Hearing,
    mut arrivals: mpsc::Receiver<Arrived>,
    grown: watch::Sender<u64>,
) -> Result<(), Status> {
    while let Some(Arrived { chunk, room }) = arrivals.recv().await {
        if hearing.superseded.is_cancelled() {
            return Err(superseded());
        }
        have = uploads.append(id, have, chunk).await.map_err(|error| refusals::blob(&error))?;
        drop(room);
        grown.send_replace(have);
    }
    Ok(())
}

/// Waits for the disk step by step while more is written, so that the wait at the end is short.
async fn settle(uploads: &Uploads, id: &UploadId, mut growth: watch::Receiver<u64>) -> Result<(), Status> {
    let mut durable = *growth.borrow();
    while let Ok(length) = growth.wait_for(|length| *length >= durable + STEP).await.map(|length| *length) {
        if growth.has_changed().is_err() {
            // All is written, and the commit waits for what is left.
            break;
        }
        uploads.settle(id).await.map_err(|error| refusals::blob(&error))?;
        durable = length;
    }
    Ok(())
}

impl Hearing {
    /// The next chunk; none at the end.
    async fn next(
        &self,
        chunks: &mut (impl Stream<Item = Result<Bytes, Status>> + Unpin),
    ) -> Result<Option<Bytes>, Status> {
        let silence = self.silence;
        tokio::select! {
            () = self.superseded.cancelled() => Err(superseded()),
            heard = tokio::time::timeout(silence, chunks.next()) => heard.unwrap_or_else(|_| {
                let message = format!("nothing arrived for {silence:?}: send the rest");
                Some(Err(refuse(Reason::Unavailable, message)))
            }).transpose(),
        }
    }
}

fn superseded() -> Status {
    refuse(Reason::Unavailable, "the same is sent over another stream now")
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use umbra_runtime::blobs::BlobStore;

    use super::*;

    fn announced(number: usize, bytes: &Bytes) -> Announced {
        let key = BlobKey::try_new(format!("blob-{number}")).expect("it is a key");
        Announced { key, sha256: Digest::of(bytes), size: bytes.len() as u64, offset: 0 }
    }

    /// Far more streams than there is room for at once: those that end, well or not, give theirs back.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn streams_share_the_room_of_the_process() {
        const STREAMS: usize = 200;
        let folder = tempfile::tempdir().expect("there is room");
        let blobs = BlobStore::local(&folder.path().join("blobs")).await.expect("it opens");
        let uploads =
            Uploads::open(blobs.clone(), &folder.path().join("uploads"), 1 << 40).await.expect("it opens");
        let sent = |number: usize| {
            let bytes = Bytes::from(vec![number as u8; 8 * 4096]);
            let mut announced = announced(number, &bytes);
            if number % 3 == 1 {
                // Fewer arrive than were announced.
                announced.size += 1;
            }
            let uploads = &uploads;
            async move {
                let superseded = CancellationToken::new();
                if number % 3 == 2 {
                    superseded.cancel();
                }
                let hearing = Hearing { silence: Duration::from_secs(60), superseded };
                let chunks = (0..8).map(|chunk| Ok(bytes.slice(chunk * 4096..(chunk + 1) * 4096)));
                receive(uploads, &announced, &hearing, stream::iter(chunks)).await
            }
        };
        let ended = futures::future::join_all((0..STREAMS).map(sent)).await;
        for (number, ended) in ended.iter().enumerate() {
            assert_eq!(ended.is_ok(), number % 3 == 0, "{number}: {ended:?}");
        }
        assert_eq!(ROOM.available_permits(), 64);
    }
}
