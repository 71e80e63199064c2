//! Speaking with a coordinator directly.

use std::future::Future;

use tonic::Status;
use tonic::transport::Channel;
use umbra_proto::error::{Reason, violations};
use umbra_proto::v1;
use umbra_tests::Cluster;

/// Runs a conversation with a new coordinator, which must be healthy afterwards.
pub fn converse<F: Future<Output = ()>>(talk: impl FnOnce(Cluster) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(talk(Cluster::start(30)));
}

/// A connection to the coordinator.
pub async fn channel(cluster: &Cluster) -> Channel {
    let endpoint = Channel::from_shared(cluster.server()).expect("it is an address");
    endpoint.connect().await.expect("the coordinator listens")
}

/// Asserts that a call was refused, with a reason and a sentence.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, reason: Reason, what: &str) -> Status {
    let status = answer.expect_err(what);
    assert_eq!(Reason::of(&status), Some(reason), "{what}: {status:?}");
    assert_eq!(status.code(), reason.code(), "{what}");
    assert!(status.message().len() > 10, "{what}: {status:?}");
    status
}

/// Asserts that a call was refused for these fields and no other.
pub fn refused_fields<T: std::fmt::Debug>(answer: Result<T, Status>, fields: &[&str], what: &str) {
    let status = refused(answer, Reason::InvalidArgument, what);
    let found: Vec<_> = violations(&status).into_iter().map(|violation| violation.field).collect();
    assert_eq!(found, fields, "{what}: {status:?}");
}

/// A small audit of a data set.
pub fn spec(dataset: &str) -> v1::AuditSpec {
    v1::AuditSpec {
        name: "a".into(),
        seed: 1,
        dataset: dataset.into(),
        model: Some(v1::ModelSpec { architecture: "mlp".into(), widths: vec![8], ..Default::default() }),
        training: Some(v1::TrainingSpec {
            learning_rate: Some(0.05),
            batch: Some(256),
            epochs: Some(1),
            ..v1::TrainingSpec::default()
        }),
        shadows: Some(v1::ShadowSpec { count: Some(16), block: Some(8), population: None }),
        ..v1::AuditSpec::default()
    }
}

/// Imports the bundled table as "icu".
pub fn import(cluster: &Cluster) {
    let data = format!("{}/data", env!("CARGO_MANIFEST_DIR"));
    let (table, schema) = (format!("{data}/support2.parquet"), format!("{data}/support2.schema.toml"));
    cluster.ask(&["dataset", "import", &table, "--schema", &schema, "--name", "icu"]).expect(0);
}
