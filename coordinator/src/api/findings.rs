//! Findings: the summary and the files.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use umbra_proto::convert::digest;
use umbra_proto::error::{Reason, refuse};
use umbra_proto::store::v1::{StoredEnd, StoredFile};
use umbra_proto::v1;
use umbra_proto::v1::findings_service_server::FindingsService;
use umbra_runtime::blobs::BlobKey;

use super::give::give;
use super::refusals::{self, audit_id, no_audit};
use crate::datasets::store;
use crate::engine::records::decode;
use crate::keys;
use crate::shell::Shell;

/// The largest summary that is sent.
const MAX_SUMMARY: u64 = 3 << 20;

/// The findings service.
pub struct Findings(Arc<Shell>);

impl Findings {
    /// Over a running coordinator.
    pub fn new(shell: Arc<Shell>) -> Self {
        Self(shell)
    }

    async fn files(&self, text: &str) -> Result<Vec<StoredFile>, Status> {
        let id = audit_id("audit_id", text)?;
        let audit = self.0.shown(|board| board.get(&id))?.ok_or_else(|| no_audit(text))?;
        if audit.state() != v1::AuditState::Succeeded {
            let state = match audit.state() {
                v1::AuditState::Failed => "it failed",
                v1::AuditState::Cancelled => "it was cancelled",
                _ => "it has not ended: `umbra audit watch` waits for it",
            };
            return Err(refuse(Reason::WrongState, format!("audit {id} has no findings: {state}")));
        }
        let key = keys::ended(&id);
        let value = self.0.store.get(&key).await.map_err(|error| store(&error))?;
        let bytes = value.map(|value| value.bytes).unwrap_or_default();
        let end = decode::<StoredEnd>(&key, &bytes);
        Ok(end.map_err(|error| refuse(Reason::Internal, error.to_string()))?.files)
    }

    async fn file(&self, audit: &str, name: &str) -> Result<(BlobKey, v1::Blob), Status> {
        let files = self.files(audit).await?;
        let blob = files.iter().find(|file| file.name == name).and_then(|file| file.blob.clone());
        let blob = blob.ok_or_else(|| {
            let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
            refuse(
                Reason::NotFound,
                format!("there is no file {name:.80}: choose among {}", names.join(", ")),
            )
        })?;
        let key = BlobKey::try_new(blob.key.as_str())
            .map_err(|error| refuse(Reason::Internal, error.to_string()))?;
        Ok((key, blob))
    }
}

#[tonic::async_trait]
impl FindingsService for Findings {
    async fn get_summary(
        &self,
        request: Request<v1::GetSummaryRequest>,
    ) -> Result<Response<v1::GetSummaryResponse>, Status> {
        let (key, blob) = self.file(&request.into_inner().audit_id, "summary.json").await?;
        let sha256 = digest("sha256", &blob.sha256)?;
        let bytes = self.0.blobs.get_verified(&key, &sha256, MAX_SUMMARY).await;
        let summary_json = bytes.map_err(|error| refusals::blob(&error))?.to_vec();
        Ok(Response::new(v1::GetSummaryResponse { summary_json }))
    }

    async fn list_files(
        &self,
        request: Request<v1::ListFilesRequest>,
    ) -> Result<Response<v1::ListFilesResponse>, Status> {
        let files = self.files(&request.into_inner().audit_id).await?;
        let files = files.into_iter().map(|file| {
            let blob = file.blob.unwrap_or_default();
            v1::FindingsFile { name: file.name, sha256: blob.sha256, size: blob.size }
        });
        Ok(Response::new(v1::ListFilesResponse { files: files.collect() }))
    }

    type DownloadFileStream =
        Pin<Box<dyn Stream<Item = Result<v1::DownloadFileResponse, Status>> + Send + 'static>>;

    async fn download_file(
        &self,
        request: Request<v1::DownloadFileRequest>,
    ) -> Result<Response<Self::DownloadFileStream>, Status> {
        let request = request.into_inner();
        let (key, _) = self.file(&request.audit_id, &request.name).await?;
        let chunks = self.0.blobs.stream(&key, request.offset).await;
        let chunks = give(&self.0, key.to_string(), chunks.map_err(|error| refusals::blob(&error))?)?;
        let chunks = chunks.map(|chunk| Ok(v1::DownloadFileResponse { chunk: chunk? }));
        Ok(Response::new(Box::pin(chunks)))
    }
}
