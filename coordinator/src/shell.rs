//! What every part of a running coordinator shares.

use std::sync::Arc;

use umbra_runtime::clock::Clock;
use umbra_runtime::drain::Drain;
use umbra_runtime::http::Health;

use crate::blobs::BlobStore;
use crate::board::Board;
use crate::config::Config;
use crate::engine::Engine;
use crate::store::MetaStore;

/// What every part of a running coordinator shares.
pub struct Shell {
    /// What it was told at its start.
    pub config: Config,
    /// Small, transactional state.
    pub store: Arc<dyn MetaStore>,
    /// Bytes.
    pub blobs: BlobStore,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Audits as clients see them.
    pub board: Board,
    /// The way to the engine.
    pub engine: Engine,
    /// Shutting down, and the tasks that are waited for.
    pub drain: Drain,
    /// Whether calls can be answered.
    pub health: Health,
}
