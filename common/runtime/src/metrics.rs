//! The process's metrics, recorded through the `metrics` crate and shown as Prometheus text.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Upper bounds of histogram buckets, in seconds: from a store's commit to a pack's training.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];

/// How often old histogram samples must be folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// A handle on the process's metrics.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Installs the process's recorder, or finds the one installed before: a process that hosts several
    /// daemons has one set of metrics.
    pub fn install() -> Self {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets(&BUCKETS)
                .expect("the list of buckets is not empty")
                .build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("keep another recorder of metrics, /metrics stays empty");
            }
            handle
        });
        Self { handle: handle.clone() }
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Keeps the memory of histograms bounded; runs until it is dropped.
    pub async fn upkeep(&self) {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            self.handle.run_upkeep();
        }
    }
}
