//! The coordinator as commands see it: a connection, and calls that fail in words.

mod address;
pub mod backup;
mod fault;
pub mod findings;
mod leader;
pub mod pages;
pub mod upload;
pub mod watch;

use std::path::PathBuf;
use std::time::Duration;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
use tonic::{Request, Status};
pub use umbra_proto::convert::request_id;
use umbra_proto::error::LEADER_HEADER;
use umbra_proto::v1::audit_service_client::AuditServiceClient;
use umbra_proto::v1::cluster_service_client::ClusterServiceClient;
use umbra_proto::v1::dataset_service_client::DatasetServiceClient;
use umbra_proto::v1::findings_service_client::FindingsServiceClient;
use umbra_proto::{MAX_MESSAGE, v1};
use umbra_runtime::tls::TlsPaths;
use umbra_runtime::{Bearer, Following, Servers, TlsFiles, Token};

pub use address::{DEFAULT_SERVER, ServerUrl, ServerUrls};

use crate::exit::Failure;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an answer to a single question may take.
const ANSWER: Duration = Duration::from_secs(60);

/// How to reach a coordinator.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Coordinator")]
pub struct ServerArgs {
    /// The coordinator's address; with several coordinators, some or all of them: URL,URL
    #[arg(long, value_name = "URL", env = "UMBRA_SERVER", default_value = DEFAULT_SERVER)]
    server: String,
    /// The file that holds the coordinator's token
    #[arg(long, value_name = "FILE", env = "UMBRA_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) of the authorities that vouch for the coordinator
    #[arg(long, value_name = "FILE", env = "UMBRA_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// This client's certificate (PEM), where the coordinator asks for one
    #[arg(long, value_name = "FILE", env = "UMBRA_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", env = "UMBRA_TLS_KEY")]
    tls_key: Option<PathBuf>,
}

/// A connection to a coordinator. Clones share it.
#[derive(Clone)]
pub struct Remote {
    channel: Calls,
    servers: Servers,
    server: String,
}

type Calls = InterceptedService<Following, Bearer>;

impl ServerArgs {
    /// Checks the arguments and connects to the coordinator that leads.
    ///
    /// # Errors
    /// A wrong address, token or certificate file, or a coordinator that does not answer.
    pub async fn connect(&self) -> Result<Remote, Failure> {
        let (urls, token, tls) = self.read()?;
        Remote::connect(&urls, token.as_ref(), &tls).await
    }

    /// A connection to each coordinator that is named, leading or not; nothing is sent yet.
    ///
    /// # Errors
    /// A wrong address, token or certificate file.
    pub fn each(&self) -> Result<Vec<Remote>, Failure> {
        let (urls, token, tls) = self.read()?;
        let one = |url: &ServerUrl| Remote::new(&url.clone().into(), token.as_ref(), &tls);
        urls.all().iter().map(one).collect()
    }

    fn read(&self) -> Result<(ServerUrls, Option<Token>, TlsFiles), Failure> {
        let urls = ServerUrls::parse(&self.server).map_err(|error| Failure::usage(error.to_string()))?;
        let token = self.token_file.as_deref().map(Token::read).transpose();
        let token = token.map_err(|error| Failure::usage(error.to_string()))?;
        let paths = TlsPaths {
            certificate: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            authorities: self.tls_ca.clone(),
        };
        let tls = TlsFiles::load(&paths).map_err(|error| Failure::usage(error.to_string()))?;
        Ok((urls, token, tls))
    }
}

/// An endpoint for an address, with TLS where the address says so.
///
/// # Errors
/// If certificates or keys cannot be used.
pub fn endpoint(url: &ServerUrl, tls: &TlsFiles) -> Result<Endpoint, Failure> {
    let unusable = |error: tonic::transport::Error| {
        Failure::usage(format!("cannot set up the connection to {url}: {}", fault::causes(&error)))
    };
    let endpoint = Endpoint::from_shared(url.to_string()).map_err(unusable)?;
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .initial_connection_window_size(4 << 20)
        .initial_stream_window_size(2 << 20);
    if !url.is_encrypted() {
        return Ok(endpoint);
    }
    endpoint.tls_config(tls.client()).map_err(unusable)
}

impl Remote {
    /// Connects to the coordinator that leads.
    ///
    /// # Errors
    /// If nothing answers there, or none leads for a while.
    pub async fn connect(urls: &ServerUrls, token: Option<&Token>, tls: &TlsFiles) -> Result<Self, Failure> {
        let remote = Self::new(urls, token, tls)?;
        leader::find(&remote).await?;
        Ok(remote)
    }

    /// A connection that is made when it is used.
    fn new(urls: &ServerUrls, token: Option<&Token>, tls: &TlsFiles) -> Result<Self, Failure> {
        if urls.is_encrypted() && tls.authorities.is_none() {
            let message = format!("{urls} needs --tls-ca: the certificates that vouch for the coordinator");
            return Err(Failure::usage(message));
        }
        let mut endpoints =
            urls.all().iter().map(|url| endpoint(url, tls)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = endpoints.next().expect("there is at least one address");
        // A leader may be one that was not named here, if it is as safe to talk to.
        let (encrypted, known) = (urls.is_encrypted(), tls.clone());
        let make = move |name: &str| {
            let url = ServerUrl::parse(name).ok().filter(|url| url.is_encrypted() == encrypted)?;
            endpoint(&url, &known).ok()
        };
        let servers = Servers::new(first, endpoints, LEADER_HEADER, make, Endpoint::connect_lazy);
        let channel = InterceptedService::new(servers.connection(), Bearer::new(token));
        Ok(Self { channel, servers, server: urls.to_string() })
    }

    /// The addresses it was made for.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The failure that a call's status is.
    pub fn failure(&self, status: &Status) -> Failure {
        fault::failure(&self.server, status)
    }

    /// Audits.
    pub fn audits(&self) -> AuditServiceClient<Calls> {
        AuditServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Workers.
    pub fn cluster(&self) -> ClusterServiceClient<Calls> {
        ClusterServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Data sets.
    pub fn datasets(&self) -> DatasetServiceClient<Calls> {
        DatasetServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Findings.
    pub fn findings(&self) -> FindingsServiceClient<Calls> {
        FindingsServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// One audit.
    ///
    /// # Errors
    /// If there is none, or the call fails.
    pub async fn audit(&self, id: &str) -> Result<v1::Audit, Failure> {
        let request = v1::GetAuditRequest { id: id.to_owned() };
        let answer = self.call(async || self.audits().get_audit(ask(request.clone())).await).await;
        self.given(answer.map_err(|status| self.failure(&status))?.audit)
    }

    /// What an answer must contain.
    ///
    /// # Errors
    /// If it does not.
    pub fn given<T>(&self, part: Option<T>) -> Result<T, Failure> {
        part.ok_or_else(|| {
            Failure::failed(format!("{} gave an empty answer: is it of another version?", self.server))
        })
    }
}

/// A question that must be answered soon.
pub fn ask<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER);
    request
}
