//! Data sets: fetched once by digest, verified, kept on disk, mapped into memory, shared by the slots.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;
use umbra_core::digest::Digest;
use umbra_core::fault::Fault;
use umbra_data::{DataError, Dataset};
use umbra_runtime::backoff::Waits;
use umbra_runtime::lock::LockError;
use umbra_runtime::{CacheError, CachedFile, FileCache};

use crate::blobs::{BlobRef, Route};
use crate::faults;
use crate::scratch::Scratch;

/// How often bytes that do not fit their digest are fetched again.
const FETCHES: u32 = 2;

/// The data sets of this worker.
pub(crate) struct Datasets {
    cache: FileCache,
    route: Route,
    known: Mutex<HashMap<Digest, Arc<Mutex<Weak<OpenDataset>>>>>,
    /// The one that was asked for last stays mapped: most often the next pack wants it too.
    latest: Mutex<Option<Arc<OpenDataset>>>,
}

/// A data set that is open, and the file that it is mapped from.
pub(crate) struct OpenDataset {
    dataset: Dataset,
    // Kept in the cache as long as it is mapped.
    _file: CachedFile,
}

impl Deref for OpenDataset {
    type Target = Dataset;

    fn deref(&self) -> &Dataset {
        &self.dataset
    }
}

impl Datasets {
    /// Keeps at most `limit` bytes in `scratch`, data sets in use aside.
    ///
    /// # Errors
    /// If its folder cannot be used.
    pub(crate) fn open(scratch: &Scratch, limit: u64, route: Route) -> Result<Self, LockError> {
        let cache = FileCache::open(&scratch.datasets(), limit)?;
        Ok(Self { cache, route, known: Mutex::default(), latest: Mutex::default() })
    }

    /// The data set of this blob, whose content must have this digest. Several slots that want one data
    /// set wait for one download.
    ///
    /// # Errors
    /// A fault for the pack's report.
    pub(crate) async fn get(
        &self,
        blob: &BlobRef,
        content: &Digest,
        waits: &Waits,
    ) -> Result<Arc<OpenDataset>, Fault> {
        let entry = {
            let mut known = self.known.lock().await;
            known.retain(|_, entry| {
                // Someone waits for it or works with it.
                Arc::strong_count(entry) > 1
                    || entry.try_lock().is_ok_and(|dataset| dataset.strong_count() > 0)
            });
            known.entry(blob.digest).or_default().clone()
        };
        let mut held = entry.lock().await;
        let dataset = match held.upgrade() {
            Some(dataset) => dataset,
            None => {
                // What only this holds may have to make room.
                *self.latest.lock().await = None;
                let dataset = self.load(blob, waits).await?;
                *held = Arc::downgrade(&dataset);
                dataset
            }
        };
        if dataset.digest() == *content {
            *self.latest.lock().await = Some(dataset.clone());
            return Ok(dataset);
        }
        Err(faults::data(format!(
            "the data set in blob {} has the content digest {} instead of {content}: import it again",
            blob.key,
            dataset.digest()
        )))
    }

    async fn load(&self, blob: &BlobRef, waits: &Waits) -> Result<Arc<OpenDataset>, Fault> {
        let mut attempt = 1;
        loop {
            let bytes = self.route.download(blob.clone(), waits.clone()).into_stream();
            let damaged = match self.cache.get(&blob.digest, blob.size, bytes).await {
                Ok(file) => return open(file).await.map_err(faults::data),
                Err(CacheError::Source(error)) => error.to_string(),
                Err(error @ (CacheError::Damaged { .. } | CacheError::Length { .. })) => {
                    format!("blob {} is damaged: {error}", blob.key)
                }
                Err(error @ CacheError::NoRoom { .. }) => {
                    let what = format!("the data set does not fit into the worker's scratch folder: {error}");
                    return Err(faults::worker(format!("{what}; raise the worker's scratch_gib")));
                }
                Err(CacheError::File(error)) => return Err(faults::file(&error)),
            };
            if attempt == FETCHES {
                return Err(faults::data(format!("{damaged}; if this goes on, import the data set again")));
            }
            tracing::warn!(digest = %blob.digest, damaged, "fetch a data set again");
            attempt += 1;
        }
    }
}

async fn open(file: CachedFile) -> Result<Arc<OpenDataset>, String> {
    blocking(move || {
        let dataset = Dataset::open(file.path())?;
        dataset.verify()?;
        Ok(Arc::new(OpenDataset { dataset, _file: file }))
    })
    .await
    .map_err(|error: DataError| error.to_string())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels it, and then nobody awaits this.
            Err(_) => std::future::pending().await,
        },
    }
}
