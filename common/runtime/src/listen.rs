//! Where a daemon listens: checked before anything is bound, and published once it is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use tokio::net::TcpListener;

use crate::files::{self, FileError, Privacy};

/// A listen address that cannot be used, in one sentence with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not an address.
    #[error(
        "listen address \"{0}\" is not IP:PORT: write one such as 127.0.0.1:7400 or [::1]:7400 (port 0 takes a free one)"
    )]
    Malformed(String),
    /// Reachable from other machines, but in the clear.
    #[error(
        "refusing to listen on {0} without TLS, since others could read patient data: configure a certificate \
         and key, or listen on 127.0.0.1"
    )]
    NeedsTls(SocketAddr),
    /// The port is taken.
    #[error(
        "cannot listen on {0}: another process has this port; stop it, choose another port, or use port 0"
    )]
    Taken(SocketAddr),
    /// The system does not let this user have the port.
    #[error("cannot listen on {0}: permission denied; choose a port from 1024 up")]
    Denied(SocketAddr),
    /// No interface of this machine has the address.
    #[error(
        "cannot listen on {0}: this machine does not have that address; use one of its own, or 127.0.0.1"
    )]
    NotOurs(SocketAddr),
    /// Anything else the system says.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Whether traffic of a port is encrypted and its peers known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// TLS is configured.
    Tls,
    /// In the clear: loopback only.
    None,
}

/// A checked listen address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddr(SocketAddr);

impl ListenAddr {
    /// Reads `IP:PORT`, `[IPv6]:PORT` or `localhost:PORT`.
    ///
    /// # Errors
    /// [`ListenError::Malformed`], or [`ListenError::NeedsTls`] for a non-loopback address in the clear.
    pub fn parse(text: &str, cover: Cover) -> Result<Self, ListenError> {
        let malformed = || ListenError::Malformed(text.chars().take(80).collect());
        let address = match text.strip_prefix("localhost:") {
            Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().map_err(|_| malformed())?)),
            None => text.parse().map_err(|_| malformed())?,
        };
        Self::try_new(address, cover)
    }

    /// Checks an address.
    ///
    /// # Errors
    /// [`ListenError::NeedsTls`] for a non-loopback address in the clear.
    pub fn try_new(address: SocketAddr, cover: Cover) -> Result<Self, ListenError> {
        match cover {
            Cover::None if !address.ip().to_canonical().is_loopback() => Err(ListenError::NeedsTls(address)),
            _ => Ok(Self(address)),
        }
    }

    /// A free port on loopback.
    pub const fn any_loopback() -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))
    }

    /// The address; its port may be 0.
    pub const fn address(&self) -> SocketAddr {
        self.0
    }

    /// Listens. The listener's `local_addr` names the port taken for port 0.
    ///
    /// # Errors
    /// A [`ListenError`] that says what to do.
    pub async fn bind(&self) -> Result<TcpListener, ListenError> {
        let address = self.0;
        TcpListener::bind(address).await.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken(address),
            io::ErrorKind::PermissionDenied => ListenError::Denied(address),
            io::ErrorKind::AddrNotAvailable => ListenError::NotOurs(address),
            _ => ListenError::Other { address, source },
        })
    }
}

/// Writes a bound address and a line end to a file, whole or not at all, so that scripts can wait for
/// the file and read it.
///
/// # Errors
/// [`FileError`] if the file cannot be written.
pub fn write_address_file(path: &Path, bound: SocketAddr) -> Result<(), FileError> {
    files::write_atomic(path, format!("{bound}\n").as_bytes(), Privacy::Public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_tls() {
        for good in ["127.0.0.1:0", "127.1.2.3:80", "[::1]:7400", "[::ffff:127.0.0.1]:1", "localhost:7400"] {
            assert!(ListenAddr::parse(good, Cover::None).is_ok(), "{good}");
        }
        for open in ["0.0.0.0:7400", "[::]:7400", "192.168.1.4:7400"] {
            let error = ListenAddr::parse(open, Cover::None).unwrap_err();
            assert!(error.to_string().starts_with(&format!("refusing to listen on {open} without TLS")));
            assert!(ListenAddr::parse(open, Cover::Tls).is_ok(), "{open}");
        }
        for bad in ["", "7400", ":7400", "127.0.0.1", "127.0.0.1:99999", "localhost:", "example.org:80"] {
            assert!(matches!(ListenAddr::parse(bad, Cover::Tls), Err(ListenError::Malformed(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_named_and_a_free_one_published() {
        let first = ListenAddr::any_loopback().bind().await.unwrap();
        let bound = first.local_addr().unwrap();
        assert_ne!(bound.port(), 0);
        let again = ListenAddr::try_new(bound, Cover::None).unwrap().bind().await;
        assert!(matches!(again, Err(ListenError::Taken(address)) if address == bound), "{again:?}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("address");
        write_address_file(&path, bound).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{bound}\n"));
    }
}
