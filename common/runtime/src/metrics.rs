//! The process's metrics, recorded through the `metrics` crate and shown as Prometheus text.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;

/// Upper bounds of histogram buckets, in seconds: from a step of the scheduler to a pack's wait.
const BUCKETS: [f64; 17] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0,
    3600.0,
];

/// How often old histogram samples must be folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// A gauge that nobody sets for so long is dropped: what it measured is gone. Gauges of what stays are set
/// several times a second.
const IDLE: Duration = Duration::from_secs(60);

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
            let recorder = recorder(IDLE);
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

    /// Keeps the memory of histograms and of gauges with labels that come and go bounded, whether or not
    /// anybody reads them; runs until it is dropped.
    pub async fn upkeep(&self) {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            // Rendering is what looks for gauges that are idle, and folds samples into their buckets.
            let _ = self.handle.render_to_write(&mut std::io::sink());
        }
    }
}

/// A recorder that drops gauges which nobody sets for so long.
fn recorder(idle: Duration) -> PrometheusRecorder {
    PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .expect("the list of buckets is not empty")
        .idle_timeout(MetricKindMask::GAUGE, Some(idle))
        .build_recorder()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_that_nobody_sets_any_more_are_dropped_and_counters_stay() {
        let recorder = recorder(Duration::ZERO);
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("umbra_test_total").increment(1);
            metrics::gauge!("umbra_gone", "worker" => "w").set(1.0);
            for _ in 0..3 {
                metrics::gauge!("umbra_stays").set(2.0);
                handle.render();
            }
            metrics::gauge!("umbra_stays").set(2.0);
        });
        let shown = handle.render();
        assert!(!shown.contains("umbra_gone") && shown.contains("umbra_stays 2"), "{shown}");
        assert!(shown.contains("umbra_test_total 1"), "{shown}");
    }
}
