//! Uploading an encoded data set.

use tokio_stream::StreamExt as _;
use tonic::Code;
use umbra_proto::{CHUNK, v1};

use super::{Remote, ask};
use crate::dataset::Encoded;
use crate::exit::Failure;

/// Registers a data set under a name; one that is registered already with the same content is not sent
/// again.
///
/// # Errors
/// If the name has other content, or the call fails.
pub async fn upload(remote: &Remote, name: &str, set: &Encoded) -> Result<v1::Dataset, Failure> {
    if let Some(existing) = find(remote, name).await? {
        if existing.digest == set.digest.to_string() {
            return Ok(existing);
        }
        return Err(Failure::failed(format!(
            "a data set \"{name}\" with other content is there already: choose another name, or delete it \
             first with `umbra dataset delete {name}`"
        )));
    }
    let header = v1::UploadDatasetHeader {
        name: name.to_owned(),
        digest: set.digest.to_string(),
        sha256: set.sha256.as_bytes().to_vec(),
        size: set.bytes.len() as u64,
    };
    let part = |part| v1::UploadDatasetRequest { part: Some(part) };
    let first = part(v1::upload_dataset_request::Part::Header(header));
    let parts = || {
        let bytes = set.bytes.clone();
        let starts = (0..bytes.len()).step_by(CHUNK);
        let chunks = starts.map(move |start| {
            let end = bytes.len().min(start + CHUNK);
            part(v1::upload_dataset_request::Part::Chunk(bytes.slice(start..end)))
        });
        tokio_stream::once(first.clone()).chain(tokio_stream::iter(chunks))
    };
    let answer = remote.call(async || remote.datasets().upload_dataset(parts()).await).await;
    remote.given(answer.map_err(|status| remote.failure(&status))?.dataset)
}

/// A data set by its name, if there is one.
///
/// # Errors
/// If the call fails.
pub async fn find(remote: &Remote, name: &str) -> Result<Option<v1::Dataset>, Failure> {
    let request = v1::GetDatasetRequest { name: name.to_owned() };
    match remote.call(async || remote.datasets().get_dataset(ask(request.clone())).await).await {
        Ok(answer) => remote.given(answer.dataset).map(Some),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(remote.failure(&status)),
    }
}
