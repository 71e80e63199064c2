//! What can go wrong with blobs, by what the caller does next.

use std::error::Error;
use std::io;

use crate::causes::with_causes;
use crate::files::FileError;
use crate::lock::LockError;
use umbra_core::digest::Digest;

use super::key::{BlobKey, UploadId};

/// An error of any type.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A blob operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("there is no blob {0}")]
    NotFound(BlobKey),
    /// There is no such upload.
    #[error("there is no upload {0}: start it again from the first byte")]
    NoUpload(UploadId),
    /// The key is taken by other bytes; blobs are written once.
    #[error("the blob {key} exists with other content: it is {found}, not {offered}")]
    Taken {
        /// The key.
        key: BlobKey,
        /// The digest of what is there.
        found: Digest,
        /// The digest of what was offered.
        offered: Digest,
    },
    /// The bytes are not what they should be: send or make them again.
    #[error("the blob {key} is damaged: its digest is {found}, not {expected}")]
    Mismatch {
        /// The key.
        key: BlobKey,
        /// The digest it should have.
        expected: Digest,
        /// The digest it has.
        found: Digest,
    },
    /// More bytes than allowed.
    #[error("the blob {name} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The blob or the upload.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A range outside of the blob, or too large for one read.
    #[error(
        "bytes {start} to {end} of the blob {key} cannot be read: it has {size}, and one read gives at most 256 MiB"
    )]
    Range {
        /// The key.
        key: BlobKey,
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// The blob's size.
        size: u64,
    },
    /// An append that does not continue the upload: go on from `have`.
    #[error("the upload {id} has {have} bytes, so it cannot go on at {offered}")]
    Offset {
        /// The upload.
        id: UploadId,
        /// Bytes that are there.
        have: u64,
        /// The offset of the append.
        offered: u64,
    },
    /// No space left: later there may be.
    #[error("the blob store's disk is full ({0}): free some space")]
    FullDisk(String),
    /// The uploads that are on their way take all the room there is for them: later there may be some.
    #[error(
        "there is no room for {size} bytes beside the uploads that are on their way, {limit} bytes at most: try \
         again later, or raise the coordinator's uploads_gib"
    )]
    NoRoom {
        /// Bytes of the upload.
        size: u64,
        /// Bytes of all uploads.
        limit: u64,
    },
    /// The store refuses for good, as for missing rights: an operator must act.
    #[error("the blob store refuses: {0}")]
    Refused(String),
    /// The store cannot be used now; later it may.
    #[error("the blob store cannot be used now: {0}")]
    Unavailable(String),
    /// A blob cannot be kept on this machine, where it is needed as a file.
    #[error("the blob {key} cannot be kept in the cache: {what}")]
    Cache {
        /// The key.
        key: BlobKey,
        /// Why, and what to do.
        what: String,
    },
    /// The stream of bytes to store failed.
    #[error("the upload broke off: {0}")]
    Source(BoxError),
}

impl BlobError {
    /// What kind it is, in a word, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound(_) | Self::NoUpload(_) => "not_found",
            Self::Taken { .. } => "taken",
            Self::Mismatch { .. } => "damaged",
            Self::TooLarge { .. } | Self::Range { .. } => "too_large",
            Self::Offset { .. } | Self::Source(_) => "broken_off",
            Self::FullDisk(_) | Self::NoRoom { .. } | Self::Cache { .. } => "no_room",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Whether the same call may succeed later, without anyone changing it.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::FullDisk(_) | Self::Unavailable(_) | Self::Cache { .. } | Self::NoRoom { .. })
    }

    /// Classifies an error of the file system.
    pub(super) fn io(error: &io::Error) -> Self {
        Self::of_kind(error.kind(), error.to_string())
    }

    /// Classifies an error of the object store about `key`.
    pub(super) fn store(key: &BlobKey, error: object_store::Error) -> Self {
        use object_store::Error as E;
        match error {
            E::NotFound { .. } => Self::NotFound(key.clone()),
            E::PermissionDenied { .. }
            | E::Unauthenticated { .. }
            | E::InvalidPath { .. }
            | E::NotSupported { .. }
            | E::NotImplemented { .. } => Self::Refused(error.to_string()),
            error => Self::caused(&error),
        }
    }

    /// Classifies an error of the object store in writing `key`: what is not there can only be the place to
    /// write to.
    pub(super) fn writing(key: &BlobKey, error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { source, .. } => {
                Self::Refused(format!("its bucket or container is not there, create it: {source}"))
            }
            error => Self::store(key, error),
        }
    }

    /// Classifies an error by the system's error among its causes, if there is one.
    pub(super) fn caused(error: &(dyn Error + 'static)) -> Self {
        let mut causes = std::iter::successors(Some(error), |&cause| cause.source());
        let of_system = causes.find_map(|cause| cause.downcast_ref::<io::Error>());
        let said = with_remedy(with_causes(&error.to_string(), error));
        match of_system {
            Some(io) => Self::of_kind(io.kind(), said),
            None => Self::Unavailable(said),
        }
    }

    fn of_kind(kind: io::ErrorKind, message: String) -> Self {
        use io::ErrorKind as K;
        match kind {
            // A limit on the size of files is as good as a full disk.
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Self::FullDisk(message),
            K::PermissionDenied | K::ReadOnlyFilesystem | K::NotADirectory | K::IsADirectory => {
                Self::Refused(message)
            }
            _ => Self::Unavailable(message),
        }
    }
}

/// What was said of an error, and what to do about a certificate.
fn with_remedy(said: String) -> String {
    // As rustls says it.
    match said.contains("invalid peer certificate") {
        true => format!("{said}: mend it, or name the authority it comes from by --blobs-ca"),
        false => said,
    }
}

/// A blob store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenBlobsError {
    /// The folder is in use or cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] BlobError),
    /// What is known of a remote store is not enough to reach it, or not safe.
    #[error("{0}")]
    Setup(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_found_below_the_surface() {
        let key = BlobKey::try_new("k").unwrap();
        let wrap = |kind: io::ErrorKind| {
            let source = Box::new(io::Error::from(kind));
            BlobError::store(&key, object_store::Error::Generic { store: "test", source })
        };
        assert!(matches!(wrap(io::ErrorKind::StorageFull), BlobError::FullDisk(_)));
        assert!(matches!(wrap(io::ErrorKind::PermissionDenied), BlobError::Refused(_)));
        assert!(wrap(io::ErrorKind::ConnectionReset).is_transient());
        assert!(!wrap(io::ErrorKind::NotADirectory).is_transient());
        let said = wrap(io::ErrorKind::ConnectionRefused).to_string();
        assert_eq!(said.matches("connection refused").count(), 1, "{said}");
    }

    #[test]
    fn a_write_that_finds_nothing_lacks_its_bucket() {
        let key = BlobKey::try_new("k").unwrap();
        let missing = || object_store::Error::NotFound { path: "k".into(), source: "no such bucket".into() };
        assert!(matches!(BlobError::store(&key, missing()), BlobError::NotFound(_)));
        let said = BlobError::writing(&key, missing());
        assert!(matches!(&said, BlobError::Refused(_)), "{said:?}");
        assert!(said.to_string().contains("create it: no such bucket"), "{said}");
    }
}
