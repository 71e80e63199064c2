//! Whole processes over a real S3 server, where there is one: the findings are those over a local folder.

use std::sync::OnceLock;

use umbra_tests::{Audit, Cluster, Findings, S3, turn};

/// The findings over a local folder. Computed once.
fn local() -> &'static Findings {
    static FINDINGS: OnceLock<Findings> = OnceLock::new();
    FINDINGS.get_or_init(|| {
        let cluster = Cluster::start(30);
        let _worker = cluster.worker("local", 2);
        let id = cluster.submit(&Audit::medium());
        cluster.findings(&id)
    })
}

/// A coordinator over the server's bucket.
fn cluster(s3: &S3) -> Cluster {
    let place = place();
    Cluster::in_environment(&["--lease", "30", "--blobs", &place], &s3.environment())
}

fn place() -> String {
    format!("s3://{}/whole/processes", S3::BUCKET)
}

#[test]
fn an_audit_over_s3_finds_what_it_finds_over_a_folder() {
    let _turn = turn();
    let Some(s3) = S3::start(1) else { return };
    let cluster = cluster(&s3);
    let _through = cluster.worker("through", 1);
    let id = cluster.submit(&Audit::medium());
    cluster.findings(&id).assert_same(local(), "over an object store");
    assert_eq!(cluster.metrics().of("umbra_stale_fences_refused_total"), 0.0);
    cluster.assert_healthy();
}
