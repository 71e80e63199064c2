//! Reading a blob: chunk by chunk, going on where a break left off, verified at its end.

use bytes::Bytes;
use tonic::{Status, Streaming};
use umbra_core::digest::StreamHasher;
use umbra_proto::v1;
use umbra_runtime::backoff::Waits;

use super::BlobRef;
use super::verdict::{Verdict, explain, verdict};
use crate::connector::Client;

/// A blob on its way. It never yields more bytes than the blob has.
pub(crate) struct Download {
    client: Client,
    blob: BlobRef,
    arrived: u64,
    hasher: StreamHasher,
    stream: Option<Streaming<v1::ReadBlobResponse>>,
    waits: Waits,
}

/// A blob that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The coordinator does not have it or will not give it.
    #[error("the coordinator does not give blob {key}: {reason}")]
    Refused {
        /// The key.
        key: String,
        /// What it says.
        reason: String,
    },
    /// The bytes are not those that were named.
    #[error("blob {key} is damaged: {what}")]
    Damaged {
        /// The key.
        key: String,
        /// What does not fit.
        what: &'static str,
    },
}

impl Download {
    /// Begins at the first byte; nothing is sent yet.
    pub(crate) fn new(client: Client, blob: BlobRef, waits: Waits) -> Self {
        Self { client, blob, arrived: 0, hasher: StreamHasher::default(), stream: None, waits }
    }

    /// The next bytes; `None` at the end, when digest and size were found right. While the coordinator is
    /// away this waits, for as long as it takes.
    ///
    /// # Errors
    /// [`ReadError`]; what came before is then worthless.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        while self.arrived < self.blob.size {
            match self.step().await {
                Ok(Some(chunk)) if chunk.is_empty() => {}
                Ok(Some(chunk)) => {
                    self.arrived += chunk.len() as u64;
                    if self.arrived > self.blob.size {
                        return Err(self.damaged("it is longer than was said"));
                    }
                    self.hasher.update(&chunk);
                    self.waits.reset();
                    return Ok(Some(chunk));
                }
                Ok(None) => return Err(self.damaged("it is shorter than was said")),
                Err(status) => self.wait_after(status).await?,
            }
        }
        if self.hasher.clone().finish() == self.blob.digest {
            Ok(None)
        } else {
            Err(self.damaged("its bytes do not fit its digest"))
        }
    }

    async fn step(&mut self) -> Result<Option<Bytes>, Status> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let request = v1::ReadBlobRequest { key: self.blob.key.clone(), offset: self.arrived };
                self.stream.insert(self.client.read_blob(request).await?.into_inner())
            }
        };
        Ok(stream.message().await?.map(|message| message.chunk))
    }

    async fn wait_after(&mut self, status: Status) -> Result<(), ReadError> {
        self.stream = None;
        if verdict(&status) != Verdict::Again {
            return Err(ReadError::Refused {
                key: self.blob.key.clone(),
                reason: status.message().to_owned(),
            });
        }
        let wait = self.waits.after_failure();
        tracing::warn!(
            key = self.blob.key,
            arrived = self.arrived,
            error = explain(&status),
            ?wait,
            "wait to go on reading a blob"
        );
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged { key: self.blob.key.clone(), what }
    }
}
