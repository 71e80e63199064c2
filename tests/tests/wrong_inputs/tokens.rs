//! Callers without the coordinator's token, or with another.

use std::fs;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use umbra_proto::error::Reason;
use umbra_proto::v1;
use umbra_proto::v1::audit_service_client::AuditServiceClient;
use umbra_proto::v1::cluster_service_client::ClusterServiceClient;
use umbra_proto::v1::dataset_service_client::DatasetServiceClient;
use umbra_proto::v1::findings_service_client::FindingsServiceClient;
use umbra_proto::v1::worker_service_client::WorkerServiceClient;
use umbra_tests::{Cluster, umbra};

use crate::speaking::{channel, refused};

const TOKEN: &str = "a-token-for-this-test-only";

fn guarded() -> (Cluster, tempfile::TempDir) {
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    fs::write(folder.path().join("token"), TOKEN).expect("a test can write to its folder");
    fs::write(folder.path().join("other"), "another-token-entirely").expect("a test can write to its folder");
    let file = folder.path().join("token").display().to_string();
    (Cluster::with_settings(&["--token-file", &file]), folder)
}

#[test]
fn every_service_wants_the_token() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (cluster, _folder) = guarded();
    runtime.expect("a runtime can be started").block_on(async {
        let channel = channel(&cluster).await;
        let almost = format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]);
        for header in [None, Some(""), Some(TOKEN), Some("Basic YTpi"), Some("Bearer"), Some(&almost)] {
            ask_everybody(&channel, header).await;
        }
        let right = format!("Bearer {TOKEN}");
        let with = with_header(&channel, Some(&right));
        let mut audits = AuditServiceClient::new(with);
        assert!(audits.list_audits(v1::ListAuditsRequest::default()).await.is_ok());
        cluster.assert_healthy();
    });
}

type Intercept = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;

fn with_header(channel: &Channel, header: Option<&str>) -> InterceptedService<Channel, Intercept> {
    let header = header.map(|header| header.parse().expect("it is ASCII"));
    let intercept: Intercept = Box::new(move |mut request: Request<()>| {
        if let Some(value) = &header {
            request.metadata_mut().insert("authorization", Clone::clone(value));
        }
        Ok(request)
    });
    InterceptedService::new(channel.clone(), intercept)
}

async fn ask_everybody(channel: &Channel, header: Option<&str>) {
    let what = format!("{header:?}");
    let with = || with_header(channel, header);
    let list = AuditServiceClient::new(with()).list_audits(v1::ListAuditsRequest::default()).await;
    refused(list, Reason::Unauthenticated, &what);
    let list = DatasetServiceClient::new(with()).list_datasets(v1::ListDatasetsRequest::default()).await;
    refused(list, Reason::Unauthenticated, &what);
    let list = ClusterServiceClient::new(with()).list_workers(v1::ListWorkersRequest::default()).await;
    refused(list, Reason::Unauthenticated, &what);
    let summary = FindingsServiceClient::new(with()).get_summary(v1::GetSummaryRequest::default()).await;
    refused(summary, Reason::Unauthenticated, &what);
    let read = WorkerServiceClient::new(with()).read_blob(v1::ReadBlobRequest::default()).await;
    refused(read, Reason::Unauthenticated, &what);
    let session = WorkerServiceClient::new(with()).connect(tokio_stream::empty()).await;
    refused(session, Reason::Unauthenticated, &what);
}

#[test]
fn commands_and_workers_without_the_right_token_end_with_3() {
    let (cluster, folder) = guarded();
    let server = cluster.server();
    let other = folder.path().join("other").display().to_string();
    for token in [&[][..], &["--token-file", &other]] {
        let list = umbra(folder.path(), &[&["audit", "list", "--server", &server], token].concat()).expect(3);
        assert!(list.err.contains("--token-file"), "{list:?}");
        let worker = ["worker", "--slots", "1", "--scratch", "scratch", "--server", &server];
        let worker = umbra(folder.path(), &[&worker, token].concat()).expect(3);
        assert!(worker.err.contains("token"), "{worker:?}");
    }
    let right = folder.path().join("token").display().to_string();
    umbra(folder.path(), &["audit", "list", "--server", &server, "--token-file", &right]).expect(0);
    cluster.assert_healthy();
}
