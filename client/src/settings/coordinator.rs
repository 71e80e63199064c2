//! Settings of the coordinator.

use std::path::{Path, PathBuf};

use umbra_coordinator::Storage;
use umbra_core::cluster::ClusterConfig;
use umbra_runtime::blobs::{Access, Place};
use umbra_runtime::listen::{Cover, ListenAddr};
use umbra_runtime::tls::TlsPaths;
use umbra_runtime::{TlsFiles, Token};

use super::{Daemon, Flags, Layers, Meta, Setting, blobs, meta};
use crate::exit::Failure;
use crate::remote::ServerUrl;

const LISTEN: &str = "127.0.0.1:7443";
const HTTP: &str = "127.0.0.1:7480";
/// Where the state is unless told otherwise.
pub(super) const STATE: &str = "umbra-state";
const GRACE: u64 = 30;

/// Checked settings of a coordinator.
#[derive(Debug)]
pub struct CoordinatorSettings {
    /// Where gRPC listens.
    pub listen: ListenAddr,
    /// The address others reach it at, if it is not where it listens.
    pub advertise: Option<ServerUrl>,
    /// Where health and metrics are served, in plain HTTP.
    pub http: ListenAddr,
    /// The folder for everything that must survive.
    pub state: PathBuf,
    /// Where blobs are, and how to get there; none: in the state folder.
    pub blobs: Option<(Place, Access)>,
    /// Bounds of what is kept.
    pub storage: Storage,
    /// Where its small state is kept.
    pub meta: Meta,
    /// What callers must know.
    pub token: Option<Token>,
    /// TLS for gRPC.
    pub tls: Option<TlsFiles>,
    /// Times and bounds of the scheduler.
    pub cluster: ClusterConfig,
    /// Seconds a drain may take.
    pub grace: u64,
    /// Where the bound gRPC address is written.
    pub address_file: Option<PathBuf>,
    /// What is logged.
    pub log: Option<String>,
}

impl Daemon for CoordinatorSettings {
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "listen",
            flag: "listen",
            variable: "UMBRA_LISTEN",
            value: "IP:PORT",
            help: "Where clients and workers connect (gRPC); port 0 takes a free one",
            default: Some(LISTEN),
        },
        Setting {
            key: "advertise",
            flag: "advertise",
            variable: "UMBRA_ADVERTISE",
            value: "URL",
            help: "The address under which clients, workers and other coordinators reach this one",
            default: Some("where it listens"),
        },
        Setting {
            key: "http",
            flag: "http",
            variable: "UMBRA_HTTP",
            value: "IP:PORT",
            help: "Where /healthz, /readyz and /metrics are served",
            default: Some(HTTP),
        },
        Setting {
            key: "state",
            flag: "state",
            variable: "UMBRA_STATE",
            value: "DIR",
            help: "The folder for everything that must survive a restart",
            default: Some(STATE),
        },
        meta::META,
        meta::ENDPOINTS,
        meta::PREFIX,
        meta::USER,
        meta::PASSWORD,
        meta::AUTHORITIES,
        meta::CERTIFICATE,
        meta::KEY,
        meta::LEASE,
        Setting {
            key: "blobs",
            flag: "blobs",
            variable: "UMBRA_BLOBS",
            value: "URL",
            help: "Where data sets, logits and reports are kept: a folder, s3://bucket/prefix, \
                   gs://bucket/prefix or az://container/prefix",
            default: Some("blobs in the state folder"),
        },
        blobs::ENDPOINT,
        blobs::AUTHORITIES,
        blobs::CACHE,
        blobs::UPLOADS,
        blobs::GC,
        Setting {
            key: "token_file",
            flag: "token-file",
            variable: "UMBRA_TOKEN_FILE",
            value: "FILE",
            help: "The file with the token that callers must know; without one, everybody who can connect may call",
            default: None,
        },
        Setting {
            key: "lease",
            flag: "lease",
            variable: "UMBRA_LEASE",
            value: "SECONDS",
            help: "How long a worker may be silent before its work goes elsewhere",
            default: Some("30"),
        },
        Setting {
            key: "grace",
            flag: "grace",
            variable: "UMBRA_GRACE",
            value: "SECONDS",
            help: "How long shutting down may take",
            default: Some("30"),
        },
        Setting {
            key: "tls_cert",
            flag: "tls-cert",
            variable: "UMBRA_TLS_CERT",
            value: "FILE",
            help: "The certificate chain (PEM) to serve gRPC with; needed off this machine",
            default: None,
        },
        Setting {
            key: "tls_key",
            flag: "tls-key",
            variable: "UMBRA_TLS_KEY",
            value: "FILE",
            help: "The key of that certificate (PEM)",
            default: None,
        },
        Setting {
            key: "tls_client_ca",
            flag: "tls-client-ca",
            variable: "UMBRA_TLS_CLIENT_CA",
            value: "FILE",
            help: "Certificates (PEM) of the authorities that callers' certificates must come from",
            default: None,
        },
        Setting {
            key: "address_file",
            flag: "address-file",
            variable: "UMBRA_ADDRESS_FILE",
            value: "FILE",
            help: "Write the bound gRPC address to this file, for scripts",
            default: None,
        },
        Setting {
            key: "log",
            flag: "log",
            variable: "UMBRA_LOG",
            value: "FILTER",
            help: "What is logged, such as debug",
            default: Some("info"),
        },
    ];
}

impl CoordinatorSettings {
    /// Checks all layers.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(flags: &Flags<Self>, file: Option<&Path>) -> Result<Self, Failure> {
        let layers = Layers::read(flags, file)?;
        let settings = Self::check(&layers);
        layers.finish()?;
        Ok(settings.expect("what has no mistakes is complete"))
    }

    fn check(layers: &Layers<'_, Self>) -> Option<Self> {
        let paths = TlsPaths {
            certificate: layers.path("tls_cert"),
            key: layers.path("tls_key"),
            authorities: layers.path("tls_client_ca"),
        };
        let wants_tls = paths.certificate.is_some() || paths.key.is_some();
        if paths.authorities.is_some() && !wants_tls {
            layers.mistake("tls_client_ca", "it needs tls_cert and tls_key beside it");
        }
        let tls = layers.keep("tls_cert", TlsFiles::load(&paths)).filter(|_| wants_tls);
        let cover = if wants_tls { Cover::Tls } else { Cover::None };
        let address = |key: &str, default: &str| {
            let text = layers.text(key).unwrap_or_else(|| default.to_owned());
            layers.keep(key, ListenAddr::parse(&text, cover))
        };
        let listen = address("listen", LISTEN);
        let token = layers.path("token_file").map(|path| layers.keep("token_file", Token::read(&path)));
        let is_open = |listen: &ListenAddr| !listen.address().ip().to_canonical().is_loopback();
        if token.is_none() && paths.authorities.is_none() && listen.as_ref().is_some_and(is_open) {
            let message = "anybody who can reach it could call: give token_file or tls_client_ca";
            layers.mistake("listen", message);
        }
        let advertise =
            layers.text("advertise").and_then(|url| layers.keep("advertise", ServerUrl::parse(&url)));
        if advertise.as_ref().is_some_and(|url| url.is_encrypted() != wants_tls) {
            layers.mistake("advertise", "write https:// with tls_cert, http:// without");
        }
        let blobs = blobs::read(layers);
        let meta = meta::read(layers);
        if meta.as_ref().is_some_and(|meta| !matches!(meta, Meta::Embedded)) {
            let message =
                "coordinators that share a meta store share their blobs, such as s3://bucket/prefix";
            match &blobs {
                Some((place, _)) if place.is_shared() => {}
                Some(_) => layers.mistake("blobs", format!("a folder is one coordinator's alone: {message}")),
                None if layers.text("blobs").is_none() => {
                    layers.mistake("blobs", format!("missing: {message}"));
                }
                None => {}
            }
            let anywhere = |listen: &ListenAddr| listen.address().ip().is_unspecified();
            if advertise.is_none() && listen.as_ref().is_some_and(anywhere) {
                layers.mistake("advertise", "missing: say at which address others reach this coordinator");
            }
        }
        let defaults = ClusterConfig::default();
        let lease = layers.number("lease", 1..=3600).map(|seconds| seconds * 1000);
        Some(Self {
            http: address("http", HTTP)?,
            listen: listen?,
            advertise,
            state: layers.path("state").unwrap_or_else(|| PathBuf::from(STATE)),
            blobs,
            storage: blobs::storage(layers),
            meta: meta?,
            token: token.flatten(),
            tls,
            cluster: ClusterConfig { lease_ms: lease.unwrap_or(defaults.lease_ms), ..defaults },
            grace: layers.number("grace", 1..=86_400).unwrap_or(GRACE),
            address_file: layers.path("address_file"),
            log: layers.text("log"),
        })
    }
}

#[cfg(test)]
pub mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    pub fn read(line: &str) -> Result<CoordinatorSettings, Failure> {
        let command =
            Flags::<CoordinatorSettings>::augment_args(clap::Command::new("c").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace()).unwrap();
        CoordinatorSettings::read(&Flags::from_arg_matches(&matches).unwrap(), None)
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let settings = read("").unwrap();
        assert_eq!(settings.listen.address().to_string(), LISTEN);
        assert_eq!((settings.cluster.lease_ms, settings.grace), (30_000, 30));
        let shown =
            |key: &str| CoordinatorSettings::SETTINGS.iter().find(|s| s.key == key).unwrap().default.unwrap();
        assert_eq!((shown("lease"), shown("grace"), shown("state")), ("30", "30", STATE));
    }

    #[test]
    fn the_address_for_others_is_as_safe_as_the_port() {
        assert!(read("--advertise http://127.0.0.1:7443").unwrap().advertise.is_some());
        let failure = read("--advertise https://a:7443").unwrap_err().to_string();
        assert!(failure.contains("--advertise: write https:// with tls_cert"), "{failure}");
        let failure = read("--advertise nowhere").unwrap_err().to_string();
        assert!(failure.contains("--advertise: server \"nowhere\" is not an address"), "{failure}");
    }

    #[cfg(feature = "etcd")]
    #[test]
    fn etcd_is_chosen_and_its_settings_hang_together() {
        assert!(matches!(read("").unwrap().meta, Meta::Embedded));
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let password = file("password", "correct horse\n");
        let authority = file("ca.pem", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n");
        let line = format!(
            "--meta etcd --etcd-endpoints https://a:2379,https://b:2379 --etcd-prefix ward/umbra --etcd-user \
             umbra --etcd-password-file {password} --etcd-ca {authority} --etcd-lease 3 --blobs s3://ward"
        );
        let settings = read(&line).unwrap();
        let Meta::Etcd(options) = &settings.meta else { panic!("{:?}", settings.meta) };
        assert_eq!(options.endpoints(), ["https://a:2379", "https://b:2379"]);
        assert!(!format!("{settings:?}").contains("horse"));

        let empty = file("empty", "\n");
        for (line, complaint) in [
            ("--meta redis", "--meta: \"redis\" is no meta store: use embedded or etcd"),
            ("--meta etcd", "--etcd-endpoints: missing"),
            ("--etcd-lease 5", "--etcd-lease: it is of no use without meta = etcd"),
            ("--meta etcd --etcd-lease 1 --etcd-endpoints http://127.0.0.1:1", "--etcd-lease: 1 is out of"),
            ("--meta etcd --etcd-endpoints nowhere", "--etcd-endpoints: \"nowhere\" is not an etcd endpoint"),
            (
                "--meta etcd --etcd-endpoints http://etcd:2379",
                "--etcd-endpoints: http://etcd:2379 is another",
            ),
            (
                "--meta etcd --etcd-endpoints https://etcd:2379",
                "--etcd-ca: https://etcd:2379 speaks TLS: give",
            ),
            (
                "--meta etcd --etcd-endpoints http://127.0.0.1:1 --etcd-user u",
                "--etcd-password-file: missing: a user needs a password",
            ),
            (
                &format!(
                    "--meta etcd --etcd-endpoints http://127.0.0.1:1 --etcd-user u --etcd-password-file {empty}"
                ),
                "--etcd-password-file: it holds no password",
            ),
        ] {
            let failure = read(&format!("{line} --blobs s3://ward")).unwrap_err().to_string();
            assert!(failure.starts_with(complaint), "{line}: {failure}");
            assert_eq!(failure.lines().count(), 1, "{failure}");
        }
        let CoordinatorSettings { meta: Meta::Etcd(_), .. } =
            read("--meta etcd --etcd-endpoints http://127.0.0.1:2379 --blobs s3://ward").unwrap()
        else {
            panic!("that is enough")
        };
    }

    #[test]
    fn an_open_port_needs_tls_and_a_secret() {
        let failure = read("--listen 0.0.0.0:7443 --lease 0 --http nowhere").unwrap_err().to_string();
        assert!(failure.contains("--listen: refusing to listen on 0.0.0.0:7443 without TLS"), "{failure}");
        assert!(failure.contains("--lease: 0 is out of range: use 1 to 3600"), "{failure}");
        assert!(failure.contains("--http: listen address \"nowhere\""), "{failure}");
        assert_eq!(failure.lines().count(), 3);

        let folder = tempfile::tempdir().unwrap();
        let pem = |name: &str, label: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("-----BEGIN {label}-----\nAA\n-----END {label}-----\n")).unwrap();
            path.display().to_string()
        };
        let (cert, key) = (pem("c.pem", "CERTIFICATE"), pem("k.pem", "PRIVATE KEY"));
        let open = format!("--listen 0.0.0.0:7443 --tls-cert {cert} --tls-key {key}");
        let failure = read(&open).unwrap_err().to_string();
        assert!(failure.starts_with("--listen: anybody who can reach it could call"), "{failure}");
        assert!(read(&format!("{open} --tls-client-ca {cert}")).unwrap().tls.is_some());
        assert!(read(&format!("--tls-cert {cert}")).is_err());
        assert!(read("--token-file /nowhere").unwrap_err().to_string().starts_with("--token-file: "));
    }
}
