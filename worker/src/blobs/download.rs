//! Reading a blob: chunk by chunk, going on where a break left off, verified at its end.

use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use tonic::Status;
use umbra_core::digest::StreamHasher;
use umbra_proto::v1;
use umbra_runtime::backoff::Waits;
use umbra_runtime::blobs::{BlobError, BlobKey};

use super::BlobRef;
use super::route::Route;
use super::verdict::{Verdict, explain, verdict};

/// A blob on its way. It never yields more bytes than the blob has.
pub(crate) struct Download {
    route: Route,
    blob: BlobRef,
    arrived: u64,
    hasher: StreamHasher,
    stream: Option<BoxStream<'static, Result<Bytes, Broken>>>,
    waits: Waits,
}

/// A stream that broke, in words.
enum Broken {
    /// Whoever gives it is away: go on later.
    Again(String),
    /// It will not be given.
    Refused(String),
}

/// A blob that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Nobody has it or will give it.
    #[error("blob {key} cannot be read: {reason}")]
    Refused {
        /// The key.
        key: String,
        /// Who says what.
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
    pub(super) fn new(route: Route, blob: BlobRef, waits: Waits) -> Self {
        Self { route, blob, arrived: 0, hasher: StreamHasher::default(), stream: None, waits }
    }

    /// The next bytes; `None` at the end, when digest and size were found right. While whoever gives them is
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
                Err(broken) => self.wait_after(broken).await?,
            }
        }
        if self.hasher.clone().finish() == self.blob.digest {
            Ok(None)
        } else {
            Err(self.damaged("its bytes do not fit its digest"))
        }
    }

    /// The bytes as a stream, which ends after its first error.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, ReadError>> + Send {
        stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        })
    }

    async fn step(&mut self) -> Result<Option<Bytes>, Broken> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let opened = open(&self.route, &self.blob.key, self.arrived).await?;
                self.stream.insert(opened)
            }
        };
        stream.next().await.transpose()
    }

    async fn wait_after(&mut self, broken: Broken) -> Result<(), ReadError> {
        self.stream = None;
        let error = match broken {
            Broken::Again(error) => error,
            Broken::Refused(reason) => return Err(ReadError::Refused { key: self.blob.key.clone(), reason }),
        };
        let wait = self.waits.after_failure();
        tracing::warn!(
            key = self.blob.key,
            arrived = self.arrived,
            error,
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

async fn open(
    route: &Route,
    key: &str,
    offset: u64,
) -> Result<BoxStream<'static, Result<Bytes, Broken>>, Broken> {
    match route {
        Route::Coordinator(client) => {
            let request = v1::ReadBlobRequest { key: key.to_owned(), offset };
            let stream = client.clone().read_blob(request).await?.into_inner();
            Ok(stream.map(|message| Ok(message?.chunk)).boxed())
        }
        Route::Direct(store) => {
            let key = BlobKey::try_new(key).map_err(|error| Broken::Refused(error.to_string()))?;
            Ok(store.stream(&key, offset).await?.map(|chunk| Ok(chunk?)).boxed())
        }
    }
}

impl From<Status> for Broken {
    fn from(status: Status) -> Self {
        match verdict(&status) {
            Verdict::Again => Self::Again(format!("the coordinator is away: {}", explain(&status))),
            Verdict::Stale | Verdict::Refused => {
                Self::Refused(format!("the coordinator does not give it: {}", status.message()))
            }
        }
    }
}

impl From<BlobError> for Broken {
    fn from(error: BlobError) -> Self {
        if error.is_transient() {
            Self::Again(format!("the object store is away: {error}"))
        } else {
            Self::Refused(format!("the object store does not give it: {error}"))
        }
    }
}
