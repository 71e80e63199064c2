//! The stores that the contract holds for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use umbra_runtime::blobs::{Access, BlobStore};

use crate::s3::S3;

/// Runs a test on a store in memory, in a folder, and in an S3 server's bucket where there is a server.
pub async fn everywhere(test: impl AsyncFn(BlobStore)) {
    test(BlobStore::memory()).await;
    let folder = tempfile::tempdir().unwrap();
    test(BlobStore::local(folder.path()).await.unwrap()).await;
    if let Some(s3) = shared() {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        test(open(&s3, &format!("s3://{}/contract-{number}", S3::BUCKET)).await).await;
    }
}

/// A server that tests share as long as one of them runs.
fn shared() -> Option<Arc<S3>> {
    static SHARED: Mutex<Weak<S3>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return Some(running);
    }
    let started = Arc::new(S3::start(1)?);
    *shared = Arc::downgrade(&started);
    Some(started)
}

/// A store on a server.
pub async fn open(s3: &S3, place: &str) -> BlobStore {
    let access = Access { environment: s3.environment(), ..Access::default() };
    BlobStore::open(&place.parse().unwrap(), &access).await.unwrap()
}
