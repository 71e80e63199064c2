//! Settings of the meta store: embedded, or etcd for several coordinators.

use std::path::Path;

#[cfg(feature = "etcd")]
use umbra_coordinator::store::{EtcdOptions, EtcdUser, InvalidEtcdOptions};
use umbra_runtime::TlsFiles;
use umbra_runtime::files::{self, FileError};
use umbra_runtime::tls::{TlsError, TlsPaths};

use super::{Daemon, Layers, Setting};

/// The largest file with a password that is read, in bytes.
const PASSWORD_LIMIT: u64 = 4096;

/// Where the coordinator keeps what it must not forget.
#[derive(Debug, Clone)]
pub enum Meta {
    /// In a file of the state folder.
    Embedded,
    /// In etcd.
    #[cfg(feature = "etcd")]
    Etcd(EtcdOptions),
}

const fn setting(
    [key, flag, variable]: [&'static str; 3],
    value: &'static str,
    help: &'static str,
    default: Option<&'static str>,
) -> Setting {
    Setting { key, flag, variable, value, help, default }
}

/// Which store it is.
pub const META: Setting = setting(
    ["meta", "meta", "UMBRA_META"],
    "KIND",
    "Where its small state is kept: embedded (in the state folder) or etcd (for several coordinators)",
    Some("embedded"),
);

/// Where etcd is.
pub const ENDPOINTS: Setting = setting(
    ["etcd_endpoints", "etcd-endpoints", "UMBRA_ETCD_ENDPOINTS"],
    "URL,URL",
    "Where the nodes of etcd answer, such as https://etcd-0:2379,https://etcd-1:2379",
    None,
);

/// Under which keys.
pub const PREFIX: Setting = setting(
    ["etcd_prefix", "etcd-prefix", "UMBRA_ETCD_PREFIX"],
    "PREFIX",
    "What all keys in etcd begin with; the same for all coordinators of a cluster",
    Some("umbra/"),
);

/// Who asks.
pub const USER: Setting =
    setting(["etcd_user", "etcd-user", "UMBRA_ETCD_USER"], "NAME", "Who the coordinator is to etcd", None);

/// How it proves that.
pub const PASSWORD: Setting = setting(
    ["etcd_password_file", "etcd-password-file", "UMBRA_ETCD_PASSWORD_FILE"],
    "FILE",
    "The file with that user's password",
    None,
);

/// Whom it trusts.
pub const AUTHORITIES: Setting = setting(
    ["etcd_ca", "etcd-ca", "UMBRA_ETCD_CA"],
    "FILE",
    "Certificates (PEM) of the authorities that etcd's certificates come from; needed for https://",
    None,
);

/// Its certificate.
pub const CERTIFICATE: Setting = setting(
    ["etcd_cert", "etcd-cert", "UMBRA_ETCD_CERT"],
    "FILE",
    "The certificate chain (PEM) to show to etcd, where it asks for one",
    None,
);

/// The certificate's key.
pub const KEY: Setting =
    setting(["etcd_key", "etcd-key", "UMBRA_ETCD_KEY"], "FILE", "The key of that certificate (PEM)", None);

/// How long a leader may be silent.
pub const LEASE: Setting = setting(
    ["etcd_lease", "etcd-lease", "UMBRA_ETCD_LEASE"],
    "SECONDS",
    "How long a leading coordinator may be silent before another one leads",
    Some("5"),
);

/// What belongs to etcd alone.
const OF_ETCD: [Setting; 8] = [ENDPOINTS, PREFIX, USER, PASSWORD, AUTHORITIES, CERTIFICATE, KEY, LEASE];

/// A file that holds no password. What it holds is never repeated.
#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("it holds no password: write one line of UTF-8 text")]
    Malformed,
}

/// The store and how to reach it.
pub fn read<D: Daemon>(layers: &Layers<'_, D>) -> Option<Meta> {
    let kind = layers.text(META.key).unwrap_or_else(|| "embedded".to_owned());
    let given = Given::read(layers);
    match kind.as_str() {
        "embedded" => {
            for setting in OF_ETCD.iter().filter(|setting| given.keys.contains(&setting.key)) {
                layers.mistake(setting.key, "it is of no use without meta = etcd");
            }
            Some(Meta::Embedded)
        }
        "etcd" => given.etcd(layers),
        other => {
            let shown: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
            layers.mistake(META.key, format!("\"{shown}\" is no meta store: use embedded or etcd"));
            None
        }
    }
}

/// What is given for etcd; everything is asked for in any case, so that every key of a file is known.
struct Given {
    keys: Vec<&'static str>,
    endpoints: Option<String>,
    prefix: Option<String>,
    user: Option<String>,
    password: Option<String>,
    tls: Option<TlsFiles>,
    lease: Option<u64>,
}

impl Given {
    fn read<D: Daemon>(layers: &Layers<'_, D>) -> Self {
        let mut keys = Vec::new();
        let mut note = |setting: Setting, is_given: bool| {
            if is_given {
                keys.push(setting.key);
            }
        };
        let texts = [ENDPOINTS, PREFIX, USER].map(|setting| {
            let text = layers.text(setting.key);
            note(setting, text.is_some());
            text
        });
        let paths = [PASSWORD, AUTHORITIES, CERTIFICATE, KEY].map(|setting| {
            let path = layers.path(setting.key);
            note(setting, path.is_some());
            path
        });
        let lease = layers.number(LEASE.key, 2..=300);
        note(LEASE, lease.is_some());
        let [endpoints, prefix, user] = texts;
        let [password, authorities, certificate, key] = paths;
        let password = password.and_then(|path| layers.keep(PASSWORD.key, read_password(&path)));
        let wants_tls = authorities.is_some() || certificate.is_some() || key.is_some();
        let tls = TlsFiles::load(&TlsPaths { certificate, key, authorities });
        let place = |error: &TlsError| match error {
            TlsError::Incomplete { given: "key", .. } => KEY.key,
            TlsError::Incomplete { .. } => CERTIFICATE.key,
            _ => AUTHORITIES.key,
        };
        let tls = tls.map_err(|error| layers.mistake(place(&error), error.to_string())).ok();
        Self { keys, endpoints, prefix, user, password, tls: tls.filter(|_| wants_tls), lease }
    }

    #[cfg(feature = "etcd")]
    fn etcd<D: Daemon>(self, layers: &Layers<'_, D>) -> Option<Meta> {
        let Some(endpoints) = self.endpoints else {
            layers.mistake(ENDPOINTS.key, "missing: name the nodes of etcd, such as http://127.0.0.1:2379");
            return None;
        };
        let has_password = self.keys.contains(&PASSWORD.key);
        match (&self.user, has_password) {
            (Some(_), false) => layers.mistake(PASSWORD.key, "missing: a user needs a password"),
            (None, true) => layers.mistake(USER.key, "missing: a password needs a user"),
            _ => {}
        }
        let endpoints: Vec<&str> = endpoints.split(',').collect();
        let mut options = layers.keep(ENDPOINTS.key, EtcdOptions::try_new(&endpoints))?;
        if let Some(prefix) = self.prefix {
            options = layers.keep(PREFIX.key, options.with_prefix(&prefix))?;
        }
        if let Some(seconds) = self.lease {
            options = layers.keep(LEASE.key, options.with_lease(seconds))?;
        }
        if let (Some(name), Some(password)) = (self.user, self.password) {
            options = layers.keep(USER.key, options.with_user(EtcdUser { name, password }))?;
        }
        if let Some(tls) = self.tls {
            options = options.with_tls(tls);
        }
        let place = |error: &InvalidEtcdOptions| match error {
            InvalidEtcdOptions::NoAuthority(_) => AUTHORITIES.key,
            _ => ENDPOINTS.key,
        };
        options.check().map_err(|error| layers.mistake(place(&error), error.to_string())).ok()?;
        Some(Meta::Etcd(options))
    }

    #[cfg(not(feature = "etcd"))]
    fn etcd<D: Daemon>(self, layers: &Layers<'_, D>) -> Option<Meta> {
        layers.mistake(META.key, "this program was built without etcd: build it with --features etcd");
        None
    }
}

fn read_password(path: &Path) -> Result<String, PasswordError> {
    let bytes = files::read_bounded(path, PASSWORD_LIMIT)?;
    let text = String::from_utf8(bytes).map_err(|_| PasswordError::Malformed)?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(PasswordError::Malformed);
    }
    Ok(line.to_owned())
}
