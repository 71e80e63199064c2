//! The blob store: large, immutable bytes under checked names.
//!
//! A blob is written once and is never seen in part. Publishing a key that exists with the same bytes
//! is success, with other bytes an error. Which bytes a key should have is recorded elsewhere, in the
//! meta store: a reader that cares verifies the digest.
//!
//! On a local disk the folder holds `objects/` (the blobs, by key), `staging/` (writes in flight,
//! emptied at start), `uploads/` (uploads that can be resumed) and `lock`. In an object store there is
//! `objects/` alone: see [`BlobStore::put_stream`] for how it is written once.

mod endpoint;
mod error;
mod hashed;
mod identity;
mod key;
mod local;
mod open;
mod pending;
mod place;
mod put;
mod read;
mod room;
mod uploads;
mod writer;

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::FolderLock;
use crate::turns::{Turns, blocking};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use pending::Dropped;
use umbra_core::digest::Digest;

pub use error::{BlobError, BoxError, OpenBlobsError};
pub use key::{BlobKey, InvalidBlobKey, UploadId};
pub use open::Access;
pub use place::{InvalidPlace, Place, Provider};
pub use read::{BlobStream, MAX_CHUNK, MAX_RANGE, file_chunks};
pub use room::Receiving;
pub use uploads::Uploads;

/// A blob store. Clones share it.
#[derive(Clone)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn ObjectStore>,
    local: Option<Local>,
    staged: AtomicU64,
    /// Who completes a large blob of an object store.
    completing: Turns<BlobKey>,
    /// Writes that were dropped in the middle and are still to be aborted.
    dropped: Dropped,
}

struct Local {
    folder: PathBuf,
    // Held for as long as the store lives: only the holder may clean up.
    _lock: FolderLock,
}

impl Local {
    /// Where a blob lies.
    fn object(&self, key: &BlobKey) -> PathBuf {
        self.folder.join(OBJECTS).join(key.as_str())
    }
}

/// A blob that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// What the store knows of a blob without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its key.
    pub key: BlobKey,
    /// How many bytes it has.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: SystemTime,
}

impl BlobStore {
    /// The store in a folder of this machine, every write made durable. Creates what is missing and
    /// removes what writes cut short have left.
    ///
    /// # Errors
    /// [`OpenBlobsError`] if another process has the folder, or it cannot be used.
    pub async fn local(folder: impl AsRef<FilePath>) -> Result<Self, OpenBlobsError> {
        let folder = folder.as_ref().to_owned();
        let (store, lock) = blocking(move || local::open(&folder)).await?;
        let local = Some(Local { folder: lock.folder().to_owned(), _lock: lock });
        Ok(Self::new(Arc::new(store), local))
    }

    /// A store in memory, for tests and simulations.
    pub fn memory() -> Self {
        Self::over(Arc::new(object_store::memory::InMemory::new()))
    }

    /// A store over any object store that can create without overwriting.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self::new(store, None)
    }

    fn new(store: Arc<dyn ObjectStore>, local: Option<Local>) -> Self {
        let (completing, dropped) = (Turns::default(), Dropped::default());
        Self { inner: Arc::new(Inner { store, local, staged: AtomicU64::new(0), completing, dropped }) }
    }

    /// The blob's size, if it exists.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], or what the store says.
    pub async fn head(&self, key: &BlobKey) -> Result<BlobInfo, BlobError> {
        let meta = self.store().head(&object(key)).await.map_err(|error| BlobError::store(key, error))?;
        Ok(BlobInfo { key: key.clone(), size: meta.size, modified: meta.last_modified.into() })
    }

    /// Removes a blob; one that does not exist is removed already. After a power cut it may be there
    /// again.
    ///
    /// # Errors
    /// What the store says.
    pub async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match self.store().delete(&object(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobError::store(key, error)),
        }
    }

    /// Removes every blob below `folder` (`folder/...`) and says how many there were.
    ///
    /// # Errors
    /// What the store says; some may be gone by then.
    pub async fn delete_below(&self, folder: &BlobKey) -> Result<u64, BlobError> {
        let mut below = self.list(Some(folder));
        let mut count = 0;
        while let Some(info) = below.try_next().await? {
            self.delete(&info.key).await?;
            count += 1;
        }
        Ok(count)
    }

    /// The blobs below `folder`, or all, in no order.
    pub fn list(&self, folder: Option<&BlobKey>) -> BoxStream<'static, Result<BlobInfo, BlobError>> {
        let prefix = folder.map_or_else(|| Path::from(OBJECTS), object);
        let listed = self.store().list(Some(&prefix)).map_err(|error| BlobError::caused(&error));
        listed
            .try_filter_map(|meta| async move {
                let name =
                    meta.location.as_ref().strip_prefix(OBJECTS).and_then(|rest| rest.strip_prefix('/'));
                // Files that others put there are not blobs.
                let key = name.and_then(|name| BlobKey::try_new(name).ok());
                let modified = meta.last_modified.into();
                Ok(key.map(|key| BlobInfo { key, size: meta.size, modified }))
            })
            .boxed()
    }

    /// Where the blob lies as a file, to map it into memory, if the store is local. The file need not
    /// exist; it never changes once it does.
    pub fn local_path(&self, key: &BlobKey) -> Option<PathBuf> {
        Some(self.inner.local.as_ref()?.object(key))
    }

    /// Whether blobs are files of this machine.
    pub fn is_local(&self) -> bool {
        self.inner.local.is_some()
    }

    fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.inner.store
    }

    /// A name for a write in flight; none is used twice while the store lives.
    fn staging_path(&self) -> Path {
        let number = self.inner.staged.fetch_add(1, Ordering::Relaxed);
        Path::from(format!("{STAGING}/{}-{number}", std::process::id()))
    }
}

const OBJECTS: &str = "objects";
const STAGING: &str = "staging";
const UPLOADS: &str = "uploads";

fn object(key: &BlobKey) -> Path {
    Path::from(format!("{OBJECTS}/{key}"))
}
