//! The place of a span in a trace as a line of text (W3C Trace Context), carried from process to process.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::codegen::http;
use tonic::metadata::MetadataMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that carries it.
const HEADER: &str = "traceparent";

/// Bytes of one: version, trace, span and flags in hexadecimal.
const BYTES: usize = 55;

/// The place of a span in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// From a header or a message; none if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == BYTES && text.is_ascii() && context(text).span().span_context().is_valid();
        is_one.then(|| Self(text.to_owned()))
    }

    /// That of the span this is called in; none where no traces are made.
    pub fn current() -> Option<Self> {
        Self::of(&Span::current())
    }

    /// That of a span; none where no traces are made.
    pub fn of(span: &Span) -> Option<Self> {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
        carrier.remove(HEADER).map(Self)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace, for people.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }

    /// Puts a span that has just been made below it, and the trace's id into its field `trace_id`, if it has one.
    pub fn adopt(&self, span: &Span) {
        // Where no traces are made, there is nothing to put.
        if span.set_parent(context(&self.0)).is_ok() {
            span.record("trace_id", self.trace_id());
        }
    }
}

fn context(text: &str) -> Context {
    let carrier = HashMap::from([(HEADER.to_owned(), text.to_owned())]);
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

/// Puts the span that a call is made in on the call.
pub fn carry(metadata: &mut MetadataMap) {
    if let Some(parent) = TraceParent::current()
        && let Ok(value) = parent.as_str().parse()
    {
        metadata.insert(HEADER, value);
    }
}

/// The span of a call that has come in: below the one that made it. Calls that are part of no trace get none, so that
/// signs of life make no traces of their own.
pub fn call_span(request: &http::Request<()>) -> Span {
    let header = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let Some(parent) = header.and_then(TraceParent::parse) else { return Span::none() };
    let name: String = request.uri().path().chars().skip(1).take(200).collect();
    let span = tracing::info_span!(
        target: "umbra_call",
        "call",
        otel.name = name,
        otel.kind = "server",
        trace_id = tracing::field::Empty
    );
    parent.adopt(&span);
    span
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// The example of W3C Trace Context, section 3.2.
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_what_the_standard_allows_is_one() {
        assert_eq!(TraceParent::parse(PARENT).unwrap().trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            &PARENT.replace('4', "ä"),
            &format!("{PARENT}-more"),
        ] {
            assert_eq!(TraceParent::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_span_below_another_is_of_the_same_trace_and_a_call_carries_it() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("pack");
            let parent = TraceParent::parse(PARENT).unwrap();
            parent.adopt(&span);
            let own = TraceParent::of(&span).unwrap();
            assert_eq!(own.trace_id(), parent.trace_id());
            assert_ne!(own, parent);

            let mut call = tonic::Request::new(());
            span.in_scope(|| carry(call.metadata_mut()));
            assert_eq!(call.metadata().get(HEADER).unwrap(), own.as_str());
            let request = http::Request::builder().uri("/umbra.v1.X/Y").header(HEADER, own.as_str()).body(());
            let below = TraceParent::of(&call_span(&request.unwrap())).unwrap();
            assert_eq!(below.trace_id(), parent.trace_id());
            let untraced = http::Request::builder().uri("/umbra.v1.X/Y").body(()).unwrap();
            assert!(call_span(&untraced).is_none());
        });
    }

    #[test]
    fn without_traces_nothing_is_carried() {
        let mut call = tonic::Request::new(());
        tracing::info_span!("pack").in_scope(|| carry(call.metadata_mut()));
        assert!(call.metadata().is_empty());
        TraceParent::parse(PARENT).unwrap().adopt(&Span::current());
    }
}
