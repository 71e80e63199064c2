//! How fast logits come in, against a bare copy over the same gRPC stack.

use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use umbra_core::digest::Digest;
use umbra_core::seed::{Purpose, Seed};
use umbra_data::logits::{LogitsHeader, encode};
use umbra_proto::v1::connect_response::Message as Hear;
use umbra_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use umbra_proto::v1::write_blob_request::Part;
use umbra_proto::{MAX_MESSAGE, v1};
use umbra_tests::Cluster;

use crate::stub;
use crate::{Bound, Figure};

/// Records; with 16 shadows and two classes a pack's logits are 51 MB before compression.
const RECORDS: u64 = 400_000;
const SHADOWS: u32 = 16;

/// Takes what is written and drops it: no file, no digest.
struct Copy;

type Nothing<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl WorkerService for Copy {
    type ConnectStream = Nothing<v1::ConnectResponse>;
    type ReadBlobStream = Nothing<v1::ReadBlobResponse>;

    async fn connect(
        &self,
        _: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        Err(Status::unimplemented("it only copies"))
    }

    async fn read_blob(
        &self,
        _: Request<v1::ReadBlobRequest>,
    ) -> Result<Response<Self::ReadBlobStream>, Status> {
        Err(Status::unimplemented("it only copies"))
    }

    async fn write_blob(
        &self,
        request: Request<Streaming<v1::WriteBlobRequest>>,
    ) -> Result<Response<v1::WriteBlobResponse>, Status> {
        let mut parts = request.into_inner();
        let mut size = 0;
        while let Some(part) = parts.next().await {
            if let Some(Part::Chunk(chunk)) = part?.part {
                size += chunk.len() as u64;
            }
        }
        Ok(Response::new(v1::WriteBlobResponse { blob: Some(v1::Blob { size, ..v1::Blob::default() }) }))
    }

    async fn get_write_status(
        &self,
        _: Request<v1::GetWriteStatusRequest>,
    ) -> Result<Response<v1::GetWriteStatusResponse>, Status> {
        Err(Status::unimplemented("it only copies"))
    }
}

pub fn run(rounds: u64) -> Vec<Figure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cluster = Cluster::start(60);
    audit(&cluster, rounds);
    runtime.block_on(measure(&cluster, rounds))
}

async fn measure(cluster: &Cluster, rounds: u64) -> Vec<Figure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bare = format!("http://{}", listener.local_addr().unwrap());
    let service = WorkerServiceServer::new(Copy).max_decoding_message_size(MAX_MESSAGE);
    tokio::spawn(
        Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let (mut copying, mut writing) = (stub::client(&bare), stub::client(&cluster.server()));
    let (say, mut hear, _) = stub::join(&mut writing, "stub", 1).await;
    let (mut copied, mut written, mut taken_in) = (Vec::new(), Vec::new(), Vec::new());
    let mut size = 0;
    for _ in 0..rounds {
        let assign = loop {
            if let Some(Hear::Assign(assign)) = hear.next().await.unwrap().unwrap().message {
                break assign;
            }
        };
        let bytes = bytes::Bytes::from(noise(&assign));
        size = bytes.len();
        let digest = Digest::of(&bytes);
        let begun = Instant::now();
        stub::write(&mut copying, assign.fence, "logits", bytes.clone(), digest).await;
        copied.push(begun.elapsed());
        let begun = Instant::now();
        let blob = stub::write(&mut writing, assign.fence, "logits", bytes, digest).await;
        written.push(begun.elapsed());
        let before = cluster.metrics().of("umbra_ingested_bytes_total");
        let begun = Instant::now();
        say.send(stub::done(&assign, blob)).await.unwrap();
        while cluster.metrics().of("umbra_ingested_bytes_total") == before {
            tokio::task::yield_now().await;
        }
        taken_in.push(begun.elapsed());
    }
    let rate = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        size as f64 / 1e6 / times[times.len() / 2].as_secs_f64()
    };
    let (copied, written, taken_in) = (rate(&mut copied), rate(&mut written), rate(&mut taken_in));
    vec![
        Figure::new("a pack's logits, compressed", size as f64 / 1e6, "MB"),
        Figure::new("bare copy that keeps nothing, median", copied, "MB/s"),
        Figure::new("logits written durably, digest checked, median", written, "MB/s"),
        Figure::new("share of the bare copy", written / copied, "").within(Bound::Least(0.5)),
        Figure::new("verified and indexed after the report, median", taken_in, "MB/s"),
    ]
}

/// Logits that cannot be compressed much, as real ones.
fn noise(assign: &v1::Assign) -> Vec<u8> {
    let rows: Vec<Vec<f32>> = (0..assign.shadows)
        .map(|shadow| {
            let mut stream = Seed::new(assign.fence as u64).stream(Purpose::Simulation, &[u64::from(shadow)]);
            (0..RECORDS * 2).map(|_| stream.uniform_f32() * 8.0 - 4.0).collect()
        })
        .collect();
    let header = LogitsHeader {
        first_shadow: assign.first_shadow,
        shadows: assign.shadows,
        records: RECORDS,
        queries: 1,
        classes: 2,
        lost: Vec::new(),
    };
    encode(&header, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
}

fn audit(cluster: &Cluster, packs: u64) {
    let folder = cluster.folder();
    let mut table = String::from("id,x,label\n");
    for i in 0..RECORDS {
        table += &format!("p{i},{}.5,{}\n", i * 37 % 101, i % 3 % 2);
    }
    std::fs::write(folder.join("many.csv"), table).unwrap();
    std::fs::write(folder.join("many.toml"), "kind = \"table\"\nlabel = \"label\"\nunit = \"id\"\n").unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (table, schema) = (path("many.csv"), path("many.toml"));
    cluster.ask(&["dataset", "import", &table, "--schema", &schema, "--name", "many"]).expect(0);
    // A pack more than is measured: nothing is to be analysed.
    let count = u64::from(SHADOWS) * (packs + 1);
    let text = format!(
        "name = \"ingest\"\nseed = 1\n[dataset]\nname = \"many\"\n[model]\narchitecture = \"logistic\"\n[training]\n\
         optimizer = \"sgd\"\nlearning_rate = 0.1\nbatch = 256\nepochs = 1\n[shadows]\ncount = {count}\nblock = \
         {SHADOWS}\n[placement]\npack = {SHADOWS}\n[statistics]\nattacks = [\"global\"]\n"
    );
    std::fs::write(folder.join("ingest.toml"), text).unwrap();
    cluster.ask(&["audit", "submit", &path("ingest.toml")]).expect(0);
}
