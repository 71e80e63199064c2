//! Workers: their session and their blobs.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::sync::{OnceCell, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use umbra_core::ids::{Fence, PackId, WorkerId};
use umbra_core::places;
use umbra_proto::convert::{blob, digest};
use umbra_proto::error::{Reason, bad_field, refuse};
use umbra_proto::v1::connect_request::Message as Said;
use umbra_proto::v1::worker_service_server::WorkerService;
use umbra_proto::v1::write_blob_request::Part;
use umbra_proto::{PROTOCOL, v1};
use umbra_runtime::blobs::{BlobKey, UploadId, Uploads};

use super::give::give;
use super::receive::{Announced, Hearing, receive};
use super::refusals::{self, gone};
use super::writes::{Allowance, Writes};
use crate::engine::records::core_fence;
use crate::engine::{Command, MAX_RUNNING, Outbox};
use crate::shell::{Shell, place};

/// How long a new stream may take to say hello.
const HELLO: Duration = Duration::from_secs(10);

/// Messages that may wait for a worker before it is cut off.
const WAITING: usize = 4096;

/// Bytes of a numerics class's name: it is stored with every audit that is pinned to it.
const MAX_CLASS: usize = 128;

/// The worker service.
pub struct Workers {
    shell: Arc<Shell>,
    uploads: Arc<Uploads>,
    sessions: AtomicU64,
    writes: Writes,
    /// The blob store's id, once a worker that uses the store by itself has come.
    store_id: Arc<OnceCell<String>>,
}

impl Workers {
    /// Over a running coordinator; `uploads` keeps what arrives.
    pub fn new(shell: Arc<Shell>, uploads: Arc<Uploads>) -> Self {
        Self {
            shell,
            uploads,
            sessions: AtomicU64::new(0),
            writes: Writes::default(),
            store_id: Arc::default(),
        }
    }

    /// What may be written under a fence that is live.
    async fn allowance(&self, fence: Fence) -> Result<Allowance, Status> {
        let allowance = self.shell.engine.ask(|reply| Command::Fence { fence, reply }).await.map_err(gone)?;
        allowance.ok_or_else(|| stale(fence))
    }
}

fn key_of(pack: &PackId, fence: Fence, name: &str) -> Result<BlobKey, Status> {
    BlobKey::try_new(places::pack_blob(pack, fence, name))
        .map_err(|error| bad_field("name", error.to_string()))
}

async fn introduce(
    shell: &Shell,
    store_id: &OnceCell<String>,
    stream: &mut Streaming<v1::ConnectRequest>,
) -> Result<(WorkerId, v1::Hello), Status> {
    let hello = hello(stream).await?;
    let worker = check(&hello)?;
    check_store(shell, store_id, &hello.store_id).await?;
    Ok((worker, hello))
}

/// Refuses a worker that uses another blob store by itself: nothing it wrote would be found. A store that is
/// away is no reason to: what is not found is not counted.
async fn check_store(shell: &Shell, known: &OnceCell<String>, named: &str) -> Result<(), Status> {
    if named.is_empty() {
        return Ok(());
    }
    match known.get_or_try_init(|| shell.blobs.identity()).await {
        Ok(id) if id == named => Ok(()),
        Ok(_) => {
            let message = "the worker's blobs are in another store than the coordinator's: give both the same \
                           blobs setting, or leave the worker's out, so that it goes through the coordinator";
            Err(bad_field("store_id", message))
        }
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "take a worker whose store cannot be compared now");
            Ok(())
        }
        Err(error) => Err(refusals::blob(&error)),
    }
}

fn stale(fence: Fence) -> Status {
    refuse(Reason::StaleFence, format!("fence {fence} is stale: another attempt owns its pack"))
}

async fn hello(stream: &mut Streaming<v1::ConnectRequest>) -> Result<v1::Hello, Status> {
    let first = tokio::time::timeout(HELLO, stream.message()).await;
    let first = first.map_err(|_| bad_field("hello", "a session begins with a hello within 10 s"))??;
    match first.and_then(|message| message.message) {
        Some(Said::Hello(hello)) => Ok(hello),
        _ => Err(bad_field("hello", "a session begins with a hello")),
    }
}

/// The first message of a write, which comes as soon as a hello does.
async fn header(stream: &mut Streaming<v1::WriteBlobRequest>) -> Result<v1::WriteBlobHeader, Status> {
    let first = tokio::time::timeout(HELLO, stream.message()).await;
    let first = first.map_err(|_| bad_field("header", "a write begins with its header within 10 s"))??;
    match first.and_then(|message| message.part) {
        Some(Part::Header(header)) => Ok(header),
        _ => Err(bad_field("header", "the first message of a write is its header")),
    }
}

fn check(hello: &v1::Hello) -> Result<WorkerId, Status> {
    if hello.protocol != PROTOCOL {
        let message = format!(
            "the worker {:.40} speaks protocol {}, this coordinator {PROTOCOL}: run the same release of both",
            hello.version, hello.protocol
        );
        return Err(refuse(Reason::VersionSkew, message));
    }
    if !(1..=umbra_core::cluster::MAX_SLOTS).contains(&hello.slots) {
        let message = format!("{} slots: a worker has 1 to 1024", hello.slots);
        return Err(bad_field("slots", message));
    }
    let classes = &hello.numerics;
    let named = |class: &String| (1..=MAX_CLASS).contains(&class.len());
    if !(1..=64).contains(&classes.len()) || !classes.iter().all(named) {
        return Err(bad_field("numerics", "a worker offers 1 to 64 classes of 1 to 128 characters"));
    }
    let (told, slots) = (hello.devices.len(), hello.slots);
    if told > 0 && told != slots as usize {
        return Err(bad_field(
            "devices",
            format!("{told} devices of {slots} slots: tell of all slots or of none"),
        ));
    }
    if hello.running.len() > MAX_RUNNING {
        return Err(bad_field("running", format!("a worker holds at most {MAX_RUNNING} packs")));
    }
    WorkerId::try_new(hello.worker_id.as_str()).map_err(|error| bad_field("worker_id", error.to_string()))
}

#[tonic::async_trait]
impl WorkerService for Workers {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<v1::ConnectResponse, Status>> + Send + 'static>>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let mut stream = request.into_inner();
        // The answer's headers go out at once: the hello is read behind them.
        let (out, answers, closed) = Outbox::new(WAITING);
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let (shell, store_id) = (self.shell.clone(), self.store_id.clone());
        let (refused, refusal) = oneshot::channel::<Status>();
        self.shell.drain.spawn(format!("session {session}"), async move {
            let worker = tokio::select! {
                biased;
                () = shell.drain.begun() => return,
                introduced = introduce(&shell, &store_id, &mut stream) => introduced,
            };
            let (worker, hello) = match worker {
                Ok(introduced) => introduced,
                Err(status) => {
                    tracing::info!(%status, "refuse a worker");
                    let _ = refused.send(status);
                    return;
                }
            };
            drop(refused);
            // The engine alone holds the outbox: when it ends the session, the stream ends.
            let join = Command::Join { worker: worker.clone(), session, hello: Box::new(hello), out };
            if shell.engine.tell(join).await.is_err() {
                return;
            }
            listen(&shell, stream, &worker, session, closed).await;
            // The engine may be gone: then nobody needs to know.
            let _ = shell.engine.tell(Command::Part { worker, session }).await;
        });
        let last = futures::stream::once(refusal).filter_map(|refusal| async { refusal.ok().map(Err) });
        let answers = ReceiverStream::new(answers).map(Ok);
        Ok(Response::new(Box::pin(answers.chain(last))))
    }

    type ReadBlobStream = Pin<Box<dyn Stream<Item = Result<v1::ReadBlobResponse, Status>> + Send + 'static>>;

    async fn read_blob(
        &self,
        request: Request<v1::ReadBlobRequest>,
    ) -> Result<Response<Self::ReadBlobStream>, Status> {
        let request = request.into_inner();
        let key = BlobKey::try_new(request.key).map_err(|error| bad_field("key", error.to_string()))?;
        let chunks = self.shell.blobs.stream(&key, request.offset).await;
        let chunks = give(&self.shell, key.to_string(), chunks.map_err(|error| refusals::blob(&error))?)?;
        let chunks = chunks.map(|chunk| Ok(v1::ReadBlobResponse { chunk: chunk? }));
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn write_blob(
        &self,
        request: Request<Streaming<v1::WriteBlobRequest>>,
    ) -> Result<Response<v1::WriteBlobResponse>, Status> {
        let mut stream = request.into_inner();
        let _place = place(&self.shell.heavy.writes, "blobs are being written")?;
        let header = header(&mut stream).await?;
        let (sha256, fence) = (digest("sha256", &header.sha256)?, core_fence(header.fence));
        let allowance = self.allowance(fence).await?;
        allowance.check(&header.name, header.size)?;
        let key = key_of(&allowance.pack, fence, &header.name)?;
        let superseded = self.writes.begin(fence, &header.name, allowance.blobs)?;
        let hearing = Hearing { silence: self.shell.config.storage.silence, superseded };
        let announced = Announced { key: key.clone(), sha256, size: header.size, offset: header.offset };
        let chunks = stream.map(|message| match message?.part {
            Some(Part::Chunk(chunk)) => Ok(chunk),
            _ => Err(bad_field("chunk", "after the header only chunks are sent")),
        });
        let stored = receive(&self.uploads, &announced, &hearing, chunks).await?;
        metrics::counter!("umbra_worker_bytes_written_total").increment(stored.size);
        let blob = blob(key.as_str(), &stored.digest, stored.size);
        Ok(Response::new(v1::WriteBlobResponse { blob: Some(blob) }))
    }

    async fn get_write_status(
        &self,
        request: Request<v1::GetWriteStatusRequest>,
    ) -> Result<Response<v1::GetWriteStatusResponse>, Status> {
        let request = request.into_inner();
        let sha256 = digest("sha256", &request.sha256)?;
        let fence = core_fence(request.fence);
        let allowance = self.allowance(fence).await?;
        allowance.check(&request.name, 0)?;
        let key = key_of(&allowance.pack, fence, &request.name)?;
        let length = self.uploads.length(&UploadId::derive(&key, &sha256)).await;
        let offset = length.map_err(|error| refusals::blob(&error))?;
        Ok(Response::new(v1::GetWriteStatusResponse { offset }))
    }
}

/// Hands on what a worker says, until its stream ends, its session is replaced or the coordinator goes.
async fn listen(
    shell: &Shell,
    mut stream: Streaming<v1::ConnectRequest>,
    worker: &WorkerId,
    session: u64,
    mut closed: oneshot::Receiver<()>,
) {
    loop {
        let message = tokio::select! {
            biased;
            () = shell.drain.begun() => return,
            _ = &mut closed => return,
            message = stream.message() => message,
        };
        let message = match message {
            Ok(Some(v1::ConnectRequest { message: Some(message) })) => message,
            Ok(Some(v1::ConnectRequest { message: None })) => continue,
            Ok(None) => return,
            Err(status) => {
                tracing::debug!(%worker, %status, "worker's stream broke");
                return;
            }
        };
        let say = Command::Say { worker: worker.clone(), session, message };
        if shell.engine.tell(say).await.is_err() {
            return;
        }
    }
}
