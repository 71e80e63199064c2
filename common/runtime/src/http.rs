//! The plain HTTP port: /healthz, /readyz, /metrics, and what a daemon merges beside them.

use std::io;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::drain::Drain;
use crate::metrics::Metrics;

/// Whether a daemon can serve, and if not, why. Clones share the answer.
#[derive(Clone)]
pub struct Health {
    draining: CancellationToken,
    waiting_for: Arc<RwLock<Option<String>>>,
}

impl Health {
    /// Not ready: "starting". A draining daemon is never ready.
    pub fn new(drain: &Drain) -> Self {
        Self { draining: drain.token(), waiting_for: Arc::new(RwLock::new(Some("starting".into()))) }
    }

    /// From now on ready.
    pub fn ready(&self) {
        self.set(None);
    }

    /// From now on not ready, for a reason that the operator reads.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    /// Ok if ready, else the reason.
    pub fn check(&self) -> Result<(), String> {
        if self.draining.is_cancelled() {
            return Err("draining".into());
        }
        let waiting_for = self.waiting_for.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        waiting_for.clone().map_or(Ok(()), Err)
    }

    fn set(&self, value: Option<String>) {
        *self.waiting_for.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = value;
    }
}

/// The routes /healthz (200 while the process lives), /readyz (200, or 503 with the reason) and
/// /metrics. Merge a daemon's own routes into it.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(render)).with_state(metrics))
}

/// How long a request may take to end after the shutdown. A peer that never finishes its own would hold
/// it up for ever.
const PARTING: Duration = Duration::from_secs(2);

/// Serves `router` until `shutdown` resolves and the requests at hand are answered, or two seconds have
/// passed.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let metrics = Metrics::install();
    let begun = CancellationToken::new();
    let begin = begun.clone();
    let shutdown = async move {
        shutdown.await;
        begin.cancel();
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(shutdown).into_future() => served,
        () = metrics.upkeep() => Ok(()),
        () = async { begun.cancelled().await; tokio::time::sleep(PARTING).await } => Ok(()),
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    match health.check() {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn render(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer[9..12].parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    #[tokio::test]
    async fn the_port_tells_life_readiness_and_metrics() {
        let (drain, listening) = (Drain::new(), Drain::new());
        let health = Health::new(&drain);
        // As two daemons in one process do.
        let (_, metrics) = (Metrics::install(), Metrics::install());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let own = Router::new().route("/own", get(|| async { "mine" }));
        let stop = listening.token().cancelled_owned();
        listening.spawn("http", serve(listener, router(health.clone(), metrics).merge(own), stop));

        assert_eq!(ask(address, "/healthz").await, (200, "ok\n".into()));
        assert_eq!(ask(address, "/readyz").await, (503, "not ready: starting\n".into()));
        health.ready();
        assert_eq!(ask(address, "/readyz").await, (200, "ready\n".into()));
        health.not_ready("the store is away");
        assert_eq!(ask(address, "/readyz").await, (503, "not ready: the store is away\n".into()));
        assert_eq!(ask(address, "/own").await, (200, "mine".into()));
        assert_eq!(ask(address, "/nothing").await.0, 404);

        metrics::counter!("umbra_test_total").increment(3);
        metrics::histogram!("umbra_test_seconds").record(0.002);
        let (status, text) = ask(address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("umbra_test_total 3"), "{text}");
        assert!(text.contains("umbra_test_seconds_bucket{le=\"0.0025\"} 1"), "{text}");

        health.ready();
        drain.begin();
        assert_eq!(ask(address, "/readyz").await, (503, "not ready: draining\n".into()));
        listening.begin();
        assert!(listening.finished(Duration::from_secs(60)).await.is_clean());
        assert!(TcpStream::connect(address).await.is_err());
    }
}
