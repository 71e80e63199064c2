//! The way in: services, engine and health around the given parts.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::RwLock;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use umbra_proto::MAX_MESSAGE;
use umbra_proto::v1::audit_service_server::AuditServiceServer;
use umbra_proto::v1::cluster_service_server::ClusterServiceServer;
use umbra_proto::v1::dataset_service_server::DatasetServiceServer;
use umbra_proto::v1::findings_service_server::FindingsServiceServer;
use umbra_proto::v1::worker_service_server::WorkerServiceServer;
use umbra_runtime::blobs::{BlobStore, OpenBlobsError, Uploads};
use umbra_runtime::clock::Clock;
use umbra_runtime::drain::Drain;
use umbra_runtime::files::{FileError, create_private_folder};
use umbra_runtime::http::{self, Health};
use umbra_runtime::lock::LockError;
use umbra_runtime::{FileCache, Metrics, TlsFiles, traces};

use crate::api::{Audits, Datasets, Findings, Fleet, Gate, Workers};
use crate::board::Board;
use crate::config::Config;
use crate::engine::{self, Engine};
use crate::gc;
use crate::incoming::Incoming;
use crate::measures;
use crate::shell::{Heavy, Shell};
use crate::standing::Post;
use crate::store::MetaStore;

/// Where a coordinator listens.
pub struct Listeners {
    /// gRPC.
    pub grpc: Incoming,
    /// Plain HTTP for health and metrics.
    pub http: Option<TcpListener>,
    /// TLS for gRPC.
    pub tls: Option<TlsFiles>,
}

/// Why a coordinator could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The uploads' folder cannot be used.
    #[error(transparent)]
    Blobs(#[from] OpenBlobsError),
    /// The cache's folder cannot be used.
    #[error(transparent)]
    Cache(#[from] LockError),
    /// The TLS files are not usable.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] tonic::transport::Error),
}

/// An upload nobody has touched for so long is abandoned.
const UPLOAD_AGE: Duration = Duration::from_secs(24 * 3600);

/// How long connections may take to end once the drain begins.
const PARTING: Duration = Duration::from_secs(5);

/// Starts a coordinator and returns once it answers calls or knows that another leads, or once the drain has begun: its tasks run in
/// `drain` until that begins, and a task that fails begins it. The caller waits with [`Drain::finished`].
///
/// # Errors
/// [`ServeError`] if a part cannot be set up.
pub async fn serve(
    config: Config,
    listeners: Listeners,
    store: Arc<dyn MetaStore>,
    blobs: BlobStore,
    clock: Arc<dyn Clock>,
    drain: Drain,
) -> Result<(), ServeError> {
    create_private_folder(&config.scratch)?;
    empty(&config.findings()).await?;
    let health = Health::new(&drain);
    let (engine, commands) = Engine::channel();
    let limit = config.max_dataset_bytes;
    let uploads = Uploads::open(blobs.clone(), &config.scratch.join("uploads"), limit).await?;
    let uploads = Arc::new(uploads.within(config.storage.uploads_bytes));
    let cache = if blobs.is_local() { None } else { Some(open_cache(&config).await?) };
    let lease = Duration::from_millis(config.cluster.lease_ms);
    let post = Post::new();
    let gate = Gate::new(config.token.clone(), post.clone());
    let shell = Arc::new(Shell {
        config,
        store,
        blobs,
        cache,
        dataset_bytes: RwLock::default(),
        clock,
        board: Board::new(),
        post: post.clone(),
        engine,
        drain: drain.clone(),
        health: health.clone(),
        heavy: Heavy::default(),
    });
    if let Some(listener) = listeners.http {
        let router = http::router(health, Metrics::install());
        measures::describe();
        let token = drain.token();
        drain.spawn("http", http::serve(listener, router, async move { token.cancelled().await }));
    }
    let mut server = Server::builder()
        .http2_keepalive_interval(Some((lease / 3).max(Duration::from_millis(200))))
        .http2_keepalive_timeout(Some(lease.max(Duration::from_secs(1))))
        .max_concurrent_streams(Some(4096))
        .trace_fn(traces::call_span);
    if let Some(files) = &listeners.tls {
        server = server.tls_config(tls(files)).map_err(ServeError::Tls)?;
    }
    macro_rules! guarded {
        ($server:ident, $service:expr) => {
            guarded!($server, $service, gate.clone())
        };
        ($server:ident, $service:expr, $gate:expr) => {
            InterceptedService::new(
                $server::new($service)
                    .max_decoding_message_size(MAX_MESSAGE)
                    .max_encoding_message_size(MAX_MESSAGE),
                $gate,
            )
        };
    }
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let router = server
        .add_service(health_service)
        .add_service(guarded!(AuditServiceServer, Audits::new(shell.clone())))
        .add_service(guarded!(ClusterServiceServer, Fleet::new(shell.clone()), gate.for_followers()))
        .add_service(guarded!(DatasetServiceServer, Datasets::new(shell.clone(), uploads.clone())))
        .add_service(guarded!(FindingsServiceServer, Findings::new(shell.clone())))
        .add_service(guarded!(WorkerServiceServer, Workers::new(shell.clone(), uploads.clone())));
    reporter.set_service_status("", ServingStatus::NotServing).await;
    drain.spawn("health", report_health(reporter, post.clone(), drain.clone()));
    let incoming = listeners.grpc.into_stream();
    let token = drain.token();
    let served = router.serve_with_incoming_shutdown(incoming, async move { token.cancelled().await });
    drain.spawn("grpc", until_parted(served, drain.clone()));
    drain.spawn("uploads", tidy(uploads, shell.blobs.clone(), drain.clone()));
    if let Some(every) = shell.config.storage.gc_every {
        drain.spawn("gc", gc::run(shell.clone(), every, drain.clone()));
    }
    drain.spawn("engine", engine::run(shell, commands));
    tokio::select! {
        () = post.known() => {}
        () = drain.begun() => {}
    }
    Ok(())
}

/// Opens the cache, whose files are verified when they are used first.
async fn open_cache(config: &Config) -> Result<FileCache, LockError> {
    let (folder, limit) = (config.cache(), config.storage.cache_bytes);
    let opened = tokio::task::spawn_blocking(move || FileCache::open(&folder, limit)).await;
    opened.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Makes a folder empty of what a coordinator that is gone left there.
async fn empty(folder: &Path) -> Result<(), FileError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::io("empty", folder)(error)),
        _ => create_private_folder(folder),
    }
}

/// Serves until the drain begins and the connections end, for a while: peers that are frozen, cut off or
/// silent would hold up the end for ever.
async fn until_parted<E>(served: impl Future<Output = Result<(), E>>, drain: Drain) -> Result<(), E> {
    tokio::select! {
        served = served => served,
        () = async { drain.begun().await; tokio::time::sleep(PARTING).await } => {
            tracing::warn!("leave connections that do not end");
            Ok(())
        }
    }
}

/// The service that the health service says serves only where it leads: for load balancers.
const LEADER_SERVICE: &str = "umbra.v1.AuditService";

/// The health service says SERVING of the whole from the moment calls are answered, be it by naming the leader, until
/// the drain begins; of [`LEADER_SERVICE`] while this coordinator leads.
async fn report_health(reporter: HealthReporter, post: Post, drain: Drain) {
    let follow = async {
        reporter.set_service_status(LEADER_SERVICE, ServingStatus::NotServing).await;
        post.known().await;
        reporter.set_service_status("", ServingStatus::Serving).await;
        loop {
            post.leads().await;
            reporter.set_service_status(LEADER_SERVICE, ServingStatus::Serving).await;
            post.is_over().await;
            reporter.set_service_status(LEADER_SERVICE, ServingStatus::NotServing).await;
        }
    };
    tokio::select! {
        () = drain.begun() => {}
        () = follow => {}
    }
    for service in ["", LEADER_SERVICE] {
        reporter.set_service_status(service, ServingStatus::NotServing).await;
    }
}

fn tls(files: &TlsFiles) -> ServerTlsConfig {
    let mut config = ServerTlsConfig::new();
    if let Some(identity) = &files.identity {
        config = config.identity(Identity::from_pem(&identity.certificate, &identity.key));
    }
    if let Some(ca) = &files.authorities {
        config = config.client_ca_root(tonic::transport::Certificate::from_pem(ca));
    }
    config
}

/// Removes uploads nobody has touched for a day, and what is left of large writes that broke off.
async fn tidy(uploads: Arc<Uploads>, blobs: BlobStore, drain: Drain) {
    let mut hourly = tokio::time::interval(Duration::from_secs(3600));
    loop {
        tokio::select! {
            () = drain.begun() => return,
            _ = hourly.tick() => {}
        }
        if let Err(error) = uploads.expire(UPLOAD_AGE).await {
            tracing::warn!(%error, "cannot remove abandoned uploads");
        }
        if let Err(error) = blobs.abort_dropped().await {
            tracing::warn!(%error, "cannot abort writes that broke off");
        }
    }
}
