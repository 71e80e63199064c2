//! Whole processes over a real S3 server, where there is one: the findings are those over a local folder.

use std::sync::OnceLock;

use umbra_tests::{Audit, Cluster, Findings, S3, command, run, turn};

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
    let through = cluster.worker("through", 1);
    let direct = cluster.worker_with("direct", 1, &["--blobs", &place()]);
    let id = cluster.submit(&Audit::medium());
    cluster.findings(&id).assert_same(local(), "over an object store");
    let past = cluster.journal.past();
    for worker in [&through, &direct] {
        assert!(past.iter().any(|entry| worker.said(entry, "the pack is done")), "{}", worker.id);
    }
    assert_eq!(cluster.metrics().of("umbra_stale_fences_refused_total"), 0.0);
    cluster.assert_healthy();
}

#[test]
fn bytes_of_a_direct_worker_do_not_go_through_the_coordinator() {
    let _turn = turn();
    let Some(s3) = S3::start(1) else { return };
    let cluster = cluster(&s3);
    let _direct = cluster.worker_with("direct", 1, &["--blobs", &place()]);
    let id = cluster.submit(&Audit::tiny());
    cluster.findings(&id);
    assert_eq!(cluster.metrics().of("umbra_worker_bytes_written_total"), 0.0);
    assert!(cluster.metrics().of("umbra_ingested_bytes_total") > 0.0);
    cluster.assert_healthy();
}

#[test]
fn a_store_that_goes_away_in_the_middle_is_waited_for() {
    let _turn = turn();
    let Some(mut s3) = S3::start(1) else { return };
    let cluster = cluster(&s3);
    let (through, direct) =
        (cluster.worker("through", 1), cluster.worker_with("direct", 1, &["--blobs", &place()]));
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::medium());
    for worker in [&through, &direct] {
        cluster.journal.wait(before, "a first pack", |entry| worker.said(entry, "the pack is done"));
    }
    s3.stop();
    let gone = cluster.journal.now();
    // The fault fired: both miss it.
    for worker in [&through, &direct] {
        cluster
            .journal
            .wait(gone, "a worker to wait", |entry| worker.said(entry, "wait to go on writing a blob"));
    }
    s3.restart();
    cluster.findings(&id).assert_same(local(), "after the object store was away");
    assert_eq!(cluster.metrics().of("umbra_stale_fences_refused_total"), 0.0);
    cluster.assert_healthy();
}

#[test]
fn a_worker_with_another_store_is_refused_in_words() {
    let _turn = turn();
    let Some(s3) = S3::start(1) else { return };
    let cluster = cluster(&s3);
    let other = format!("s3://{}/elsewhere", S3::BUCKET);
    let server = cluster.server();
    let arguments =
        ["worker", "--server", &server, "--slots", "1", "--scratch", "scratch", "--blobs", &other];
    let mut command = command(cluster.folder(), &arguments);
    command.envs(s3.environment());
    let refused = run(command).expect(1);
    assert!(refused.err.contains("are in another store than the coordinator's"), "{}", refused.err);
    assert!(refused.err.contains("or leave the worker's out"), "{}", refused.err);
    cluster.assert_healthy();
}
