//! What tests do with a cluster, be it of one coordinator or of several.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::audit::Audit;
use crate::binary::Done;
use crate::cluster::{Worker, said};
use crate::findings::Findings;
use crate::journal::{Entry, Journal};
use crate::process::Process;

/// Submits an audit by commands that `ask` runs, and answers with its id.
pub(crate) fn submit(ask: impl Fn(&[&str]) -> Done, folder: &Path, audit: &Audit) -> String {
    let file = audit.write(folder);
    let done = ask(&["audit", "submit", &file.display().to_string()]).expect(0);
    done.json()["id"].as_str().expect("an audit has an id").to_owned()
}

/// Waits for the end of an audit, which must succeed, and fetches its findings into a folder.
pub(crate) fn findings(ask: impl Fn(&[&str]) -> Done, folder: &Path, audit: &str) -> Findings {
    let done = ask(&["audit", "watch", audit]).expect(0);
    assert_eq!(done.json()["state"], "succeeded");
    let out = folder.join(format!("findings-of-{audit}"));
    ask(&["audit", "report", audit, "--out", &out.display().to_string()]).expect(0);
    Findings::read(&out)
}

/// The arguments of a worker.
pub(crate) fn worker_arguments<'a>(server: &'a str, slots: &'a str, scratch: &'a str) -> [&'a str; 9] {
    ["--format", "json", "worker", "--server", server, "--slots", slots, "--scratch", scratch]
}

/// Starts a worker by its command and waits until a coordinator has taken it.
pub(crate) fn begin_worker(journal: &Journal, name: &str, command: Command) -> Worker {
    let before = journal.now();
    let process = Process::start(name, command, journal);
    let started = said(journal, name, "started");
    let id = started.json()["worker"].as_str().expect("a worker says its id").to_owned();
    journal.wait(before, "the worker to join", |entry| {
        entry.message() == "worker joined" && entry.text("worker") == id
    });
    Worker { process, id }
}

/// Where a coordinator that has said that it is ready listens: gRPC and HTTP.
pub(crate) fn addresses(ready: &Entry) -> [SocketAddr; 2] {
    ["grpc", "http"].map(|key| {
        let text = ready.json()[key].as_str().expect("a coordinator says where it listens").to_owned();
        text.parse().expect("it is an address")
    })
}

/// Asserts that nobody has panicked.
pub(crate) fn assert_nobody_panicked(journal: &Journal) {
    for entry in journal.past() {
        let panicked = entry.line.as_ref().is_some_and(|line| line.contains("panicked"));
        assert!(!panicked, "{entry}");
    }
}
