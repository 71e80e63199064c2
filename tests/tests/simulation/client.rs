//! Somebody who submits an audit and waits for its findings, whatever happens to the coordinators.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use tonic::transport::Endpoint;
use tonic::{Response, Status};
use umbra_core::digest::Digest;
use umbra_data::Imported;
use umbra_proto::error::{LEADER_HEADER, Reason};
use umbra_proto::v1::audit_service_client::AuditServiceClient;
use umbra_proto::v1::dataset_service_client::DatasetServiceClient;
use umbra_proto::v1::findings_service_client::FindingsServiceClient;
use umbra_proto::v1::upload_dataset_request::Part;
use umbra_proto::{CHUNK, v1};
use umbra_runtime::{Following, Servers};

use crate::net::dial;
use crate::stage::addresses;

/// The findings, by the name of the file: all that do not tell of the run.
pub type Findings = BTreeMap<String, Vec<u8>>;

/// How long one call may take before it is made again.
const PATIENCE: Duration = Duration::from_secs(8);

/// 32 shadows in 4 blocks, 16 packs of 38 steps.
fn spec() -> v1::AuditSpec {
    v1::AuditSpec {
        name: "simulated".into(),
        seed: 7,
        dataset: "people".into(),
        model: Some(v1::ModelSpec { architecture: "logistic".into(), widths: vec![], ..Default::default() }),
        training: Some(v1::TrainingSpec {
            learning_rate: Some(0.1),
            batch: Some(16),
            epochs: Some(2),
            ..v1::TrainingSpec::default()
        }),
        shadows: Some(v1::ShadowSpec { count: Some(32), block: Some(8), population: None }),
        placement: Some(v1::PlacementSpec { pack: Some(2), checkpoint_steps: Some(8), ..Default::default() }),
        statistics: Some(v1::StatisticsSpec::default()),
        ..v1::AuditSpec::default()
    }
}

/// Makes a call until it is answered. Every call here may be made twice.
async fn insist<T>(mut call: impl AsyncFnMut() -> Result<Response<T>, Status>) -> Result<T, Status> {
    loop {
        let answer = tokio::time::timeout(PATIENCE, call()).await;
        match answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time"))) {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => match Reason::of(&status) {
                None | Some(Reason::Unavailable | Reason::NotLeader) => {}
                Some(_) => return Err(status),
            },
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn connect() -> Following {
    let mut endpoints =
        addresses().map(|address| Endpoint::from_shared(address).expect("it is one")).into_iter();
    let first = endpoints.next().expect("there are three");
    let make = |name: &str| Endpoint::from_shared(name.to_owned()).ok();
    Servers::new(first, endpoints, LEADER_HEADER, make, dial).connection()
}

/// Audits the people and answers with the findings.
pub async fn audit(people: &Imported) -> Result<Findings, Box<dyn std::error::Error>> {
    let following = connect();
    let mut sets = DatasetServiceClient::new(following.clone());
    insist(async || sets.upload_dataset(futures::stream::iter(parts(people))).await).await?;
    let mut audits = AuditServiceClient::new(following.clone());
    let request = v1::CreateAuditRequest { spec: Some(spec()), request_id: "simulated".into() };
    let created = insist(async || audits.create_audit(request.clone()).await).await?;
    let id = created.audit.unwrap_or_default().id;
    loop {
        let request = v1::GetAuditRequest { id: id.clone() };
        let audit = insist(async || audits.get_audit(request.clone()).await).await?.audit.unwrap_or_default();
        match audit.state() {
            v1::AuditState::Succeeded => break,
            v1::AuditState::Running | v1::AuditState::Analysing => {}
            state => return Err(format!("the audit ended {state:?}: {:?}", audit.fault).into()),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut findings = FindingsServiceClient::new(following);
    let request = v1::ListFilesRequest { audit_id: id.clone() };
    let files = insist(async || findings.list_files(request.clone()).await).await?.files;
    let mut all = Findings::new();
    for file in files.into_iter().filter(|file| file.name != "run.json") {
        let request = v1::DownloadFileRequest { audit_id: id.clone(), name: file.name.clone(), offset: 0 };
        let bytes = insist(async || {
            let mut chunks = findings.download_file(request.clone()).await?.into_inner();
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.next().await {
                bytes.extend_from_slice(&chunk?.chunk);
            }
            Ok(Response::new(bytes))
        })
        .await?;
        all.insert(file.name, bytes);
    }
    Ok(all)
}

fn parts(people: &Imported) -> Vec<v1::UploadDatasetRequest> {
    let header = v1::UploadDatasetHeader {
        name: "people".into(),
        digest: people.digest.to_string(),
        sha256: Digest::of(&people.bytes).as_bytes().to_vec(),
        size: people.bytes.len() as u64,
    };
    let chunks = people.bytes.chunks(CHUNK).map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts = std::iter::once(Part::Header(header)).chain(chunks);
    parts.map(|part| v1::UploadDatasetRequest { part: Some(part) }).collect()
}
