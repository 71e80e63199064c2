//! Large writes to an object store that are not completed: their parts cost money until they are aborted.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use object_store::MultipartUpload;

use super::BlobStore;
use super::error::BlobError;

/// The most dropped writes that are remembered; of more, the oldest are left to the bucket's own rule.
const MAX_DROPPED: usize = 1024;

/// Writes that were dropped in the middle and are still to be aborted: dropping cannot wait for an answer.
#[derive(Default)]
pub(super) struct Dropped(Mutex<VecDeque<Box<dyn MultipartUpload>>>);

/// A large write that is aborted later if it is dropped before it is completed.
pub(super) struct Pending<'s> {
    store: &'s BlobStore,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl Dropped {
    fn push(&self, upload: Box<dyn MultipartUpload>) {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uploads.len() == MAX_DROPPED {
            uploads.pop_front();
        }
        uploads.push_back(upload);
    }

    fn pop(&self) -> Option<Box<dyn MultipartUpload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl<'s> Pending<'s> {
    pub(super) fn new(store: &'s BlobStore, upload: Box<dyn MultipartUpload>) -> Self {
        Self { store, upload: Some(upload) }
    }

    /// The write itself.
    pub(super) fn upload(&mut self) -> &mut dyn MultipartUpload {
        self.upload.as_deref_mut().expect("it is there until this is consumed")
    }

    /// It was completed or aborted: there is nothing left of it.
    pub(super) fn over(mut self) {
        self.upload = None;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.store.inner.dropped.push(upload);
        }
    }
}

impl BlobStore {
    /// Aborts large writes that were dropped in the middle, as when their senders broke off, and says how
    /// many. What a crash leaves is for the bucket's lifecycle rule.
    ///
    /// # Errors
    /// What the store says; the rest is tried at the next call.
    pub async fn abort_dropped(&self) -> Result<usize, BlobError> {
        let mut count = 0;
        while let Some(upload) = self.inner.dropped.pop() {
            let mut pending = Pending::new(self, upload);
            match pending.upload().abort().await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => pending.over(),
                Err(error) => return Err(BlobError::caused(&error)),
            }
            count += 1;
        }
        Ok(count)
    }
}
