//! A collector of traces: the service of the OpenTelemetry protocol, keeping what it is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A span that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Who sent it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The trace it is part of.
    pub trace: Vec<u8>,
    /// Its id.
    pub id: Vec<u8>,
    /// The span above it.
    pub parent: Vec<u8>,
    /// Its attributes and those of its events, as text.
    pub attributes: Vec<(String, String)>,
}

impl Sent {
    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What has arrived.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Sent>>>);

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.into_inner().resource_spans {
            let of = texts(resource.resource.unwrap_or_default().attributes);
            let service = of.into_iter().find(|(key, _)| key == "service.name").map(|(_, value)| value);
            let service = service.unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let events = span.events.into_iter().flat_map(|event| texts(event.attributes));
                kept.push(Sent {
                    service: service.clone(),
                    name: span.name,
                    trace: span.trace_id,
                    id: span.span_id,
                    parent: span.parent_span_id,
                    attributes: texts(span.attributes).into_iter().chain(events).collect(),
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |value: any_value::Value| match value {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pair = |pair: KeyValue| {
        let value = pair.value.and_then(|value| value.value).map(text).unwrap_or_default();
        (pair.key, value)
    };
    attributes.into_iter().map(pair).collect()
}

/// A collector that runs.
pub struct Collector {
    /// Where.
    pub address: SocketAddr,
    kept: Kept,
    _runtime: Runtime,
}

impl Collector {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let kept = Kept::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(kept.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, kept, _runtime: runtime }
    }

    /// What has arrived until now.
    pub fn spans(&self) -> Vec<Sent> {
        self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
