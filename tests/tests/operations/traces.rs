//! An audit is one trace across the processes that do it.

use std::collections::BTreeSet;

use umbra_tests::{Audit, Cluster, Signal, turn};

use crate::collector::{Collector, Sent};

fn to(endpoint: &str) -> [(String, String); 1] {
    [("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint.to_owned())]
}

#[test]
fn an_audit_is_one_trace_across_three_processes_and_a_restart() {
    let _turn = turn();
    let collector = Collector::start();
    let endpoint = format!("http://{}", collector.address);
    let settings = ["--lease", "5"];
    let mut cluster = Cluster::in_environment(&settings, &to(&endpoint));
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::tiny());
    // What knows of the trace is gone; what is stored is not.
    assert_eq!(cluster.restart(Signal::Terminate), Some(0));
    let mut worker = cluster.worker("worker", 1);
    cluster.findings(&id);
    // A line of the log says which trace it is part of.
    let begun = cluster.journal.wait(before, "a line of a pack", |entry| {
        worker.said(entry, "the pack is done") && entry.field("span").is_some()
    });
    let logged = begun.field("span").unwrap()["trace_id"].as_str().unwrap_or_default().to_owned();
    // What is left is sent at the end of each process.
    worker.process.signal(Signal::Terminate);
    assert_eq!(worker.process.exit_code(), Some(0));
    cluster.stop();

    let spans = collector.spans();
    let of = |name: &str| -> Vec<&Sent> { spans.iter().filter(|span| span.name == name).collect() };
    let packs = of("pack");
    assert_eq!(packs.len() as u64, Audit::tiny().packs());
    let trace = &packs[0].trace;
    let hexadecimal: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(logged, hexadecimal);
    let in_trace: Vec<&Sent> = spans.iter().filter(|span| span.trace == *trace).collect();
    let services: BTreeSet<&str> = in_trace.iter().map(|span| span.service.as_str()).collect();
    assert_eq!(services, BTreeSet::from(["umbra", "umbra-coordinator", "umbra-worker"]));

    for (name, service, times) in [
        ("umbra.v1.AuditService/CreateAudit", "umbra-coordinator", 1),
        ("assign", "umbra-coordinator", packs.len()),
        ("pack", "umbra-worker", packs.len()),
        ("ingest", "umbra-coordinator", packs.len()),
        ("analyse", "umbra-coordinator", 1),
    ] {
        let named: Vec<_> = in_trace.iter().filter(|span| span.name == name).collect();
        assert_eq!(named.len(), times, "{name}");
        for span in named {
            assert_eq!(span.service, service, "{name}");
            if name != "umbra.v1.AuditService/CreateAudit" {
                assert_eq!(span.attribute("audit"), Some(id.as_str()), "{name}");
            }
        }
    }
    // Publishing is part of its pack.
    let writes = in_trace.iter().filter(|span| span.name == "umbra.v1.WorkerService/WriteBlob");
    let parents: BTreeSet<_> = writes.map(|span| &span.parent).collect();
    assert_eq!(parents, packs.iter().map(|span| &span.id).collect());
    for pack in &packs {
        let above = in_trace.iter().find(|span| span.id == pack.parent).unwrap();
        assert_eq!(above.name, "assign");
        for name in ["audit", "pack", "fence"] {
            assert_eq!(pack.attribute(name), above.attribute(name), "{name}");
        }
        assert!(pack.attribute("slot").is_some());
    }
    // Signs of life and questions about health are no traces.
    assert!(of("umbra.v1.WorkerService/Connect").iter().all(|span| !span.parent.is_empty()));
}

#[test]
fn a_collector_that_is_away_costs_one_warning() {
    let _turn = turn();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{free}");
    let cluster = Cluster::in_environment(&[], &to(&endpoint));
    let _worker = cluster.worker("worker", 1);
    let id = cluster.submit(&Audit::tiny());
    cluster.findings(&id);
    let listed = cluster.ask(&["audit", "list"]).expect(0);
    assert_eq!(listed.err.matches("cannot send traces").count(), 1, "{listed:?}");
    let cluster = Cluster::in_environment(&[], &to("https://[nowhere"));
    let listed = cluster.ask(&["audit", "list"]).expect(0);
    assert!(listed.err.contains("go on without traces: name a collector"), "{listed:?}");
}
