//! A coordinator on loopback, over a folder that outlives it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tonic::Status;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use umbra_coordinator::store::{EmbeddedStore, OpenError, Prefix, read_all};
use umbra_coordinator::{Config, Listeners, Storage, serve};
use umbra_core::cluster::ClusterConfig;
use umbra_core::digest::Digest;
use umbra_data::{Dataset, Imported, Schema, import};
use umbra_proto::v1::audit_service_client::AuditServiceClient;
use umbra_proto::v1::cluster_service_client::ClusterServiceClient;
use umbra_proto::v1::dataset_service_client::DatasetServiceClient;
use umbra_proto::v1::findings_service_client::FindingsServiceClient;
use umbra_proto::{CHUNK, v1};
use umbra_runtime::blobs::BlobStore;
use umbra_runtime::{Drain, SystemClock};

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(60);

pub struct Place {
    folder: tempfile::TempDir,
    data: Imported,
    drain: Drain,
    /// Where blobs are if not in the folder.
    elsewhere: Option<BlobStore>,
    storage: Storage,
    cluster: ClusterConfig,
    pub channel: Channel,
}

/// 32 shadows in 4 blocks, 8 packs.
pub fn draft() -> v1::AuditSpec {
    v1::AuditSpec {
        name: "flow".into(),
        seed: 7,
        dataset: "people".into(),
        model: Some(v1::ModelSpec { architecture: "logistic".into(), widths: vec![], ..Default::default() }),
        training: Some(v1::TrainingSpec {
            learning_rate: Some(0.1),
            batch: Some(16),
            epochs: Some(2),
            ..v1::TrainingSpec::default()
        }),
        shadows: Some(v1::ShadowSpec { count: Some(32), block: Some(8), population: None }),
        statistics: Some(v1::StatisticsSpec::default()),
        ..v1::AuditSpec::default()
    }
}

fn people(folder: &std::path::Path) -> Imported {
    let mut table = String::from("id,x,group,label\n");
    for i in 0..300 {
        table += &format!("p{i},{}.5,{},{}\n", i * 37 % 101, ["a", "b"][i % 2], i % 3 % 2);
    }
    let path = folder.join("people.csv");
    std::fs::write(&path, table).unwrap();
    let schema = "kind = \"table\"\nlabel = \"label\"\nunit = \"id\"\ngroups = [\"group\"]\n";
    import(&path, &Schema::parse(schema, "schema.toml").unwrap()).unwrap()
}

/// As many small images, with two labels each of which some are not known.
fn images(folder: &std::path::Path) -> Imported {
    let mut table = String::from("id,group,left,right\n");
    for i in 0..300 {
        let right = ["0", "1", ""][i % 3];
        table += &format!("p{i},{},{},{right}\n", ["a", "b"][i % 2], i / 2 % 2);
    }
    std::fs::write(folder.join("images.csv"), table).unwrap();
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (300, 2, 2), }\n";
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.bytes());
    array.extend((0..1200u32).map(|i| (i * i % 251) as u8));
    let path = folder.join("images.npy");
    std::fs::write(&path, array).unwrap();
    let schema = "kind = \"array\"\nlabel = [\"left\", \"right\"]\nunit = \"id\"\ngroups = [\"group\"]\n\
                  attributes = \"images.csv\"\n";
    let beside = folder.join("schema.toml").display().to_string();
    import(&path, &Schema::parse(schema, &beside).unwrap()).unwrap()
}

/// The meta store, once whoever had it last has let it go.
async fn open(folder: &std::path::Path) -> EmbeddedStore {
    let free = async {
        let mut often = tokio::time::interval(Duration::from_millis(10));
        loop {
            match EmbeddedStore::open(folder.join("meta.redb")).await {
                Err(OpenError::InUse { .. }) => often.tick().await,
                opened => return opened.unwrap(),
            };
        }
    };
    tokio::time::timeout(BOUND, free).await.expect("in time")
}

async fn start(
    folder: &std::path::Path,
    elsewhere: Option<BlobStore>,
    storage: Storage,
    cluster: ClusterConfig,
) -> (Drain, Channel) {
    let drain = Drain::new();
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = grpc.local_addr().unwrap();
    let config = Config {
        cluster,
        token: None,
        scratch: folder.join("scratch"),
        numerics: "test-class".into(),
        version: "test".into(),
        host: "here".into(),
        name: address.to_string(),
        max_dataset_bytes: 1 << 20,
        storage,
    };
    let store = open(folder).await;
    let blobs = match elsewhere {
        Some(blobs) => blobs,
        None => BlobStore::local(folder.join("blobs")).await.unwrap(),
    };
    let clock = Arc::new(SystemClock::new());
    let listeners = Listeners { grpc: grpc.into(), http: None, tls: None };
    serve(config, listeners, Arc::new(store), blobs, clock, drain.clone()).await.unwrap();
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    let mut serving = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let ready = async {
        while serving.next().await.expect("it serves soon").unwrap().status() != ServingStatus::Serving {}
    };
    tokio::time::timeout(BOUND, ready).await.expect("in time");
    (drain, channel)
}

impl Place {
    pub async fn start() -> Self {
        Self::with(people, None).await
    }

    /// With a blob store that has no files.
    pub async fn without_files() -> Self {
        Self::with(people, Some(BlobStore::memory())).await
    }

    /// With images of several labels instead of a table.
    pub async fn of_images() -> Self {
        Self::with(images, None).await
    }

    async fn with(data: fn(&std::path::Path) -> Imported, elsewhere: Option<BlobStore>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = data(folder.path());
        let storage = Storage::default();
        let cluster = ClusterConfig { lease_ms: 60_000, backoff_ms: 10, ..ClusterConfig::default() };
        let (drain, channel) = start(folder.path(), elsewhere.clone(), storage.clone(), cluster).await;
        Self { folder, data, drain, elsewhere, storage, cluster, channel }
    }

    /// With bounds of one's own.
    pub async fn within(storage: Storage) -> Self {
        let mut place = Self::start().await;
        place.storage = storage;
        place.restart().await;
        place
    }

    /// That finds out sooner how fast a slot is.
    pub async fn with_pace(window_ms: u64) -> Self {
        let mut place = Self::start().await;
        place.cluster.pace_window_ms = window_ms;
        place.restart().await;
        place
    }

    pub async fn restart(&mut self) {
        self.drain.begin();
        let outcome = self.drain.finished(BOUND).await;
        assert!(outcome.is_clean(), "{outcome}");
        (self.drain, self.channel) =
            start(self.folder.path(), self.elsewhere.clone(), self.storage.clone(), self.cluster).await;
    }

    /// Restarted with blobs beside that were there before, and with garbage collected all the time, however
    /// young.
    pub async fn collecting(mut self, planted: &[String]) -> Self {
        for name in planted {
            self.plant(name, 1);
        }
        let often = Some(Duration::from_millis(10));
        self.storage = Storage { gc_every: often, gc_grace: Duration::ZERO, ..Storage::default() };
        self.restart().await;
        self
    }

    /// After everything that was begun has ended: the coordinator goes down in order and comes back.
    pub async fn settled(mut self) -> Self {
        self.restart().await;
        self
    }

    /// The keys of everything in the meta store of a coordinator that goes down for it.
    pub async fn entries(self) -> Vec<String> {
        self.drain.begin();
        let outcome = self.drain.finished(BOUND).await;
        assert!(outcome.is_clean(), "{outcome}");
        let store = open(self.folder.path()).await;
        let entries = read_all(&store, &Prefix::all()).await.unwrap();
        entries.into_iter().map(|entry| entry.key.as_str().to_owned()).collect()
    }

    pub async fn stop(self) {
        self.drain.begin();
        let outcome = self.drain.finished(BOUND).await;
        assert!(outcome.is_clean(), "{outcome}");
    }

    pub fn dataset(&self) -> Dataset {
        Dataset::from_bytes(self.data.bytes.clone()).unwrap()
    }

    pub fn content(&self) -> &Digest {
        &self.data.digest
    }

    pub fn packs(&self) -> u32 {
        8
    }

    pub async fn upload(&self) {
        self.upload_as("people", &self.data.digest).await.unwrap();
    }

    /// Uploads the bytes under a name, claiming a content.
    pub async fn upload_as(&self, name: &str, content: &Digest) -> Result<(), Status> {
        let header = v1::UploadDatasetHeader {
            name: name.into(),
            digest: content.to_string(),
            sha256: Digest::of(&self.data.bytes).as_bytes().to_vec(),
            size: self.data.bytes.len() as u64,
        };
        use v1::upload_dataset_request::Part;
        let chunks = self.data.bytes.chunks(CHUNK).map(|chunk| Part::Chunk(chunk.to_vec().into()));
        let parts: Vec<_> = std::iter::once(Part::Header(header))
            .chain(chunks)
            .map(|part| v1::UploadDatasetRequest { part: Some(part) })
            .collect();
        let mut client = DatasetServiceClient::new(self.channel.clone());
        client.upload_dataset(tokio_stream::iter(parts)).await.map(drop)
    }

    pub async fn delete_dataset(&self) -> Result<(), Status> {
        let mut client = DatasetServiceClient::new(self.channel.clone());
        client.delete_dataset(v1::DeleteDatasetRequest { name: "people".into() }).await.map(drop)
    }

    fn audits(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub async fn submit(&self, request_id: &str, spec: &v1::AuditSpec) -> Result<v1::Audit, Status> {
        let request = v1::CreateAuditRequest { spec: Some(spec.clone()), request_id: request_id.into() };
        Ok(self.audits().create_audit(request).await?.into_inner().audit.unwrap())
    }

    pub async fn get(&self, id: &str) -> v1::Audit {
        let request = v1::GetAuditRequest { id: id.into() };
        self.audits().get_audit(request).await.unwrap().into_inner().audit.unwrap()
    }

    pub async fn cancel(&self, id: &str) -> Result<v1::Audit, Status> {
        let request = v1::CancelAuditRequest { id: id.into() };
        Ok(self.audits().cancel_audit(request).await?.into_inner().audit.unwrap())
    }

    pub async fn extend(&self, id: &str, shadows: u32) -> Result<v1::Audit, Status> {
        let request = v1::ExtendAuditRequest { id: id.into(), shadows };
        Ok(self.audits().extend_audit(request).await?.into_inner().audit.unwrap())
    }

    pub async fn delete(&self, id: &str) -> Result<(), Status> {
        self.audits().delete_audit(v1::DeleteAuditRequest { id: id.into() }).await.map(drop)
    }

    pub async fn list(&self) -> Vec<v1::Audit> {
        self.audits().list_audits(v1::ListAuditsRequest::default()).await.unwrap().into_inner().audits
    }

    /// One page of the connected workers.
    pub async fn workers(&self, page_size: u32, token: &str) -> Result<v1::ListWorkersResponse, Status> {
        let mut client = ClusterServiceClient::new(self.channel.clone());
        let request = v1::ListWorkersRequest { page_size, page_token: token.into() };
        client.list_workers(request).await.map(tonic::Response::into_inner)
    }

    /// Puts a blob of so many bytes into the folder.
    pub fn plant(&self, name: &str, size: usize) -> String {
        let path = self.folder.path().join("blobs/objects").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![7; size]).unwrap();
        name.to_owned()
    }

    /// How many blobs audits have.
    pub fn blobs_of_audits(&self) -> usize {
        self.blobs().iter().filter(|name| name.starts_with("audit/")).count()
    }

    /// The keys of all blobs in the folder.
    pub fn blobs(&self) -> BTreeSet<String> {
        let root = self.folder.path().join("blobs/objects");
        let (mut names, mut folders) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            // One that has just lost its last blob is gone.
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    names.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        names
    }

    /// The audit once it has ended.
    pub async fn watch(&self, id: &str) -> v1::Audit {
        self.watch_until(id, |audit| audit.end_time.is_some()).await
    }

    pub async fn watch_until(&self, id: &str, enough: impl Fn(&v1::Audit) -> bool) -> v1::Audit {
        let request = v1::WatchAuditRequest { id: id.into(), after_revision: 0 };
        let mut stream = self.audits().watch_audit(request).await.unwrap().into_inner();
        let watched = async {
            loop {
                let audit = stream.next().await.expect("it ends with what is waited for").unwrap();
                let audit = audit.audit.unwrap();
                if enough(&audit) {
                    return audit;
                }
            }
        };
        tokio::time::timeout(BOUND, watched).await.expect("in time")
    }

    pub async fn files(&self, id: &str) -> Vec<String> {
        let mut client = FindingsServiceClient::new(self.channel.clone());
        let request = v1::ListFilesRequest { audit_id: id.into() };
        let files = client.list_files(request).await.unwrap().into_inner().files;
        files.into_iter().map(|file| file.name).collect()
    }

    pub async fn file(&self, id: &str, name: &str) -> Vec<u8> {
        let mut client = FindingsServiceClient::new(self.channel.clone());
        let request = v1::DownloadFileRequest { audit_id: id.into(), name: name.into(), offset: 0 };
        let mut stream = client.download_file(request).await.unwrap().into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.unwrap().chunk);
        }
        bytes
    }

    pub async fn summary(&self, id: &str) -> serde_json::Value {
        let mut client = FindingsServiceClient::new(self.channel.clone());
        let request = v1::GetSummaryRequest { audit_id: id.into() };
        let summary = client.get_summary(request).await.unwrap().into_inner().summary_json;
        serde_json::from_slice(&summary).unwrap()
    }
}
