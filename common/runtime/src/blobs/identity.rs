//! Who a store is, so that two processes know whether they use the same one.

use bytes::Bytes;

use super::BlobStore;
use super::error::BlobError;
use super::key::BlobKey;

/// The blob that says it. No collection of unnamed blobs looks at its folder.
const KEY: &str = "meta/store-id";
/// Its bytes: 32 hexadecimal digits.
const LENGTH: usize = 32;

impl BlobStore {
    /// The store's id, drawn at random by whoever asks first, the same for all who ask later.
    ///
    /// # Errors
    /// What the store says; [`BlobError::Refused`] if what lies at its place is no id.
    pub async fn identity(&self) -> Result<String, BlobError> {
        let key = BlobKey::try_new(KEY).expect("it is two good segments");
        match self.get(&key, LENGTH as u64).await {
            Err(BlobError::NotFound(_)) => {}
            found => return read(&found?),
        }
        let mut bytes = [0; LENGTH / 2];
        getrandom::fill(&mut bytes).map_err(|error| {
            BlobError::Refused(format!("this system has no source of random numbers: {error}"))
        })?;
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.put(&key, Bytes::from(id.clone())).await {
            Ok(_) => Ok(id),
            // Somebody was faster.
            Err(BlobError::Taken { .. }) => read(&self.get(&key, LENGTH as u64).await?),
            Err(error) => Err(error),
        }
    }
}

fn read(bytes: &[u8]) -> Result<String, BlobError> {
    let id = std::str::from_utf8(bytes).ok();
    let id = id.filter(|id| id.len() == LENGTH && id.bytes().all(|c| c.is_ascii_hexdigit()));
    id.map(str::to_owned).ok_or_else(|| BlobError::Refused(format!("{KEY} holds no id: remove it")))
}
