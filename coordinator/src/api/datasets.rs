//! Data sets: upload, look, delete.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use umbra_core::digest::Digest;
use umbra_core::ids::DatasetName;
use umbra_core::places;
use umbra_proto::convert::{digest, shape_to};
use umbra_proto::error::{Reason, bad_field, refuse};
use umbra_proto::v1;
use umbra_proto::v1::dataset_service_server::DatasetService;
use umbra_proto::v1::upload_dataset_request::Part;
use umbra_runtime::blobs::{BlobError, BlobKey, Uploads};

use super::pages::page;
use super::receive::{Announced, Hearing, receive};
use super::refusals::{self, gone, no_dataset};
use crate::datasets;
use crate::engine::Command;
use crate::facts::DatasetFacts;
use crate::shell::{Shell, place};
use crate::time::timestamp;

/// The data set service.
pub struct Datasets {
    shell: Arc<Shell>,
    uploads: Arc<Uploads>,
}

impl Datasets {
    /// Over a running coordinator; `uploads` bounds what is taken.
    pub fn new(shell: Arc<Shell>, uploads: Arc<Uploads>) -> Self {
        Self { shell, uploads }
    }

    /// Registers what was uploaded, if it is what was announced.
    async fn register(
        &self,
        name: DatasetName,
        content: Digest,
        sha256: Digest,
        key: &BlobKey,
    ) -> Result<DatasetFacts, Status> {
        let _kept = self.shell.dataset_bytes.read().await;
        let size = match self.shell.blobs.head(key).await {
            Ok(info) => info.size,
            Err(BlobError::NotFound(_)) => {
                let message = "the bytes went with a data set that was deleted meanwhile: send them again";
                return Err(refuse(Reason::Unavailable, message));
            }
            Err(error) => return Err(refusals::blob(&error)),
        };
        let shape = datasets::check(&self.shell, key, &sha256, &content).await?;
        let created = self.shell.clock.unix_ms();
        let dataset =
            DatasetFacts { name, digest: content, shape, key: key.to_string(), sha256, size, created };
        let register = |reply| Command::Register { dataset, reply };
        let registered = self.shell.engine.ask(register).await.map_err(gone)?;
        if registered.digest == content { Ok(registered) } else { Err(taken(&registered)) }
    }

    /// Removes bytes that no data set has.
    async fn remove_unnamed(&self, key: &BlobKey, sha256: &Digest) -> Result<(), Status> {
        let _alone = self.shell.dataset_bytes.write().await;
        let all = datasets::all(&self.shell).await?;
        if all.iter().any(|dataset| dataset.sha256 == *sha256) {
            return Ok(());
        }
        self.shell.blobs.delete(key).await.map_err(|error| refusals::blob(&error))
    }
}

fn message(dataset: &DatasetFacts) -> v1::Dataset {
    v1::Dataset {
        name: dataset.name.to_string(),
        digest: dataset.digest.to_string(),
        shape: Some(shape_to(&dataset.shape)),
        blob: Some(dataset.blob()),
        create_time: Some(timestamp(dataset.created)),
    }
}

fn name_of(text: &str) -> Result<DatasetName, Status> {
    DatasetName::try_new(text).map_err(|error| bad_field("name", error.to_string()))
}

fn taken(dataset: &DatasetFacts) -> Status {
    let message = format!(
        "the data set name {} is taken by other content ({}): choose another name or delete it first",
        dataset.name,
        dataset.digest.short()
    );
    refuse(Reason::AlreadyExists, message)
}

#[tonic::async_trait]
impl DatasetService for Datasets {
    async fn upload_dataset(
        &self,
        request: Request<Streaming<v1::UploadDatasetRequest>>,
    ) -> Result<Response<v1::UploadDatasetResponse>, Status> {
        let mut stream = request.into_inner();
        let first = stream.message().await?.and_then(|message| message.part);
        let Some(Part::Header(header)) = first else {
            return Err(bad_field("header", "the first message of an upload is its header"));
        };
        let name = name_of(&header.name)?;
        let content: Digest =
            header.digest.parse().map_err(|_| bad_field("digest", "a digest is 64 hexadecimal digits"))?;
        let sha256 = digest("sha256", &header.sha256)?;
        let most = self.shell.config.max_dataset_bytes;
        if header.size > most {
            let message = format!("the data set has {} bytes, the limit is {most}", header.size);
            return Err(refuse(Reason::TooLarge, message));
        }
        if let Some(existing) = datasets::find(&self.shell, &name).await? {
            return if existing.digest == content {
                Ok(Response::new(v1::UploadDatasetResponse { dataset: Some(message(&existing)) }))
            } else {
                Err(taken(&existing))
            };
        }
        let key = BlobKey::try_new(places::dataset_blob(&sha256)).expect("a digest makes a valid key");
        let announced = Announced { key: key.clone(), sha256, size: header.size, offset: 0 };
        let chunks = stream.map(|message| match message?.part {
            Some(Part::Chunk(chunk)) => Ok(chunk),
            _ => Err(bad_field("chunk", "after the header only chunks are sent")),
        });
        let _place = place(&self.shell.heavy.imports, "data sets are being imported")?;
        // Two clients may send the same: the first to be through is enough for both.
        let superseded = CancellationToken::new();
        let hearing = Hearing { silence: self.shell.config.storage.silence, superseded };
        receive(&self.uploads, &announced, &hearing, chunks).await?;
        match self.register(name, content, sha256, &key).await {
            Ok(registered) => {
                Ok(Response::new(v1::UploadDatasetResponse { dataset: Some(message(&registered)) }))
            }
            Err(status) => {
                // Who sends again in a moment need not send the bytes again.
                let refused = Reason::of(&status) != Some(Reason::Unavailable);
                if refused && let Err(error) = self.remove_unnamed(&key, &sha256).await {
                    tracing::warn!(%key, %error, "leave the bytes of a refused upload behind");
                }
                Err(status)
            }
        }
    }

    async fn get_dataset(
        &self,
        request: Request<v1::GetDatasetRequest>,
    ) -> Result<Response<v1::GetDatasetResponse>, Status> {
        let name = name_of(&request.into_inner().name)?;
        let found = datasets::find(&self.shell, &name).await?.ok_or_else(|| no_dataset(&name))?;
        Ok(Response::new(v1::GetDatasetResponse { dataset: Some(message(&found)) }))
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let request = request.into_inner();
        let all: Vec<v1::Dataset> = datasets::all(&self.shell).await?.iter().map(message).collect();
        let (datasets, next_page_token) =
            page(&all, |dataset| &dataset.name, request.page_size, &request.page_token)?;
        Ok(Response::new(v1::ListDatasetsResponse { datasets, next_page_token }))
    }

    async fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<Response<v1::DeleteDatasetResponse>, Status> {
        let name = name_of(&request.into_inner().name)?;
        let found = datasets::find(&self.shell, &name).await?.ok_or_else(|| no_dataset(&name))?;
        let unregister = |reply| Command::Unregister { dataset: found.clone(), reply };
        if let Err(audit) = self.shell.engine.ask(unregister).await.map_err(gone)? {
            let message = format!("audit {audit} names the data set {name}: delete the audit first");
            return Err(refuse(Reason::WrongState, message));
        }
        let key = BlobKey::try_new(found.key).map_err(|error| refuse(Reason::Internal, error.to_string()))?;
        self.remove_unnamed(&key, &found.sha256).await?;
        Ok(Response::new(v1::DeleteDatasetResponse {}))
    }
}
