//! Settings of a worker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use umbra_core::digest::Digest;
use umbra_runtime::blobs::{Access, Place};
use umbra_runtime::tls::TlsPaths;
use umbra_runtime::{TlsFiles, Token, backoff};
use umbra_train::Device;
use umbra_worker::{Config, Connector, Settings};

use super::{Daemon, Flags, Layers, Setting, blobs};
use crate::devices::Choice;
use crate::exit::Failure;
use crate::host;
use crate::remote::{DEFAULT_SERVER, ServerUrls};

const SCRATCH: &str = "umbra-scratch";
const SCRATCH_GIB: u64 = 64;
const GRACE: u64 = 30;

/// Checked settings of a worker.
pub struct WorkerSettings {
    /// What the worker is told.
    pub config: Config,
    /// The way to the coordinator.
    pub connector: Connector,
    /// The coordinator's address.
    pub server: String,
    /// The object store that is used without the coordinator between, if one is.
    pub blobs: Option<(Place, Access)>,
    /// What is logged.
    pub log: Option<String>,
}

impl Daemon for WorkerSettings {
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "server",
            flag: "server",
            variable: "UMBRA_SERVER",
            value: "URL",
            help: "The coordinator; with several coordinators, some or all of them: URL,URL",
            default: Some(DEFAULT_SERVER),
        },
        Setting {
            key: "slots",
            flag: "slots",
            variable: "UMBRA_SLOTS",
            value: "N",
            help: "How many packs are trained at once on the CPU, a thread each",
            default: Some("the number of cores"),
        },
        Setting {
            key: "device",
            flag: "device",
            variable: "UMBRA_DEVICE",
            value: "DEVICE",
            help: "Where packs are trained: auto (CUDA devices where there are any, a slot each), cpu, cuda, \
                   or some devices, such as cuda:0,1",
            default: Some("auto"),
        },
        Setting {
            key: "scratch",
            flag: "scratch",
            variable: "UMBRA_SCRATCH",
            value: "DIR",
            help: "The folder for data sets and unsent results; workers may share it",
            default: Some(SCRATCH),
        },
        Setting {
            key: "scratch_gib",
            flag: "scratch-gib",
            variable: "UMBRA_SCRATCH_GIB",
            value: "N",
            help: "The most GiB of data sets kept there",
            default: Some("64"),
        },
        Setting {
            key: "blobs",
            flag: "blobs",
            variable: "UMBRA_BLOBS",
            value: "URL",
            help: "The coordinator's object store, to read and write there without the coordinator between; \
                   needs credentials for it",
            default: None,
        },
        blobs::ENDPOINT,
        blobs::AUTHORITIES,
        Setting {
            key: "keep_weights",
            flag: "keep-weights",
            variable: "UMBRA_KEEP_WEIGHTS",
            value: "DIR",
            help: "Keep the weights of trained shadows there (DIR/AUDIT/shadow-0000.safetensors); \
                   workers may share it",
            default: None,
        },
        Setting {
            key: "token_file",
            flag: "token-file",
            variable: "UMBRA_TOKEN_FILE",
            value: "FILE",
            help: "The file that holds the coordinator's token",
            default: None,
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
            key: "tls_ca",
            flag: "tls-ca",
            variable: "UMBRA_TLS_CA",
            value: "FILE",
            help: "Certificates (PEM) of the authorities that vouch for the coordinator",
            default: None,
        },
        Setting {
            key: "tls_cert",
            flag: "tls-cert",
            variable: "UMBRA_TLS_CERT",
            value: "FILE",
            help: "This worker's certificate (PEM), where the coordinator asks for one",
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
            key: "log",
            flag: "log",
            variable: "UMBRA_LOG",
            value: "FILTER",
            help: "What is logged, such as debug",
            default: Some("info"),
        },
    ];
}

impl WorkerSettings {
    /// Checks all layers.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(flags: &Flags<Self>, file: Option<&Path>) -> Result<Self, Failure> {
        let layers = Layers::read(flags, file)?;
        let settings = Self::check(&layers)?;
        layers.finish()?;
        Ok(settings.expect("what has no mistakes is complete"))
    }

    fn check(layers: &Layers<'_, Self>) -> Result<Option<Self>, Failure> {
        let server = layers.text("server").unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let urls = layers.keep("server", ServerUrls::parse(&server));
        let paths = TlsPaths {
            certificate: layers.path("tls_cert"),
            key: layers.path("tls_key"),
            authorities: layers.path("tls_ca"),
        };
        let tls = layers.keep("tls_ca", TlsFiles::load(&paths));
        let token = layers.path("token_file").map(|path| layers.keep("token_file", Token::read(&path)));
        let connector = match (&urls, &tls) {
            (Some(urls), Some(tls)) if urls.is_encrypted() && tls.authorities.is_none() => {
                layers.mistake("tls_ca", "missing: an https:// server needs the authorities to trust");
                None
            }
            (Some(urls), Some(tls)) => {
                let tls = urls.is_encrypted().then_some(tls);
                let token = token.as_ref().and_then(Option::as_ref);
                let addresses: Vec<_> = urls.all().iter().map(ToString::to_string).collect();
                layers.keep("server", Connector::try_new(&addresses, tls, token))
            }
            _ => None,
        };
        let slots = layers.number("slots", 1..=umbra_core::cluster::MAX_SLOTS.into());
        let slots = slots.and_then(|slots| u32::try_from(slots).ok());
        let device = layers.text("device").map(|text| layers.keep("device", text.parse::<Choice>()));
        let choice = device.unwrap_or(Some(Choice::Auto));
        let slots = choice.and_then(|choice| layers.keep("device", choice.slots(slots)));
        let gib = layers.number("scratch_gib", 1..=1 << 20).unwrap_or(SCRATCH_GIB);
        let settings = Settings {
            worker: fresh_name()?,
            // A mistake was noted, and something else may be wrong, too.
            slots: slots.unwrap_or_else(|| vec![Device::Cpu]),
            scratch: layers.path("scratch").unwrap_or_else(|| PathBuf::from(SCRATCH)),
            scratch_bytes: gib << 30,
            keep_weights: layers.path("keep_weights"),
            grace: Duration::from_secs(layers.number("grace", 1..=86_400).unwrap_or(GRACE)),
            host: host::name(),
            jitter: entropy()?,
        };
        let blobs = blobs::read(layers);
        if let Some((Place::Folder(_), _)) = &blobs {
            let message = "a folder is the coordinator's alone: leave it out, or name a bucket";
            layers.mistake("blobs", message);
        }
        let log = layers.text("log");
        let config = match Config::try_new(settings) {
            Ok(config) => Some(config),
            Err(violations) => {
                layers.violations(&violations);
                None
            }
        };
        let (Some(config), Some(connector)) = (config, connector) else { return Ok(None) };
        Ok(Some(Self { config, connector, server, blobs, log }))
    }
}

/// A name that no other process has: it stands for what this process still runs.
///
/// # Errors
/// If the system has no source of random numbers.
pub fn fresh_name() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(no_entropy)?;
    Ok(format!("worker-{}", Digest::from_bytes(bytes).short()))
}

/// Jitter for the waits of a worker.
///
/// # Errors
/// If the system has no source of random numbers.
pub fn entropy() -> Result<umbra_core::seed::Stream, Failure> {
    backoff::entropy().map_err(no_entropy)
}

fn no_entropy(error: getrandom::Error) -> Failure {
    Failure::failed(format!("this system has no source of random numbers: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn read(line: &str) -> Result<WorkerSettings, Failure> {
        let command = Flags::<WorkerSettings>::augment_args(clap::Command::new("w").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace()).unwrap();
        WorkerSettings::read(&Flags::from_arg_matches(&matches).unwrap(), None)
    }

    #[test]
    fn defaults_make_a_worker() {
        let settings = read("--slots 3 --grace 7").unwrap();
        assert_eq!(settings.server, DEFAULT_SERVER);
        assert_eq!((settings.config.slots(), settings.config.grace().as_secs()), (3, 7));
        assert_eq!(settings.config.scratch(), Path::new(SCRATCH));
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let failure =
            read("--server http://host:7443 --slots 0 --grace x --token-file /nowhere").err().unwrap();
        let text = failure.to_string();
        let places: Vec<_> = text.lines().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(places, ["--server", "--token-file", "--slots", "--grace"]);
        let failure = read("--blobs /var/blobs").err().unwrap().to_string();
        assert!(failure.starts_with("--blobs: a folder is the coordinator's alone"), "{failure}");
        assert!(read("--blobs az://container/umbra").unwrap().blobs.is_some());
        let failure = read("--server https://host:7443").err().unwrap().to_string();
        assert!(failure.starts_with("--tls-ca: missing"), "{failure}");
    }
}
