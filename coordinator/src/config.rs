//! What a coordinator is told at its start.

use std::path::PathBuf;

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
}

impl Default for Storage {
    fn default() -> Self {
        Self { cache_bytes: 64 << 30 }
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
