//! Opening a store at a place, with credentials as the provider's own tools find them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};

use super::BlobStore;
use super::endpoint::{self, Endpoint};
use super::error::OpenBlobsError;
use super::place::{Place, Provider};
use crate::files;
use crate::turns::blocking;

/// How long one call goes on trying, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long an answer, or the next piece of one, may take. There is no bound for a whole answer: it may be
/// a data set of many gigabytes.
const SILENCE: Duration = Duration::from_secs(60);
/// The largest bundle of certificates that is read: those of public authorities are a quarter of it.
const MAX_BUNDLE: u64 = 1 << 20;

/// How to reach a store beside what its URL says.
#[derive(Clone)]
pub struct Access {
    /// Where the provider's interface is, as `https://host:port`; else as the environment says, or where
    /// the provider itself has it.
    pub endpoint: Option<String>,
    /// Certificates (PEM) of authorities to trust beside the system's.
    pub authorities: Option<PathBuf>,
    /// Credentials and regions, as environment variables name them. See [`Access::from_environment`].
    pub environment: Vec<(String, String)>,
    /// How long one call goes on trying: then the store is away, and the caller's own patience begins.
    pub patience: Duration,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds secrets.
        let mut shown = f.debug_struct("Access");
        shown.field("endpoint", &self.endpoint).field("authorities", &self.authorities);
        shown.finish_non_exhaustive()
    }
}

impl Default for Access {
    fn default() -> Self {
        Self { endpoint: None, authorities: None, environment: Vec::new(), patience: PATIENCE }
    }
}

impl Access {
    /// With the variables of this process: `AWS_...`, `GOOGLE_...` and `AZURE_...`.
    pub fn from_environment() -> Self {
        let ours = |name: &str| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|start| name.starts_with(start));
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(text).filter(|(name, _)| ours(name)).collect();
        Self { environment, ..Self::default() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The variables that a provider's library knows, in its own spelling.
    fn known<K: std::str::FromStr>(&self, prefix: &str) -> impl Iterator<Item = (K, &str)> {
        let named = self.environment.iter().filter(move |(name, _)| name.starts_with(prefix));
        named.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
    }
}

impl BlobStore {
    /// The store at a place. Nothing is asked of a remote one yet.
    ///
    /// # Errors
    /// [`OpenBlobsError`] if the folder cannot be used, or what is known of a remote store is not enough
    /// or not safe.
    pub async fn open(place: &Place, access: &Access) -> Result<Self, OpenBlobsError> {
        let (provider, bucket, prefix) = match place {
            Place::Folder(folder) => return Self::local(folder).await,
            Place::Memory => return Ok(Self::memory()),
            Place::Bucket { provider, bucket, prefix } => (*provider, bucket, prefix),
        };
        crate::tls::provide();
        let client = client(access).await?;
        let whole = match provider {
            Provider::S3 => s3(bucket, access, client)?,
            Provider::Google => google(bucket, access, client)?,
            Provider::Azure => azure(bucket, access, client)?,
        };
        tracing::info!(%place, "open an object store");
        Ok(Self::over(if prefix.is_empty() {
            whole
        } else {
            Arc::new(PrefixStore::new(whole, prefix.as_str()))
        }))
    }
}

async fn client(access: &Access) -> Result<ClientOptions, OpenBlobsError> {
    let options = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECTING)
        .with_read_timeout(SILENCE);
    let bundle = access.authorities.clone();
    let bundle = bundle.or_else(|| access.variable("AWS_CA_BUNDLE").map(PathBuf::from));
    let Some(path) = bundle else { return Ok(options) };
    let named = path.clone();
    let pem = blocking(move || files::read_bounded(&named, MAX_BUNDLE)).await?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        let message = format!("{} holds no certificate: expected PEM text", path.display());
        return Err(OpenBlobsError::Setup(message));
    }
    Ok(certificates.into_iter().fold(options, ClientOptions::with_root_certificate))
}

fn retries(access: &Access) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 12,
        retry_timeout: access.patience,
    }
}

fn s3(bucket: &str, access: &Access, client: ClientOptions) -> Result<Arc<dyn ObjectStore>, OpenBlobsError> {
    let known = access.known::<AmazonS3ConfigKey>("AWS_");
    let start = AmazonS3Builder::new().with_client_options(client).with_retry(retries(access));
    let mut builder = known.fold(start, |builder, (key, value)| builder.with_config(key, value));
    if let Some(endpoint) = &access.endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    let at = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
    let at = at.iter().find_map(|key| builder.get_config_value(key));
    let allowed = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    if plain(at.as_deref(), allowed, "AWS_ALLOW_HTTP")? {
        builder = builder.with_allow_http(true);
    }
    Ok(Arc::new(builder.with_bucket_name(bucket).build().map_err(setup)?))
}

fn google(
    bucket: &str,
    access: &Access,
    client: ClientOptions,
) -> Result<Arc<dyn ObjectStore>, OpenBlobsError> {
    let known = access.known::<GoogleConfigKey>("GOOGLE_");
    let start = GoogleCloudStorageBuilder::new().with_client_options(client).with_retry(retries(access));
    let mut builder = known.fold(start, |builder, (key, value)| builder.with_config(key, value));
    if let Some(endpoint) = &access.endpoint {
        builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
    }
    let at = builder.get_config_value(&GoogleConfigKey::BaseUrl);
    let allow = GoogleConfigKey::Client(ClientConfigKey::AllowHttp);
    if plain(at.as_deref(), builder.get_config_value(&allow), "GOOGLE_ALLOW_HTTP")? {
        builder = builder.with_config(allow, "true");
    }
    Ok(Arc::new(builder.with_bucket_name(bucket).build().map_err(setup)?))
}

fn azure(
    container: &str,
    access: &Access,
    client: ClientOptions,
) -> Result<Arc<dyn ObjectStore>, OpenBlobsError> {
    let known = access.known::<AzureConfigKey>("AZURE_");
    let start = MicrosoftAzureBuilder::new().with_client_options(client).with_retry(retries(access));
    let mut builder = known.fold(start, |builder, (key, value)| builder.with_config(key, value));
    if let Some(endpoint) = &access.endpoint {
        builder = builder.with_config(AzureConfigKey::Endpoint, endpoint);
    }
    let at = builder.get_config_value(&AzureConfigKey::Endpoint);
    let allowed = builder.get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp));
    if plain(at.as_deref(), allowed, "AZURE_ALLOW_HTTP")? {
        builder = builder.with_allow_http(true);
    }
    Ok(Arc::new(builder.with_container_name(container).build().map_err(setup)?))
}

/// Whether the endpoint is to be spoken to without encryption. Off this machine that takes a word of its
/// own: credentials are signed with, but bytes of patients would go in the clear.
fn plain(endpoint: Option<&str>, allowed: Option<String>, variable: &str) -> Result<bool, OpenBlobsError> {
    let Some(text) = endpoint else { return Ok(false) };
    match endpoint::classify(text) {
        Endpoint::Encrypted => Ok(false),
        Endpoint::PlainLoopback => Ok(true),
        Endpoint::Plain if allowed.as_deref() == Some("true") => Ok(true),
        Endpoint::Plain => Err(OpenBlobsError::Setup(format!(
            "the endpoint {text:.200} is not encrypted: use https://, or set {variable}=true if its network \
             may see what is stored"
        ))),
        Endpoint::Unknown => Err(OpenBlobsError::Setup(format!(
            "the endpoint \"{}\" is no URL: use https://host or https://host:port",
            text.chars().take(120).filter(|c| !c.is_control()).collect::<String>()
        ))),
    }
}

fn setup(error: object_store::Error) -> OpenBlobsError {
    OpenBlobsError::Setup(format!("the object store cannot be set up: {error}"))
}
