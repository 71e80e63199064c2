//! The simulated network, as coordinators, workers and clients use it.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures::stream::{self, Stream};
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Uri};
use turmoil::net::{TcpListener, TcpStream};

/// Where coordinators listen.
pub const PORT: u16 = 7443;

/// The connections that come in on the host's port.
pub async fn listen() -> io::Result<impl Stream<Item = io::Result<TcpStream>> + Send + 'static> {
    let listener = TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT)).await?;
    Ok(stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    }))
}

/// A channel over the simulated network. Silence is noticed sooner than in real life, so that a history is short.
pub fn dial(endpoint: &Endpoint) -> Channel {
    let connector = tower::service_fn(async |uri: Uri| {
        let host = uri.host().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(PORT);
        TcpStream::connect((host, port)).await.map(TokioIo::new)
    });
    endpoint
        .clone()
        .connect_timeout(Duration::from_secs(2))
        .http2_keep_alive_interval(Duration::from_secs(1))
        .keep_alive_timeout(Duration::from_secs(2))
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector)
}
