//! Logs: text or JSON lines on stderr; and [`crate::traces`], which see the same spans.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::{EnvFilter, Registry};

use crate::traces::{self, Export};

/// The environment variable that is read where no filter is configured.
pub const FILTER_VARIABLE: &str = "UMBRA_LOG";

/// The filter where neither the configuration nor the environment gives one.
pub const DEFAULT_FILTER: &str = "info";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people; coloured on a terminal unless `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// A log format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log format \"{0}\" does not exist: use text or json")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(UnknownFormat(other.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// A log filter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log filter \"{filter}\" cannot be read ({reason}): write a level (error, warn, info, debug, trace) \
     or a list such as info,umbra_worker=debug"
)]
pub struct InvalidFilter {
    filter: String,
    reason: String,
}

/// Sends the process's logs to stderr, and its traces, as those of `service`, to a collector where one is named. `filter` comes from the configuration; without one
/// `UMBRA_LOG` is read, then [`DEFAULT_FILTER`] holds. Once per process: later calls check their
/// arguments and change nothing.
///
/// # Errors
/// [`InvalidFilter`] if the filter is not one.
pub fn init(service: &'static str, format: Format, filter: Option<&str>) -> Result<(), InvalidFilter> {
    let from_environment = std::env::var(FILTER_VARIABLE).ok();
    let filter = parse_filter(filter.or(from_environment.as_deref()).unwrap_or(DEFAULT_FILTER))?;
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        let export = traces::begin(service);
        let unusable = if let Export::Unusable(reason) = &export { Some(reason.clone()) } else { None };
        let subscriber = subscriber(format, filter, colour, io::stderr, export);
        // An embedding program's subscriber, if there is one, stays.
        let _ = tracing::dispatcher::set_global_default(subscriber);
        *installed = true;
        if let Some(reason) = unusable {
            tracing::warn!(
                reason,
                "go on without traces: name a collector in plain HTTP with OTEL_EXPORTER_OTLP_ENDPOINT"
            );
        }
    }
    Ok(())
}

fn parse_filter(text: &str) -> Result<EnvFilter, InvalidFilter> {
    EnvFilter::builder().parse(text).map_err(|error| InvalidFilter {
        filter: text.chars().take(200).collect(),
        reason: error.to_string(),
    })
}

fn subscriber<W>(
    format: Format,
    filter: EnvFilter,
    colour: bool,
    writer: W,
    export: Export,
) -> tracing::Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => lines.with_filter(filter).boxed(),
        Format::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines);
    match export {
        Export::Off | Export::Unusable(_) => registry.into(),
        Export::On(tracer) => {
            let spans = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false);
            registry.with(spans.with_filter(traced())).into()
        }
    }
}

/// The spans that are traced, whatever is logged: this project's, but for those of named tasks, which last as long as the
/// process.
fn traced() -> Targets {
    Targets::new().with_target("umbra", LevelFilter::INFO).with_target("umbra_runtime", LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format) -> String {
        let page = Page::default();
        let writer = page.clone();
        let dispatch =
            subscriber(format, parse_filter("info").unwrap(), false, move || writer.clone(), Export::Off);
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::info!(pack = 3, "publish");
            tracing::debug!("hidden");
        });
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_carry_their_fields_in_both_formats() {
        let text = written(Format::Text);
        assert!(text.contains("INFO") && text.ends_with("publish pack=3\n"), "{text}");
        let json = written(Format::Json);
        assert!(json.starts_with('{') && json.contains("\"pack\":3"), "{json}");
        assert!(json.contains("\"message\":\"publish\"") && json.lines().count() == 1, "{json}");
    }

    #[test]
    fn wrong_settings_are_refused_in_words() {
        let error = init("test", Format::Text, Some("umbra=loud")).unwrap_err();
        assert!(error.to_string().contains("\"umbra=loud\" cannot be read"), "{error}");
        assert!("xml".parse::<Format>().is_err());
    }

    #[test]
    fn installing_twice_is_fine() {
        assert!(init("test", Format::Text, Some("warn")).is_ok());
        assert!(init("test", Format::Json, Some("error")).is_ok());
    }
}
