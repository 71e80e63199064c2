//! What every part of a running coordinator shares.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore, SemaphorePermit};
use tonic::Status;
use umbra_proto::error::{Reason, refuse};
use umbra_runtime::FileCache;
use umbra_runtime::blobs::BlobStore;
use umbra_runtime::clock::Clock;
use umbra_runtime::drain::Drain;
use umbra_runtime::http::Health;

use crate::board::Board;
use crate::config::Config;
use crate::engine::Engine;
use crate::standing::Post;
use crate::store::MetaStore;

/// What every part of a running coordinator shares.
pub struct Shell {
    /// What it was told at its start.
    pub config: Config,
    /// Small, transactional state.
    pub store: Arc<dyn MetaStore>,
    /// Bytes.
    pub blobs: BlobStore,
    /// Blobs as files, if the store does not have them as such.
    pub cache: Option<FileCache>,
    /// Bytes are shared by all data sets that have them: they are checked and registered under a read lock,
    /// and removed under a write lock.
    pub dataset_bytes: RwLock<()>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Audits as clients see them.
    pub board: Board,
    /// Whether it leads.
    pub post: Post,
    /// The way to the engine.
    pub engine: Engine,
    /// Shutting down, and the tasks that are waited for.
    pub drain: Drain,
    /// Whether calls can be answered.
    pub health: Health,
    /// Work that takes a processor or much memory for a while and does not wait for people.
    pub heavy: Heavy,
}

impl Shell {
    /// What the board shows, if it was the board of one term all the while: it is cleared when a term ends, and that
    /// something is not on it would mean nothing.
    ///
    /// # Errors
    /// A status that says that this coordinator does not lead (any more).
    pub fn shown<T>(&self, look: impl Fn(&Board) -> T) -> Result<T, Status> {
        loop {
            let before = self.post.standing();
            self.post.check()?;
            let seen = look(&self.board);
            if self.post.standing() == before {
                return Ok(seen);
            }
        }
    }
}

/// How many of each kind of heavy work go on at once. After a restart every result that was reported is
/// verified again: without a bound they would take all blocking threads, which commits need, too.
pub struct Heavy {
    /// Results being verified.
    pub ingests: Semaphore,
    /// Memberships being drawn for submissions.
    pub drawings: Semaphore,
    /// Backups being sent.
    pub backups: Arc<Semaphore>,
    /// Blobs being received from workers: each takes a few chunks of memory and a file.
    pub writes: Arc<Semaphore>,
    /// Data sets being received from clients.
    pub imports: Arc<Semaphore>,
    /// Blobs being given to workers and clients.
    pub reads: Arc<Semaphore>,
}

impl Default for Heavy {
    fn default() -> Self {
        Self {
            ingests: Semaphore::new(8),
            drawings: Semaphore::new(2),
            backups: Arc::new(Semaphore::new(1)),
            writes: Arc::new(Semaphore::new(256)),
            imports: Arc::new(Semaphore::new(16)),
            reads: Arc::new(Semaphore::new(1024)),
        }
    }
}

/// Waits for a turn.
pub async fn turn(kind: &Semaphore) -> SemaphorePermit<'_> {
    kind.acquire().await.expect("nobody closes it")
}

/// Takes a place for work whose end is in other hands: who finds none comes again, instead of waiting for it.
///
/// # Errors
/// A status if all places are taken.
pub fn place(kind: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Status> {
    let full = |_| refuse(Reason::Unavailable, format!("too many {what} now: try again in a moment"));
    kind.clone().try_acquire_owned().map_err(full)
}
