//! Sending spans to a collector, over a runtime of its own: commands trace before they have one, and what is left at the
//! end is sent after theirs is gone.

use std::env;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::{Builder, Runtime};

/// The variables that name a collector, the more special one first.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// How long the end of a process may wait for its last spans to be sent.
const PARTING: Duration = Duration::from_secs(2);

/// What sends spans, for the rest of the process.
struct Sender {
    provider: SdkTracerProvider,
    /// What its connection lives in.
    _runtime: Runtime,
}

static SENDER: OnceLock<Sender> = OnceLock::new();

/// Whether spans are sent.
pub(crate) enum Export {
    /// No collector is named.
    Off,
    /// They are made here and sent in the background.
    On(SdkTracer),
    /// A collector is named that cannot be used: why.
    Unusable(String),
}

/// Begins to send spans of a service, if a collector is named.
pub(crate) fn begin(service: &'static str) -> Export {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let is_off = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_off || !ENDPOINTS.iter().any(|name| set(name).is_some()) {
        return Export::Off;
    }
    let runtime =
        match Builder::new_multi_thread().worker_threads(1).thread_name("traces").enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return Export::Unusable(error.to_string()),
        };
    let built = {
        let _in_runtime = runtime.enter();
        OtlpExporter::builder().with_tonic().build()
    };
    let exporter = match built {
        Ok(exporter) => Patient { exporter, warned: AtomicBool::new(false) },
        Err(error) => {
            // It may not be dropped where it would have to be waited for.
            runtime.shutdown_background();
            return Export::Unusable(error.to_string());
        }
    };
    let mut resource = Resource::builder();
    if set("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(service);
    }
    let provider =
        SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
    let tracer = provider.tracer("umbra");
    let _ = SENDER.set(Sender { provider, _runtime: runtime });
    Export::On(tracer)
}

/// Sends what is left, for two seconds at most; to be called once, at the end of the process.
pub fn finish() {
    if let Some(sender) = SENDER.get() {
        // What cannot be sent now is lost, as it would have been before.
        let _ = sender.provider.shutdown_with_timeout(PARTING);
    }
}

/// An exporter whose first failure is a warning, and whose later ones are the same news.
struct Patient<E> {
    exporter: E,
    warned: AtomicBool,
}

impl<E> fmt::Debug for Patient<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exporter of spans")
    }
}

impl<E: SpanExporter> SpanExporter for Patient<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        if let Err(error) = &sent
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "cannot send traces: see OTEL_EXPORTER_OTLP_ENDPOINT; go on without");
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
