//! Starting a coordinator over a state folder.

use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "etcd")]
use umbra_coordinator::store::EtcdStore;
use umbra_coordinator::store::{EmbeddedStore, MetaStore};
use umbra_coordinator::{Config, Listeners, Storage, serve};
use umbra_core::cluster::ClusterConfig;
use umbra_runtime::blobs::{Access, BlobStore, Place};
use umbra_runtime::{Drain, SystemClock, Token, files};
use umbra_train::numerics_class;

use crate::exit::Failure;
use crate::host;
use crate::settings::Meta;

/// What differs between a daemon and an embedded coordinator.
pub struct Parts {
    /// Times and bounds of the scheduler.
    pub cluster: ClusterConfig,
    /// Where its small state is kept.
    pub meta: Meta,
    /// What callers must know.
    pub token: Option<Token>,
    /// Where it listens.
    pub listeners: Listeners,
    /// The address clients connect to.
    pub address: String,
    /// Where blobs are, and how to get there; none: in the state folder.
    pub blobs: Option<(Place, Access)>,
    /// Bounds of what is kept.
    pub storage: Storage,
}

/// Opens the state folder and starts a coordinator; its tasks run in `drain`. Stores lock themselves, so a
/// second coordinator over the same folder is refused.
///
/// # Errors
/// If the folder is in use, damaged or cannot be written, or the meta store cannot be reached.
pub async fn start(state: &Path, parts: Parts, drain: Drain) -> Result<(), Failure> {
    files::create_private_folder(state).map_err(failed)?;
    let store = open_meta(&parts.meta, state).await?;
    let blobs = match &parts.blobs {
        Some((place, access)) => BlobStore::open(place, access).await,
        None => BlobStore::local(state.join("blobs")).await,
    };
    let blobs = blobs.map_err(failed)?;
    let config = Config {
        cluster: parts.cluster,
        token: parts.token,
        scratch: state.join("scratch"),
        numerics: numerics_class(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host::name(),
        name: parts.address,
        max_dataset_bytes: Config::MAX_DATASET_BYTES,
        storage: parts.storage,
    };
    let clock = Arc::new(SystemClock::new());
    serve(config, parts.listeners, store, blobs, clock, drain).await.map_err(failed)
}

/// Opens the meta store, in the state folder unless it is elsewhere.
///
/// # Errors
/// If it is in use, damaged or out of reach.
pub async fn open_meta(meta: &Meta, state: &Path) -> Result<Arc<dyn MetaStore>, Failure> {
    match meta {
        Meta::Embedded => {
            let store = EmbeddedStore::open(state.join("meta.redb")).await.map_err(failed)?;
            Ok(Arc::new(store))
        }
        #[cfg(feature = "etcd")]
        Meta::Etcd(options) => Ok(Arc::new(EtcdStore::connect(options).await.map_err(failed)?)),
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(error.to_string())
}
