//! TLS material, read and checked, and how a client uses it.

use std::fmt;
use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig};

use crate::files::{self, FileError};

/// The largest PEM file that is read, in bytes: a bundle of public authorities is a quarter of it.
const LIMIT: u64 = 1 << 20;

/// Where TLS material lies; each part may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsPaths {
    /// This side's certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate, PEM.
    pub key: Option<PathBuf>,
    /// The authorities that the other side's certificate must come from, PEM.
    pub authorities: Option<PathBuf>,
}

/// TLS material as PEM bytes that look right; whether certificate and key fit is for the library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who this side is: needed to serve, and by clients where the server asks for it.
    pub identity: Option<Identity>,
    /// Whom this side trusts. On a server, having it means that clients must show a certificate.
    pub authorities: Option<Vec<u8>>,
}

/// A certificate chain and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The chain, PEM.
    pub certificate: Vec<u8>,
    /// The key, PEM; `Debug` hides it.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// TLS material that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate without its key, or the reverse.
    #[error("TLS has a {given} but no {missing}: configure both or neither")]
    Incomplete {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A file that does not hold what it should.
    #[error("{path} holds no {what}: expected PEM text with a line -----BEGIN {what}-----")]
    NotPem {
        /// The file.
        path: PathBuf,
        /// The label that is missing.
        what: &'static str,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Makes ring the one that does the cryptography of whoever brings none of its own. Safe to call again.
pub fn provide() {
    // An error says that there is one already: this program has no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl TlsFiles {
    /// What a client trusts and shows.
    pub fn client(&self) -> ClientTlsConfig {
        let mut config = ClientTlsConfig::new();
        if let Some(authorities) = &self.authorities {
            config = config.ca_certificate(Certificate::from_pem(authorities));
        }
        if let Some(Identity { certificate, key }) = &self.identity {
            config = config.identity(tonic::transport::Identity::from_pem(certificate, key));
        }
        config
    }

    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file and what is wrong with it.
    pub fn load(paths: &TlsPaths) -> Result<Self, TlsError> {
        let identity = match (&paths.certificate, &paths.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: read_pem(certificate, "CERTIFICATE")?,
                key: read_pem(key, "PRIVATE KEY")?,
            }),
            (Some(_), None) => return Err(TlsError::Incomplete { given: "certificate", missing: "key" }),
            (None, Some(_)) => return Err(TlsError::Incomplete { given: "key", missing: "certificate" }),
        };
        let authorities =
            paths.authorities.as_deref().map(|path| read_pem(path, "CERTIFICATE")).transpose()?;
        Ok(Self { identity, authorities })
    }
}

fn read_pem(path: &Path, what: &'static str) -> Result<Vec<u8>, TlsError> {
    let bytes = files::read_bounded(path, LIMIT)?;
    // RFC 7468 labels; "EC PRIVATE KEY" and "RSA PRIVATE KEY" end alike.
    let has = |mark: &str| {
        std::str::from_utf8(&bytes).is_ok_and(|text| {
            text.lines().any(|line| {
                let label = line.trim().strip_prefix(mark).and_then(|rest| rest.strip_suffix("-----"));
                label.is_some_and(|label| label.ends_with(what))
            })
        })
    };
    if has("-----BEGIN ") && has("-----END ") {
        Ok(bytes)
    } else {
        Err(TlsError::NotPem { path: path.to_owned(), what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_checked_for_what_they_should_hold() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let certificate = write("cert.pem", &pem("CERTIFICATE"));
        let key = write("key.pem", &pem("EC PRIVATE KEY"));
        let load = |certificate: &Option<PathBuf>, key: &Option<PathBuf>| {
            let authorities = None;
            TlsFiles::load(&TlsPaths { certificate: certificate.clone(), key: key.clone(), authorities })
        };

        let files = load(&certificate, &key).unwrap();
        assert_eq!(files.identity.as_ref().unwrap().key, pem("EC PRIVATE KEY").as_bytes());
        assert!(!format!("{files:?}").contains("65"), "a key's bytes are never shown");
        assert!(matches!(load(&certificate, &None), Err(TlsError::Incomplete { missing: "key", .. })));
        let swapped = load(&key, &certificate).unwrap_err();
        assert!(swapped.to_string().contains("key.pem holds no CERTIFICATE"), "{swapped}");
        for wrong in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n", "\u{0}\u{1}"] {
            assert!(
                matches!(load(&write("wrong.pem", wrong), &key), Err(TlsError::NotPem { .. })),
                "{wrong}"
            );
        }
        assert!(matches!(load(&Some(folder.path().join("none")), &key), Err(TlsError::File(_))));
    }
}
