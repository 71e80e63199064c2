//! Data sets: fetched once by digest, verified, kept on disk, mapped into memory, shared by the slots.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;
use umbra_core::digest::{Digest, StreamHasher};
use umbra_core::fault::Fault;
use umbra_data::{DataError, Dataset};
use umbra_runtime::backoff::Waits;
use umbra_runtime::files::FileError;

use crate::blobs::{BlobRef, Download};
use crate::connector::Client;
use crate::faults;
use crate::scratch::Scratch;

/// How often bytes that do not fit their digest are fetched again.
const FETCHES: u32 = 2;

/// The data sets of this worker.
pub(crate) struct Datasets {
    scratch: Arc<Scratch>,
    limit: u64,
    client: Client,
    known: Mutex<HashMap<Digest, Arc<Mutex<Weak<Dataset>>>>>,
    /// The one that was asked for last stays mapped: most often the next pack wants it too.
    latest: Mutex<Option<Arc<Dataset>>>,
}

/// Why one fetch did not give the data set.
enum Failure {
    /// Fetch again.
    Damaged(String),
    /// Report it.
    Fault(Fault),
}

impl Datasets {
    /// Keeps at most `limit` bytes in `scratch`, data sets in use aside.
    pub(crate) fn new(scratch: Arc<Scratch>, limit: u64, client: Client) -> Self {
        Self { scratch, limit, client, known: Mutex::default(), latest: Mutex::default() }
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
    ) -> Result<Arc<Dataset>, Fault> {
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

    async fn load(&self, blob: &BlobRef, waits: &Waits) -> Result<Arc<Dataset>, Fault> {
        let path = self.scratch.dataset(&blob.digest);
        if is_whole(path.clone(), blob.clone()).await {
            tracing::info!(digest = %blob.digest, "use a data set from the scratch folder");
            return open(path).await.map_err(faults::data);
        }
        let mut attempt = 1;
        loop {
            match self.fetch(blob, &path, waits).await {
                Ok(()) => break,
                Err(Failure::Damaged(what)) if attempt < FETCHES => {
                    tracing::warn!(digest = %blob.digest, what, "fetch a data set again");
                    attempt += 1;
                }
                Err(Failure::Damaged(what)) => {
                    return Err(faults::data(format!("{what}; if this goes on, import the data set again")));
                }
                Err(Failure::Fault(fault)) => return Err(fault),
            }
        }
        tracing::info!(digest = %blob.digest, bytes = blob.size, "fetched a data set");
        open(path).await.map_err(faults::data)
    }

    async fn fetch(&self, blob: &BlobRef, path: &Path, waits: &Waits) -> Result<(), Failure> {
        self.make_room(blob).await.map_err(Failure::Fault)?;
        let part = self.scratch.partial(&blob.digest);
        let result = self.fill(blob, &part, path, waits).await;
        if result.is_err() {
            // The next attempt begins again; the error that led here is the one to report.
            let _ = tokio::fs::remove_file(&part).await;
        }
        result
    }

    async fn fill(&self, blob: &BlobRef, part: &Path, path: &Path, waits: &Waits) -> Result<(), Failure> {
        let mut file = tokio::fs::File::create(part).await.map_err(failed("create", part))?;
        let mut download = Download::new(self.client.clone(), blob.clone(), waits.clone());
        while let Some(chunk) = download.next().await.map_err(|error| Failure::Damaged(error.to_string()))? {
            file.write_all(&chunk).await.map_err(failed("write", part))?;
        }
        file.flush().await.map_err(failed("write", part))?;
        drop(file);
        // Not synced: what a crash leaves is verified before it is used again.
        tokio::fs::rename(part, path).await.map_err(failed("rename", part))
    }

    async fn make_room(&self, blob: &BlobRef) -> Result<(), Fault> {
        let mut in_use: Vec<PathBuf> = Vec::new();
        for (digest, entry) in self.known.lock().await.iter() {
            // An entry that is locked is being fetched.
            if entry.try_lock().map_or(true, |dataset| dataset.strong_count() > 0) {
                in_use.push(self.scratch.dataset(digest));
                in_use.push(self.scratch.partial(digest));
            }
        }
        let (scratch, limit, size) = (self.scratch.clone(), self.limit, blob.size);
        let made =
            blocking(move || scratch.make_room(size, limit, |path| in_use.iter().any(|used| used == path)))
                .await;
        match made {
            Ok(true) => Ok(()),
            Ok(false) => Err(faults::worker(format!(
                "the data set has {size} bytes, for which the worker's scratch folder, bounded to {limit}, has \
                 no room: raise the worker's scratch_bytes"
            ))),
            Err(error) => Err(faults::file(&error)),
        }
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Failure + use<'a> {
    move |error| Failure::Fault(faults::file(&FileError::io(action, path)(error)))
}

/// Whether the file holds exactly these bytes. One that cannot be read is fetched again.
async fn is_whole(path: PathBuf, blob: BlobRef) -> bool {
    blocking(move || {
        let Ok(mut file) = std::fs::File::open(path) else { return false };
        if !file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == blob.size) {
            return false;
        }
        let mut hasher = StreamHasher::default();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match std::io::Read::read(&mut file, &mut buffer) {
                Ok(0) => return hasher.finish() == blob.digest,
                Ok(length) => hasher.update(&buffer[..length]),
                Err(_) => return false,
            }
        }
    })
    .await
}

async fn open(path: PathBuf) -> Result<Arc<Dataset>, String> {
    blocking(move || {
        let dataset = Dataset::open(&path)?;
        dataset.verify()?;
        Ok(Arc::new(dataset))
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
