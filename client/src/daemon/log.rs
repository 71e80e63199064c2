//! The daemons' logs: on stderr, in the format of their results.

use umbra_runtime::telemetry;

use crate::exit::Failure;
use crate::output::Format;

/// Begins to log what `filter` lets through, and to trace as `service`.
///
/// # Errors
/// If the filter cannot be read.
pub fn begin_log(service: &'static str, format: Format, filter: Option<&str>) -> Result<(), Failure> {
    let format = match format {
        Format::Text => telemetry::Format::Text,
        Format::Json => telemetry::Format::Json,
    };
    telemetry::init(service, format, filter).map_err(|error| Failure::usage(format!("--log: {error}")))
}
