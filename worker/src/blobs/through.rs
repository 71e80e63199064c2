//! Writing a blob through the coordinator, under a fence: one attempt at a time, each going on where the last
//! one broke off.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tonic::{Response, Status};
use umbra_core::digest::Digest;
use umbra_core::ids::Fence;
use umbra_proto::{CHUNK, v1};

use super::content::Content;
use super::route::UploadError;
use crate::connector::Client;

/// How long the coordinator may take to say how much has arrived.
const STATUS_TIMEOUT: Duration = Duration::from_secs(30);
/// How often bytes may arrive damaged before it is no accident.
const MAX_MISMATCHES: u32 = 3;

/// Where a stream that reads a file leaves its error.
type Failure = Arc<Mutex<Option<io::Error>>>;

/// A blob to be written through the coordinator.
pub(crate) struct Write {
    client: Client,
    fence: Fence,
    name: String,
    digest: Digest,
    size: u64,
    content: Content,
    begun: bool,
    mismatches: u32,
}

impl Write {
    pub(super) fn new(
        client: Client,
        fence: Fence,
        name: String,
        digest: Digest,
        size: u64,
        content: Content,
    ) -> Self {
        Self { client, fence, name, digest, size, content, begun: false, mismatches: 0 }
    }

    /// Sends what has not arrived yet.
    pub(super) async fn attempt(&mut self) -> Result<v1::Blob, UploadError> {
        match self.send().await {
            Ok(blob) if blob.sha256 == self.digest.as_bytes() && blob.size == self.size => Ok(blob),
            Ok(_) => Err(UploadError::Refused("the coordinator stored another blob than was sent".into())),
            Err(UploadError::Damaged(what)) if self.mismatches < MAX_MISMATCHES => {
                self.mismatches += 1;
                Err(UploadError::Later(format!("the blob arrived damaged: {what}")))
            }
            Err(error) => Err(error),
        }
    }

    async fn send(&mut self) -> Result<v1::Blob, UploadError> {
        let offset = if self.begun { self.arrived().await? } else { 0 };
        self.begun = true;
        let failure = Failure::default();
        let chunks = self.chunks(offset, failure.clone()).await.map_err(UploadError::Read)?;
        let header = v1::WriteBlobHeader {
            fence: wire_fence(self.fence),
            name: self.name.clone(),
            sha256: self.digest.as_bytes().to_vec(),
            size: self.size,
            offset,
        };
        let parts = parts(header, chunks);
        let answer = write(&mut self.client, parts).await;
        // A file that could not be read ends the stream early, which the coordinator refuses in turn.
        if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(UploadError::Read(error));
        }
        let answer = answer?.into_inner();
        answer.blob.ok_or_else(|| UploadError::Refused("the coordinator's answer names no blob".into()))
    }

    async fn arrived(&mut self) -> Result<u64, UploadError> {
        let request = v1::GetWriteStatusRequest {
            fence: wire_fence(self.fence),
            name: self.name.clone(),
            sha256: self.digest.as_bytes().to_vec(),
        };
        let answer = tokio::time::timeout(STATUS_TIMEOUT, self.client.get_write_status(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        let offset = answer?.into_inner().offset;
        // A coordinator that claims more than there is knows another blob: begin again.
        Ok(if offset <= self.size { offset } else { 0 })
    }

    async fn chunks(&self, offset: u64, failure: Failure) -> io::Result<BoxStream<'static, Bytes>> {
        match &self.content {
            Content::Memory(bytes) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(memory_chunks(bytes.slice(offset..)))
            }
            Content::File(path) => {
                let mut file = File::open(path).await?;
                file.seek(io::SeekFrom::Start(offset)).await?;
                Ok(file_chunks(file, self.size - offset, failure))
            }
        }
    }
}

fn memory_chunks(bytes: Bytes) -> BoxStream<'static, Bytes> {
    let next = |mut rest: Bytes| {
        let chunk = rest.split_to(rest.len().min(CHUNK));
        std::future::ready((!chunk.is_empty()).then_some((chunk, rest)))
    };
    stream::unfold(bytes, next).boxed()
}

fn file_chunks(file: File, left: u64, failure: Failure) -> BoxStream<'static, Bytes> {
    let next = |(mut file, left, failure): (File, u64, Failure)| async move {
        let length = left.min(CHUNK as u64);
        if length == 0 {
            return None;
        }
        let mut chunk = vec![0; length as usize];
        match file.read_exact(&mut chunk).await {
            Ok(_) => Some((Bytes::from(chunk), (file, left - length, failure))),
            Err(error) => {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    };
    stream::unfold((file, left, failure), next).boxed()
}

/// Boxed here, since the compiler cannot prove the future of a boxed stream `Send` from within another.
fn write<'a>(
    client: &'a mut Client,
    parts: BoxStream<'static, v1::WriteBlobRequest>,
) -> BoxFuture<'a, Result<Response<v1::WriteBlobResponse>, Status>> {
    client.write_blob(parts).boxed()
}

fn parts(
    header: v1::WriteBlobHeader,
    chunks: BoxStream<'static, Bytes>,
) -> BoxStream<'static, v1::WriteBlobRequest> {
    stream::once(std::future::ready(v1::write_blob_request::Part::Header(header)))
        .chain(chunks.map(v1::write_blob_request::Part::Chunk))
        .map(|part| v1::WriteBlobRequest { part: Some(part) })
        .boxed()
}

/// A fence as the wire writes it.
pub(crate) fn wire_fence(fence: Fence) -> i64 {
    i64::try_from(fence.0).expect("fences come from the wire, as int64 above 0")
}
