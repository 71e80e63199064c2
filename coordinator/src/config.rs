//! What a coordinator is told at its start.

use std::path::PathBuf;
use std::time::Duration;

use umbra_core::cluster::ClusterConfig;
use umbra_runtime::token::Token;

/// A coordinator's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Times and bounds of the scheduler.
    pub cluster: ClusterConfig,
    /// Who knows it may call; none: everybody who can connect.
    pub token: Option<Token>,
    /// A folder for what is being received and computed.
    pub scratch: PathBuf,
    /// The numerics class new audits are pinned to, unless workers are connected and none offers it.
    pub numerics: String,
    /// The release, for people.
    pub version: String,
    /// The host's name, for `run.json`.
    pub host: String,
    /// The name other replicas and `leader` show, usually the address clients connect to.
    pub name: String,
    /// The largest data set that is taken, in bytes.
    pub max_dataset_bytes: u64,
    /// Bounds of what it keeps on its own disk and in the blob store.
    pub storage: Storage,
}

/// Bounds of what a coordinator keeps on its own disk and in the blob store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The most bytes of blobs that are kept as files here, where the blob store is elsewhere.
    pub cache_bytes: u64,
    /// The most bytes of uploads that are on their way, on this machine's disk.
    pub uploads_bytes: u64,
    /// How long who sends or takes a blob may pause before the call is ended.
    pub silence: Duration,
    /// How often blobs that no record names are deleted; none: never.
    pub gc_every: Option<Duration>,
    /// How old such a blob must be: longer than anything takes to get from the store into a record.
    pub gc_grace: Duration,
}

impl Default for Storage {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            cache_bytes: 64 << 30,
            uploads_bytes: 128 << 30,
            silence: Duration::from_secs(60),
            gc_every: Some(day),
            gc_grace: day,
        }
    }
}

impl Config {
    /// The largest data set that is taken unless told otherwise: 64 GiB.
    pub const MAX_DATASET_BYTES: u64 = 64 << 30;

    /// Where blobs of a store elsewhere are kept as files.
    pub(crate) fn cache(&self) -> PathBuf {
        self.scratch.join("cache")
    }

    /// Where findings are computed; emptied at the start.
    pub(crate) fn findings(&self) -> PathBuf {
        self.scratch.join("findings")
    }
}
