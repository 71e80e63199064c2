//! Digests of uploads as far as they have come, so that nothing is read again once it is whole.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use umbra_core::digest::{Digest, StreamHasher};

use super::key::UploadId;

/// What is known of files that this process has written from their first byte. Whoever adds to an upload or
/// commits it has its turn: what is known is what the file holds. Of a file that another process began nothing
/// is known: after a power cut its bytes may be others.
#[derive(Default)]
pub(super) struct Hashed(Mutex<HashMap<UploadId, Known>>);

struct Known {
    hasher: StreamHasher,
    /// Bytes that were hashed: all of the file.
    length: u64,
}

impl Hashed {
    /// What was hashed of a file of `length` bytes, to go on with; none if that is not known. Forgotten until it
    /// is put back.
    pub(super) fn take(&self, id: &UploadId, length: u64) -> Option<StreamHasher> {
        let known = self.known().remove(id);
        if length == 0 {
            return Some(StreamHasher::default());
        }
        known.filter(|known| known.length == length).map(|known| known.hasher)
    }

    /// Remembers what was hashed of a file of `length` bytes.
    pub(super) fn put(&self, id: UploadId, length: u64, hasher: Option<StreamHasher>) {
        if let Some(hasher) = hasher {
            self.known().insert(id, Known { hasher, length });
        }
    }

    /// The digest of a file of `length` bytes, if it is known.
    pub(super) fn digest(&self, id: &UploadId, length: u64) -> Option<Digest> {
        let known = self.known();
        let known = known.get(id).filter(|known| known.length == length)?;
        Some(known.hasher.clone().finish())
    }

    /// A file was removed.
    pub(super) fn forget(&self, id: &UploadId) {
        self.known().remove(id);
    }

    /// Forgets the others.
    pub(super) fn keep(&self, there: impl Fn(&UploadId) -> bool) {
        self.known().retain(|id, _| there(id));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<UploadId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
