//! How etcd is reached, checked before anything is sent.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tonic::transport::Uri;
use umbra_runtime::TlsFiles;

/// The prefix of a store that is given none.
const PREFIX: &str = "umbra/";

/// The greatest length of a prefix, in bytes: three times 127 of them fit into a request beside the largest
/// transaction.
const MAX_PREFIX_BYTES: usize = 128;

/// Seconds a leader may be silent, unless told otherwise: another one leads in less than ten.
const LEASE_S: u64 = 5;

/// The bounds of a lease in seconds. etcd itself raises what is shorter than its elections.
const LEASES_S: std::ops::RangeInclusive<u64> = 2..=300;

/// Where etcd is and how to talk to it.
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    endpoints: Vec<String>,
    prefix: String,
    user: Option<EtcdUser>,
    tls: Option<TlsFiles>,
    lease: Duration,
}

/// Who asks.
#[derive(Clone)]
pub struct EtcdUser {
    /// The name.
    pub name: String,
    /// The password; `Debug` hides it.
    pub password: String,
}

impl fmt::Debug for EtcdUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdUser").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Options that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEtcdOptions {
    /// No endpoint.
    #[error("no etcd endpoint is given: name at least one, such as http://127.0.0.1:2379")]
    NoEndpoint,
    /// A text that is no endpoint.
    #[error(
        "\"{0}\" is not an etcd endpoint: use http://HOST:PORT or https://HOST:PORT, several with commas between"
    )]
    Endpoint(String),
    /// Some endpoints speak TLS and some do not.
    #[error("etcd endpoints with and without TLS are mixed: use https:// for all or for none")]
    MixedEndpoints,
    /// Another machine, in the clear.
    #[error("{0} is another machine, and the audits' seeds would travel in the clear: use https://")]
    InTheClear(String),
    /// Material for TLS, and no endpoint that speaks it.
    #[error("{0} speaks no TLS although a certificate is given: use https://, or give none")]
    PlainEndpoint(String),
    /// An endpoint that speaks TLS, and nobody to trust.
    #[error("{0} speaks TLS: give the authority (PEM) that its certificate comes from")]
    NoAuthority(String),
    /// A prefix that is none.
    #[error("\"{0}\" is not a prefix of keys: use 1 to 128 bytes without control characters, such as umbra/")]
    Prefix(String),
    /// A user without a name.
    #[error("the etcd user has no name: give one, or no password either")]
    NoUser,
    /// A lease out of its bounds.
    #[error("a leader's lease of {0} s is out of range: use 2 to 300")]
    Lease(u64),
}

impl EtcdOptions {
    /// The options for these endpoints, with everything else as it is by default.
    ///
    /// # Errors
    /// [`InvalidEtcdOptions`] if there is none, or one that is not `http://HOST:PORT` or `https://HOST:PORT`.
    pub fn try_new<T: AsRef<str>>(endpoints: &[T]) -> Result<Self, InvalidEtcdOptions> {
        let endpoints: Vec<String> =
            endpoints.iter().map(|text| endpoint(text.as_ref())).collect::<Result<_, _>>()?;
        let secure = endpoints.iter().filter(|endpoint| is_secure(endpoint)).count();
        if endpoints.is_empty() {
            return Err(InvalidEtcdOptions::NoEndpoint);
        }
        if secure != 0 && secure != endpoints.len() {
            return Err(InvalidEtcdOptions::MixedEndpoints);
        }
        let lease = Duration::from_secs(LEASE_S);
        Ok(Self { endpoints, prefix: PREFIX.to_owned(), user: None, tls: None, lease })
    }

    /// Keeps everything under another prefix; `/` is added to one that does not end so.
    ///
    /// # Errors
    /// [`InvalidEtcdOptions::Prefix`] unless it has 1 to 128 bytes without control characters.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, InvalidEtcdOptions> {
        let body = prefix.strip_suffix('/').unwrap_or(prefix);
        if body.is_empty() || body.len() >= MAX_PREFIX_BYTES || body.chars().any(char::is_control) {
            let shown = prefix.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect();
            return Err(InvalidEtcdOptions::Prefix(shown));
        }
        self.prefix = format!("{body}/");
        Ok(self)
    }

    /// Asks as this user.
    ///
    /// # Errors
    /// [`InvalidEtcdOptions::NoUser`] if the name is empty.
    pub fn with_user(mut self, user: EtcdUser) -> Result<Self, InvalidEtcdOptions> {
        if user.name.is_empty() {
            return Err(InvalidEtcdOptions::NoUser);
        }
        self.user = Some(user);
        Ok(self)
    }

    /// Speaks TLS: whom to trust, and who this side is where etcd asks for it.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsFiles) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How many seconds a leader may be silent before another one leads.
    ///
    /// # Errors
    /// [`InvalidEtcdOptions::Lease`] unless it is 2 to 300.
    pub fn with_lease(mut self, seconds: u64) -> Result<Self, InvalidEtcdOptions> {
        if !LEASES_S.contains(&seconds) {
            return Err(InvalidEtcdOptions::Lease(seconds));
        }
        self.lease = Duration::from_secs(seconds);
        Ok(self)
    }

    /// Checks what hangs together: endpoints with TLS and whom to trust.
    ///
    /// # Errors
    /// [`InvalidEtcdOptions`] if one is there without the other.
    pub fn check(&self) -> Result<(), InvalidEtcdOptions> {
        let first = self.endpoints[0].clone();
        let trusts = self.tls.as_ref().is_some_and(|tls| tls.authorities.is_some());
        match (is_secure(&first), &self.tls) {
            (true, _) if !trusts => Err(InvalidEtcdOptions::NoAuthority(first)),
            (false, Some(_)) => Err(InvalidEtcdOptions::PlainEndpoint(first)),
            (true, _) => Ok(()),
            (false, None) => match self.endpoints.iter().find(|endpoint| !is_here(endpoint)) {
                Some(open) => Err(InvalidEtcdOptions::InTheClear(open.clone())),
                None => Ok(()),
            },
        }
    }

    /// The endpoints; at least one.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn user(&self) -> Option<&EtcdUser> {
        self.user.as_ref()
    }

    pub(super) fn tls(&self) -> Option<&TlsFiles> {
        self.tls.as_ref()
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }
}

fn is_secure(endpoint: &str) -> bool {
    endpoint.starts_with("https://")
}

/// Whether it is on this machine.
fn is_here(endpoint: &str) -> bool {
    endpoint.parse::<Uri>().is_ok_and(|uri| {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    })
}

/// The endpoint without its last `/`, if it is one.
fn endpoint(text: &str) -> Result<String, InvalidEtcdOptions> {
    let text = text.trim();
    let good = text.parse::<Uri>().is_ok_and(|uri| {
        let whole = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        matches!(uri.scheme_str(), Some("http" | "https")) && whole && uri.port_u16().is_some() && bare
    });
    if good {
        Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
    } else {
        // Somebody may have written a password into it.
        let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
        Err(InvalidEtcdOptions::Endpoint(shown.chars().filter(|c| !c.is_control()).take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_checked() {
        for good in ["http://127.0.0.1:2379", "https://etcd-0.etcd:2379/", " http://[::1]:2379"] {
            let options = EtcdOptions::try_new(&[good]).unwrap();
            assert_eq!(options.endpoints(), [good.trim().trim_end_matches('/')]);
        }
        for bad in
            ["", "127.0.0.1:2379", "http://host", "ftp://host:1", "http://host:1/path", "http://a:b@host:1"]
        {
            let error = EtcdOptions::try_new(&[bad]).unwrap_err();
            assert!(matches!(error, InvalidEtcdOptions::Endpoint(_)), "{bad}: {error}");
            assert!(!error.to_string().contains("a:b"), "{error}");
        }
        assert_eq!(EtcdOptions::try_new::<&str>(&[]).unwrap_err(), InvalidEtcdOptions::NoEndpoint);
        let mixed = EtcdOptions::try_new(&["http://a:1", "https://b:1"]).unwrap_err();
        assert_eq!(mixed, InvalidEtcdOptions::MixedEndpoints);
    }

    #[test]
    fn the_rest_is_checked() {
        let plain = || EtcdOptions::try_new(&["http://[::1]:1", "http://localhost:1"]).unwrap();
        assert_eq!(plain().with_prefix("a/b").unwrap().prefix(), "a/b/");
        assert_eq!(plain().with_prefix(&"p".repeat(127)).unwrap().prefix().len(), 128);
        for bad in ["", "/", "a\nb", &"p".repeat(128)] {
            assert!(plain().with_prefix(bad).is_err(), "{bad:?}");
        }
        for bad in [0, 1, 301] {
            assert_eq!(plain().with_lease(bad).unwrap_err(), InvalidEtcdOptions::Lease(bad));
        }
        let user = EtcdUser { name: String::new(), password: "secret".into() };
        assert!(!format!("{user:?}").contains("secret"));
        assert_eq!(plain().with_user(user).unwrap_err(), InvalidEtcdOptions::NoUser);

        let secure = EtcdOptions::try_new(&["https://a:1"]).unwrap();
        let trusting = TlsFiles { authorities: Some(Vec::new()), ..TlsFiles::default() };
        assert!(plain().check().is_ok() && secure.clone().with_tls(trusting.clone()).check().is_ok());
        for (options, expected) in [
            (plain().with_tls(trusting), "http://[::1]:1 speaks no TLS"),
            (EtcdOptions::try_new(&["http://127.0.0.1:1", "http://b:1"]).unwrap(), "http://b:1 is another"),
            (secure.clone(), "https://a:1 speaks TLS: give the authority"),
            (secure.with_tls(TlsFiles::default()), "https://a:1 speaks TLS: give the authority"),
        ] {
            let error = options.check().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
