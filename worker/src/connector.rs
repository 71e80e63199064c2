//! The way to the coordinators, of which one leads: addresses, TLS where asked for, and the token that every call carries.

use std::time::Duration;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use umbra_proto::MAX_MESSAGE;
use umbra_proto::error::LEADER_HEADER;
use umbra_proto::v1::worker_service_client::WorkerServiceClient;
use umbra_runtime::{Bearer, Following, Servers, TlsFiles, Token};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer is asked for a sign of life this often ...
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// ... and counts as dead after this much silence.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the coordinator's worker service.
pub(crate) type Client = WorkerServiceClient<InterceptedService<Following, Bearer>>;

/// Makes connections to the coordinator that leads.
#[derive(Clone)]
pub struct Connector {
    addresses: Vec<String>,
    tls: Option<TlsFiles>,
    servers: Servers,
    bearer: Bearer,
}

/// An address, TLS material or token that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The address is not a URI that names a host.
    #[error(
        "the coordinator's address \"{address}\" cannot be used: write http://HOST:PORT or https://HOST:PORT"
    )]
    Address {
        /// The address.
        address: String,
    },
    /// No address at all.
    #[error("no address of a coordinator is given: write http://HOST:PORT or https://HOST:PORT")]
    Nowhere,
    /// Address and TLS material contradict each other.
    #[error("the coordinator's address \"{address}\" and the TLS settings do not fit: {remedy}")]
    Mismatch {
        /// The address.
        address: String,
        /// What to change.
        remedy: &'static str,
    },
    /// The TLS material cannot be used.
    #[error("the TLS material for the coordinator cannot be used: {reason}")]
    Tls {
        /// What the library says.
        reason: String,
    },
}

impl Connector {
    /// The way to the coordinators at `addresses` (`http://host:port`, or `https://host:port` with TLS), and to
    /// whichever of their cluster leads. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ConnectorError`] naming what cannot be used.
    pub fn try_new<A: AsRef<str>>(
        addresses: &[A],
        tls: Option<&TlsFiles>,
        token: Option<&Token>,
    ) -> Result<Self, ConnectorError> {
        let bearer = Bearer::new(token);
        let addresses: Vec<String> = addresses.iter().map(|address| address.as_ref().to_owned()).collect();
        let tls = tls.cloned();
        let servers = servers(&addresses, tls.as_ref(), Endpoint::connect_lazy)?;
        Ok(Self { addresses, tls, servers, bearer })
    }

    /// The same over another transport, such as a simulated network: `dial` makes a channel that
    /// connects, again and again, when it is used
    /// ([`Endpoint::connect_with_connector_lazy`] does so for any tower connector).
    #[must_use]
    pub fn with_transport(self, dial: impl Fn(&Endpoint) -> Channel + Send + Sync + 'static) -> Self {
        let servers = servers(&self.addresses, self.tls.as_ref(), dial);
        Self { servers: servers.expect("the addresses were good before"), ..self }
    }

    /// A client with a connection of its own, made when it is used and again after a break.
    pub(crate) fn client(&self) -> Client {
        WorkerServiceClient::with_interceptor(self.servers.connection(), self.bearer.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// The address that is called now, for logs.
    pub(crate) fn address(&self) -> Uri {
        self.servers.current()
    }
}

/// Coordinators at these addresses; one that another names is used if it is as safe to talk to.
fn servers(
    addresses: &[String],
    tls: Option<&TlsFiles>,
    dial: impl Fn(&Endpoint) -> Channel + Send + Sync + 'static,
) -> Result<Servers, ConnectorError> {
    let mut endpoints =
        addresses.iter().map(|address| endpoint(address, tls)).collect::<Result<Vec<_>, _>>()?.into_iter();
    let first = endpoints.next().ok_or(ConnectorError::Nowhere)?;
    let known = tls.cloned();
    let make = move |name: &str| endpoint(name, known.as_ref()).ok();
    Ok(Servers::new(first, endpoints, LEADER_HEADER, make, dial))
}

fn endpoint(address: &str, tls: Option<&TlsFiles>) -> Result<Endpoint, ConnectorError> {
    let wrong_address = || ConnectorError::Address { address: address.to_owned() };
    let uri: Uri = address.parse().map_err(|_| wrong_address())?;
    let secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong_address()),
    };
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong_address());
    }
    let mismatch = |remedy| ConnectorError::Mismatch { address: address.to_owned(), remedy };
    let mut endpoint = Endpoint::from(uri);
    match (secure, tls) {
        (false, None) => {}
        (true, Some(tls)) if tls.authorities.is_some() => {
            endpoint = endpoint
                .tls_config(tls.client())
                .map_err(|error| ConnectorError::Tls { reason: error.to_string() })?;
        }
        (true, _) => return Err(mismatch("https needs the authorities to trust")),
        (false, Some(_)) => return Err(mismatch("TLS needs an address that begins with https://")),
    }
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_in_words() {
        for wrong in ["", "localhost:7070", "ftp://host:1", "http://", "http://a b"] {
            let error = Connector::try_new(&[wrong], None, None).err().map(|error| error.to_string());
            assert!(error.is_some_and(|text| text.contains("http://HOST:PORT")), "{wrong}");
        }
        assert!(Connector::try_new(&["http://127.0.0.1:7070", "http://127.0.0.1:7071"], None, None).is_ok());
        assert!(matches!(Connector::try_new::<&str>(&[], None, None), Err(ConnectorError::Nowhere)));
        let tls = TlsFiles::default();
        for (address, tls) in
            [("http://host:1", Some(&tls)), ("https://host:1", Some(&tls)), ("https://host:1", None)]
        {
            let error = Connector::try_new(&[address], tls, None).err();
            assert!(matches!(error, Some(ConnectorError::Mismatch { .. })), "{address}");
        }
    }
}
