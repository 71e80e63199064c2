//! Errors of the inner parts as statuses.

use tonic::Status;
use umbra_core::ids::{AuditId, DatasetName};
use umbra_proto::error::{Reason, bad_field, refuse};
use umbra_runtime::blobs::BlobError;

use crate::engine::EngineGone;
use crate::measures;

/// The engine is gone or gave no answer.
pub fn gone(error: EngineGone) -> Status {
    refuse(Reason::Unavailable, error.to_string())
}

/// A blob operation failed.
pub fn blob(error: &BlobError) -> Status {
    let reason = match error {
        BlobError::NotFound(_) => Reason::NotFound,
        BlobError::Taken { .. } => Reason::AlreadyExists,
        BlobError::Mismatch { .. } => Reason::DigestMismatch,
        BlobError::TooLarge { .. } => Reason::TooLarge,
        BlobError::Range { .. } => Reason::InvalidArgument,
        BlobError::Refused(_) => Reason::Internal,
        // A full disk may be freed, of two streams of one upload one may go on where both are, and an upload
        // that another stream has lost begins anew: whoever sends waits and asks how much has arrived.
        BlobError::FullDisk(_)
        | BlobError::NoUpload(_)
        | BlobError::NoRoom { .. }
        | BlobError::Cache { .. }
        | BlobError::Offset { .. } => Reason::Unavailable,
        BlobError::Unavailable(_) | BlobError::Source(_) => Reason::Unavailable,
    };
    measures::blob_failed(error);
    if matches!(reason, Reason::Internal | Reason::Unavailable) {
        tracing::warn!(%error, "blob operation failed");
    }
    refuse(reason, error.to_string())
}

/// There is no such audit.
pub fn no_audit(id: &str) -> Status {
    refuse(Reason::NotFound, format!("there is no audit {id:.80}: `umbra audit list` shows what there is"))
}

/// There is no such data set.
pub fn no_dataset(name: &DatasetName) -> Status {
    let hint = "import it with `umbra dataset import`";
    refuse(Reason::NotFound, format!("there is no data set {name}: {hint}"))
}

/// An audit's id from a message.
pub fn audit_id(field: &str, text: &str) -> Result<AuditId, Status> {
    AuditId::try_new(text).map_err(|error| bad_field(field, error.to_string()))
}

#[cfg(test)]
mod tests {
    use umbra_runtime::blobs::{BlobKey, UploadId};

    use super::*;

    /// The worker gives a pack up where it is told that what it asks for is not there.
    #[test]
    fn a_lost_upload_is_sent_again_and_a_lost_blob_is_not() {
        let lost = BlobError::NoUpload(UploadId::try_new("u").unwrap());
        assert_eq!(Reason::of(&blob(&lost)), Some(Reason::Unavailable));
        let missing = BlobError::NotFound(BlobKey::try_new("k").unwrap());
        assert_eq!(Reason::of(&blob(&missing)), Some(Reason::NotFound));
    }
}
