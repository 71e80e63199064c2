//! Giving bytes: a blob's chunks, as fast as they are taken, but not for ever to one who takes none.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use umbra_proto::error::{Reason, refuse};
use umbra_runtime::blobs::BlobStream;

use super::refusals;
use crate::shell::{Shell, place};

/// The chunks of a blob. One who takes none for a while is cut off, and what the blob holds is let go.
///
/// # Errors
/// A status if too many read already.
pub fn give(
    shell: &Arc<Shell>,
    what: String,
    chunks: BlobStream,
) -> Result<impl Stream<Item = Result<Bytes, Status>> + Send + use<>, Status> {
    let place = place(&shell.heavy.reads, "blobs are being read")?;
    // One chunk waits, one is in the task's hand.
    let (taken, takes) = mpsc::channel(1);
    let (last, said) = oneshot::channel();
    let (silence, drain) = (shell.config.storage.silence, shell.drain.clone());
    shell.drain.spawn(format!("give {what}"), async move {
        let _place = place;
        let end = tokio::select! {
            () = drain.begun() => Some(refuse(Reason::Unavailable, "the coordinator is going down")),
            end = hand_over(chunks, taken, silence) => end,
        };
        if let Some(status) = end {
            let _ = last.send(status);
        }
    });
    let end = futures::stream::once(said).filter_map(|said| async { said.ok().map(Err) });
    Ok(ReceiverStream::new(takes).map(Ok).chain(end))
}

/// Hands all of it over, or says why not. Nobody needs to be told who has gone.
async fn hand_over(
    mut chunks: BlobStream,
    taken: mpsc::Sender<Bytes>,
    silence: std::time::Duration,
) -> Option<Status> {
    while let Some(chunk) = chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => return Some(refusals::blob(&error)),
        };
        match tokio::time::timeout(silence, taken.send(chunk)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => {
                let message = format!("nothing was taken for {silence:?}: read on from where you are");
                return Some(refuse(Reason::Unavailable, message));
            }
        }
    }
    None
}
