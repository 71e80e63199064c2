//! The coordinator's address.

use std::fmt;
use std::net::IpAddr;

use tonic::transport::Uri;

/// Where clients and workers look for the coordinator unless told otherwise.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:7443";

/// A checked address of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    encrypted: bool,
}

/// The addresses of the coordinators of one cluster: any of them leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrls(Vec<ServerUrl>);

/// An address that cannot be used, in one sentence with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServer {
    /// Not an address.
    #[error("server \"{0}\" is not an address: write one such as {DEFAULT_SERVER} or https://host:7443")]
    Malformed(String),
    /// Another machine, in the clear.
    #[error(
        "server \"{0}\" is another machine and would see patient data and the token in the clear: use https://"
    )]
    NeedsTls(String),
    /// Some with, some without.
    #[error("server \"{0}\" mixes http:// and https://: use one of them")]
    Mixed(String),
    /// Too many.
    #[error("server \"{0}\" names {1} coordinators: name {most} at most", most = ServerUrls::MOST)]
    TooMany(String, usize),
}

impl ServerUrls {
    /// The most coordinators of a cluster.
    pub const MOST: usize = 16;

    /// Checks `URL` or `URL,URL,...`.
    ///
    /// # Errors
    /// [`InvalidServer`].
    pub fn parse(text: &str) -> Result<Self, InvalidServer> {
        let shown = || text.chars().take(80).collect::<String>();
        let urls: Vec<_> =
            text.split(',').map(|url| ServerUrl::parse(url.trim())).collect::<Result<_, _>>()?;
        if urls.len() > Self::MOST {
            return Err(InvalidServer::TooMany(shown(), urls.len()));
        }
        if urls.iter().any(|url| url.is_encrypted() != urls[0].is_encrypted()) {
            return Err(InvalidServer::Mixed(shown()));
        }
        Ok(Self(urls))
    }

    /// The addresses; at least one.
    pub fn all(&self) -> &[ServerUrl] {
        &self.0
    }

    /// Whether traffic is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.iter().all(ServerUrl::is_encrypted)
    }
}

impl From<ServerUrl> for ServerUrls {
    fn from(url: ServerUrl) -> Self {
        Self(vec![url])
    }
}

impl fmt::Display for ServerUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&urls.join(","))
    }
}

impl ServerUrl {
    /// Checks `http://HOST:PORT` (loopback only) or `https://HOST:PORT`.
    ///
    /// # Errors
    /// [`InvalidServer`].
    pub fn parse(text: &str) -> Result<Self, InvalidServer> {
        let shown = || text.chars().take(80).collect::<String>();
        let malformed = || InvalidServer::Malformed(shown());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
        let has_path = !matches!(uri.path(), "" | "/") || uri.query().is_some();
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if uri.port_u16().is_none() || has_path || has_user {
            return Err(malformed());
        }
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(malformed()),
        };
        if !encrypted && !is_loopback(host) {
            return Err(InvalidServer::NeedsTls(shown()));
        }
        Ok(Self { text: text.trim_end_matches('/').to_owned(), encrypted })
    }

    /// Whether traffic is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_in_the_clear() {
        for good in ["http://127.0.0.1:7443", "http://localhost:1/", "http://[::1]:7443", "https://host:7443"]
        {
            assert!(ServerUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "host",
            "127.0.0.1:7443",
            "http://127.0.0.1",
            "ftp://host:1",
            "http://localhost:1/x",
            "https://u:p@host:1",
            "http://127.0.0.1:99999",
        ] {
            assert!(matches!(ServerUrl::parse(bad), Err(InvalidServer::Malformed(_))), "{bad}");
        }
        for open in ["http://10.0.0.1:7443", "http://host:7443", "http://127.0.0.1.example.org:1"] {
            assert!(matches!(ServerUrl::parse(open), Err(InvalidServer::NeedsTls(_))), "{open}");
        }
        assert_eq!(ServerUrl::parse("http://localhost:1/").unwrap().to_string(), "http://localhost:1");
    }

    #[test]
    fn several_coordinators_are_named_with_commas() {
        let several = ServerUrls::parse("https://a:1, https://b:2/").unwrap();
        assert_eq!((several.all().len(), several.is_encrypted()), (2, true));
        assert_eq!(several.to_string(), "https://a:1,https://b:2");
        assert!(matches!(ServerUrls::parse("http://localhost:1,https://b:2"), Err(InvalidServer::Mixed(_))));
        assert!(matches!(ServerUrls::parse("https://a:1,"), Err(InvalidServer::Malformed(_))));
        let many = ["https://a:1"; 17].join(",");
        assert!(matches!(ServerUrls::parse(&many), Err(InvalidServer::TooMany(_, 17))));
    }
}
