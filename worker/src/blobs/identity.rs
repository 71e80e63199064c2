//! Which store this worker's blobs go to, so that the coordinator can tell whether it is its own.

use umbra_runtime::Drain;
use umbra_runtime::backoff::Waits;
use umbra_runtime::blobs::BlobStore;

use crate::error::WorkError;

/// The store's id, however long the store is away; none once the drain begins.
pub(crate) async fn identity(
    store: &BlobStore,
    mut waits: Waits,
    drain: &Drain,
) -> Result<Option<String>, WorkError> {
    loop {
        let asked = tokio::select! {
            () = drain.begun() => return Ok(None),
            asked = store.identity() => asked,
        };
        let error = match asked {
            Ok(id) => return Ok(Some(id)),
            Err(error) if error.is_transient() => error,
            Err(error) => return Err(WorkError::Blobs(error)),
        };
        let wait = waits.after_failure();
        tracing::warn!(%error, ?wait, "wait for the object store");
        tokio::select! {
            () = drain.begun() => return Ok(None),
            () = tokio::time::sleep(wait) => {}
        }
    }
}
