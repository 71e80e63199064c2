//! A coordinator that does what the test says, over a real socket.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};
use umbra_core::digest::Digest;
use umbra_proto::error::{Reason, refuse};
use umbra_proto::v1::connect_request::Message as Said;
use umbra_proto::v1::connect_response::Message as Answer;
use umbra_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use umbra_proto::{CHUNK, convert, v1};

/// No event takes longer, unless something is wrong.
pub const BOUND: Duration = Duration::from_secs(60);

/// What the coordinator keeps, and what it is told to do.
#[derive(Default)]
pub struct Shelf {
    /// Blobs by key.
    pub blobs: HashMap<String, Bytes>,
    /// Bytes of unfinished writes, by fence and name.
    pub parts: HashMap<(i64, String), Vec<u8>>,
    /// Fences whose writes are refused.
    pub stale: HashSet<i64>,
    /// Break the next write of this name after so many bytes.
    pub cut_write: Option<(String, usize)>,
    /// Break the next read after so many bytes.
    pub cut_read: Option<usize>,
    /// Answer the next hello with this.
    pub refusal: Option<Status>,
    /// Every write begun: name and offset.
    pub writes: Vec<(String, u64)>,
    /// Every read begun: key and offset.
    pub reads: Vec<(String, u64)>,
    /// The authorization of the latest call.
    pub authorization: Option<String>,
}

/// The coordinator.
pub struct Coordinator {
    address: SocketAddr,
    runtime: Option<Runtime>,
    shelf: Arc<Mutex<Shelf>>,
    talks: mpsc::UnboundedReceiver<Talk>,
    new_talk: mpsc::UnboundedSender<Talk>,
}

/// One stream of a session.
pub struct Talk {
    inbound: Streaming<v1::ConnectRequest>,
    outbound: mpsc::Sender<Result<v1::ConnectResponse, Status>>,
}

impl Coordinator {
    pub async fn start() -> Self {
        let (new_talk, talks) = mpsc::unbounded_channel();
        let address = "127.0.0.1:0".parse().unwrap();
        let mut coordinator = Self { address, runtime: None, shelf: Arc::default(), talks, new_talk };
        coordinator.restart();
        coordinator
    }

    /// Serves, on the same address as before.
    pub fn restart(&mut self) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let service = Service { shelf: self.shelf.clone(), talks: self.new_talk.clone() };
        let serve = async move {
            let incoming = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
            let service = WorkerServiceServer::new(service);
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await
        };
        runtime.handle().spawn(serve);
        self.runtime = Some(runtime);
    }

    /// Dies: every connection and the listener are closed.
    pub async fn kill(&mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(BOUND)).await.unwrap();
        while self.talks.try_recv().is_ok() {}
    }

    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// Stores a blob under its key.
    pub fn put(&self, key: &str, bytes: &[u8]) -> v1::Blob {
        self.shelf().blobs.insert(key.to_owned(), Bytes::copy_from_slice(bytes));
        convert::blob(key, &Digest::of(bytes), bytes.len() as u64)
    }

    /// The next stream and its hello.
    pub async fn hello(&mut self) -> (Talk, v1::Hello) {
        let mut talk = tokio::time::timeout(BOUND, self.talks.recv()).await.unwrap().unwrap();
        match talk.hear().await {
            Said::Hello(hello) => (talk, hello),
            other => panic!("no hello: {other:?}"),
        }
    }

    /// The next stream, welcomed.
    pub async fn welcome(&mut self) -> (Talk, v1::Hello) {
        let (talk, hello) = self.hello().await;
        talk.welcome().await;
        (talk, hello)
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Talk {
    /// The next message.
    pub async fn hear(&mut self) -> Said {
        let message = tokio::time::timeout(BOUND, self.inbound.message()).await.expect("a message in time");
        message.unwrap().expect("the stream goes on").message.unwrap()
    }

    /// Whether this side of the stream ended.
    pub async fn ended(&mut self) -> bool {
        matches!(tokio::time::timeout(BOUND, self.inbound.message()).await.unwrap(), Ok(None))
    }

    pub async fn say(&self, message: Answer) {
        self.outbound.send(Ok(v1::ConnectResponse { message: Some(message) })).await.unwrap();
    }

    /// A lease of 300 ms: a heartbeat every 100 ms.
    pub async fn welcome(&self) {
        self.say(Answer::Welcome(v1::Welcome { lease_milliseconds: 300, version: "test".into() })).await;
    }

    /// Ends the stream with a status.
    pub async fn refuse(self, status: Status) {
        self.outbound.send(Err(status)).await.unwrap();
    }

    pub async fn revoke(&self, fence: i64, reason: v1::RevokeReason) {
        let (audit_id, pack) = ("tiny-12345678".to_owned(), 0);
        self.say(Answer::Revoke(v1::Revoke { audit_id, pack, fence, reason: reason.into() })).await;
    }

    pub async fn acknowledge(&self, report: &v1::Report) {
        let (audit_id, pack, fence) = (report.audit_id.clone(), report.pack, report.fence);
        self.say(Answer::Acknowledge(v1::Acknowledge { audit_id, pack, fence })).await;
    }

    /// The next message for which `pick` gives something.
    pub async fn until<T>(&mut self, mut pick: impl FnMut(Said) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.hear().await) {
                return picked;
            }
        }
    }

    /// The next report, acknowledged.
    pub async fn report(&mut self) -> v1::Report {
        let report =
            self.until(|said| if let Said::Report(report) = said { Some(report) } else { None }).await;
        self.acknowledge(&report).await;
        report
    }

    /// The next heartbeat in which the pack of this fence took a step.
    pub async fn stepping(&mut self, fence: i64) -> v1::RunningPack {
        self.until(|said| match said {
            Said::Heartbeat(beat) => beat.running.into_iter().find(|p| p.fence == fence && p.steps_done > 0),
            Said::Report(report) => panic!("it ended: {report:?}"),
            _ => None,
        })
        .await
    }

    /// The next checkpoint.
    pub async fn checkpoint(&mut self) -> v1::Checkpoint {
        self.until(|said| if let Said::Checkpointed(it) = said { it.checkpoint } else { None }).await
    }
}

struct Service {
    shelf: Arc<Mutex<Shelf>>,
    talks: mpsc::UnboundedSender<Talk>,
}

impl Service {
    fn shelf<T>(&self, request: &Request<T>) -> MutexGuard<'_, Shelf> {
        let mut shelf = self.shelf.lock().unwrap();
        let authorization = request.metadata().get("authorization");
        shelf.authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        shelf
    }
}

#[tonic::async_trait]
impl WorkerService for Service {
    type ConnectStream = ReceiverStream<Result<v1::ConnectResponse, Status>>;
    type ReadBlobStream = ReceiverStream<Result<v1::ReadBlobResponse, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        if let Some(status) = self.shelf(&request).refusal.take() {
            return Err(status);
        }
        let (outbound, answers) = mpsc::channel(64);
        self.talks.send(Talk { inbound: request.into_inner(), outbound }).unwrap();
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn read_blob(
        &self,
        request: Request<v1::ReadBlobRequest>,
    ) -> Result<Response<Self::ReadBlobStream>, Status> {
        let mut shelf = self.shelf(&request);
        let v1::ReadBlobRequest { key, offset } = request.into_inner();
        shelf.reads.push((key.clone(), offset));
        let bytes = shelf.blobs.get(&key).cloned().ok_or_else(|| refuse(Reason::NotFound, "no such blob"))?;
        let mut rest = bytes.slice(offset as usize..);
        let cut = shelf.cut_read.take();
        rest.truncate(cut.unwrap_or(usize::MAX));
        let mut answers: Vec<_> = rest
            .chunks(CHUNK.min(1000))
            .map(|chunk| Ok(v1::ReadBlobResponse { chunk: Bytes::copy_from_slice(chunk) }))
            .collect();
        if cut.is_some() {
            answers.push(Err(Status::unavailable("cut by the test")));
        }
        let (sender, stream) = mpsc::channel(answers.len().max(1));
        answers.into_iter().for_each(|answer| sender.try_send(answer).unwrap());
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn write_blob(
        &self,
        request: Request<Streaming<v1::WriteBlobRequest>>,
    ) -> Result<Response<v1::WriteBlobResponse>, Status> {
        drop(self.shelf(&request));
        let mut stream = request.into_inner();
        let Some(v1::write_blob_request::Part::Header(header)) = stream.message().await?.unwrap().part else {
            panic!("no header")
        };
        let id = (header.fence, header.name.clone());
        {
            let mut shelf = self.shelf.lock().unwrap();
            shelf.writes.push((header.name.clone(), header.offset));
            if shelf.stale.contains(&header.fence) {
                return Err(refuse(Reason::StaleFence, "another attempt owns the pack"));
            }
            let part = shelf.parts.entry(id.clone()).or_default();
            assert!(header.offset as usize <= part.len());
            part.truncate(header.offset as usize);
        }
        while let Some(message) = stream.message().await? {
            let Some(v1::write_blob_request::Part::Chunk(chunk)) = message.part else { panic!("no chunk") };
            assert!(chunk.len() <= CHUNK);
            let mut shelf = self.shelf.lock().unwrap();
            let cut = shelf.cut_write.clone().filter(|(name, _)| *name == header.name);
            if let Some((_, length)) = cut {
                shelf.cut_write = None;
                shelf.parts.get_mut(&id).unwrap().extend_from_slice(&chunk[..length]);
                return Err(Status::unavailable("cut by the test"));
            }
            shelf.parts.get_mut(&id).unwrap().extend_from_slice(&chunk);
        }
        let mut shelf = self.shelf.lock().unwrap();
        let bytes = shelf.parts.remove(&id).unwrap();
        let digest = Digest::of(&bytes);
        if bytes.len() as u64 != header.size || digest.as_bytes()[..] != header.sha256 {
            return Err(refuse(Reason::DigestMismatch, "other bytes arrived"));
        }
        let key = format!("tiny/0/{}/{}", header.fence, header.name);
        let blob = convert::blob(&key, &digest, header.size);
        shelf.blobs.insert(key, bytes.into());
        Ok(Response::new(v1::WriteBlobResponse { blob: Some(blob) }))
    }

    async fn get_write_status(
        &self,
        request: Request<v1::GetWriteStatusRequest>,
    ) -> Result<Response<v1::GetWriteStatusResponse>, Status> {
        let shelf = self.shelf(&request);
        let request = request.into_inner();
        let offset = shelf.parts.get(&(request.fence, request.name)).map_or(0, Vec::len) as u64;
        Ok(Response::new(v1::GetWriteStatusResponse { offset }))
    }
}
