//! Traces: spans of what processes do, sent to an OpenTelemetry collector where one is named, and the thread that
//! ties those of several processes together.
//!
//! On where `OTEL_EXPORTER_OTLP_ENDPOINT` is set; the other standard variables (`OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_SDK_DISABLED`) hold as well. What cannot be sent is
//! dropped: a collector that is away costs a bounded queue and one warning.

mod export;
mod parent;

pub use export::finish;
pub(crate) use export::{Export, begin};
pub use parent::{TraceParent, call_span, carry};
