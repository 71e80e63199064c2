//! Registered data sets: finding, checking and opening them.

use std::ops::Deref;

use tonic::Status;
use umbra_core::digest::Digest;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::ids::DatasetName;
use umbra_core::shape::DataShape;
use umbra_data::{DataError, Dataset};
use umbra_proto::error::{Reason, refuse};
use umbra_proto::store::v1::StoredDataset;
use umbra_runtime::blobs::{BlobError, BlobKey};

use crate::engine::records::decode;
use crate::facts::DatasetFacts;
use crate::files::{self, BlobFile};
use crate::keys;
use crate::measures;
use crate::shell::Shell;
use crate::store::{Entry, StoreError, read_all};

/// The data set of a name, if there is one.
///
/// # Errors
/// A status if the store fails.
pub async fn find(shell: &Shell, name: &DatasetName) -> Result<Option<DatasetFacts>, Status> {
    let key = keys::dataset(name);
    let value = shell.store.get(&key).await.map_err(|error| store(&error))?;
    value.map(|value| facts(&Entry { key, value })).transpose()
}

/// All data sets, by name.
///
/// # Errors
/// A status if the store fails.
pub async fn all(shell: &Shell) -> Result<Vec<DatasetFacts>, Status> {
    let entries = read_all(shell.store.as_ref(), &keys::datasets()).await;
    entries.map_err(|error| store(&error))?.iter().map(facts).collect()
}

fn facts(entry: &Entry) -> Result<DatasetFacts, Status> {
    let stored = decode::<StoredDataset>(&entry.key, &entry.value.bytes);
    let stored = stored.map_err(|error| refuse(Reason::Internal, error.to_string()))?;
    DatasetFacts::from_stored(&stored).map_err(|error| refuse(Reason::Internal, error.to_string()))
}

/// A failed read of the meta store as a status.
pub fn store(error: &StoreError) -> Status {
    let reason = match error {
        StoreError::Unavailable(_) => Reason::Unavailable,
        StoreError::Corrupt(_) => Reason::Internal,
    };
    refuse(reason, error.to_string())
}

/// Opens what was uploaded and compares its content with what was announced.
///
/// # Errors
/// A status that says what is wrong with it.
pub async fn check(
    shell: &Shell,
    key: &BlobKey,
    sha256: &Digest,
    content: &Digest,
) -> Result<DataShape, Status> {
    let file = files::fetch(shell, key, sha256, shell.config.max_dataset_bytes).await;
    let file = file.map_err(|error| refuse(Reason::Unavailable, error.to_string()))?;
    let content = *content;
    let checked = tokio::task::spawn_blocking(move || {
        let dataset = Dataset::open(file.path())?;
        dataset.verify()?;
        Ok::<_, DataError>((dataset.digest(), dataset.shape()))
    });
    let checked = checked.await.map_err(|error| refuse(Reason::Internal, error.to_string()))?;
    let (found, shape) = checked.map_err(|error| {
        refuse(Reason::InvalidArgument, format!("the upload is not an encoded data set: {error}"))
    })?;
    if found != content {
        let message = format!("the upload's content is {found}, not {content}: import it again");
        return Err(refuse(Reason::DigestMismatch, message));
    }
    Ok(shape)
}

/// A data set that is open, and the file that it is mapped from.
pub struct OpenDataset {
    dataset: Dataset,
    // Kept where it is as long as it is mapped.
    _file: BlobFile,
}

impl Deref for OpenDataset {
    type Target = Dataset;

    fn deref(&self) -> &Dataset {
        &self.dataset
    }
}

/// Opens a registered data set.
///
/// # Errors
/// A fault if its bytes are gone or damaged.
pub async fn open_dataset(shell: &Shell, dataset: &DatasetFacts) -> Result<OpenDataset, Fault> {
    let damaged = |what: String| Fault::new(Domain::Data, Retry::Never, what);
    let key = BlobKey::try_new(dataset.key.as_str()).map_err(|error| damaged(error.to_string()))?;
    let file = files::fetch(shell, &key, &dataset.sha256, shell.config.max_dataset_bytes).await;
    let file = file.map_err(|error| blob_fault(&error))?;
    let opened = tokio::task::spawn_blocking(move || {
        Dataset::open(file.path()).map(|dataset| OpenDataset { dataset, _file: file })
    })
    .await;
    let opened = opened.map_err(|error| Fault::new(Domain::Bug, Retry::Never, error.to_string()))?;
    let opened = opened.map_err(|error| damaged(format!("data set {}: {error}", dataset.name)))?;
    if opened.digest() != dataset.digest {
        return Err(damaged(format!("data set {} is damaged: import it again", dataset.name)));
    }
    Ok(opened)
}

/// A failed blob operation as a fault: what is gone or damaged stays so, the rest may pass.
pub fn blob_fault(error: &BlobError) -> Fault {
    measures::blob_failed(error);
    let retry = match error {
        BlobError::NotFound(_) | BlobError::Mismatch { .. } | BlobError::Refused(_) => Retry::Never,
        _ => Retry::Backoff,
    };
    Fault::new(Domain::Store, retry, error.to_string())
}
