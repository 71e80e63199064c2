//! The binary against a coordinator without workers: rights, refusals, settings, shutting down.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command};

use support::{AUDIT, Done, finish, folder, refused, spawn, umbra};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Coordinator {
    child: Option<Child>,
    _out: BufReader<ChildStdout>,
    ready: String,
    server: String,
}

impl Coordinator {
    fn start(folder: &Path, more: &[&str]) -> Self {
        Self::start_at(folder, "127.0.0.1:0", more)
    }

    fn start_at(folder: &Path, address: &str, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_umbra"));
        command.current_dir(folder).args(["coordinator", "--listen", address, "--http", "127.0.0.1:0"]);
        command.args(["--log", "error", "--address-file", "address"]).args(more);
        let mut child = spawn(&mut command);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        out.read_line(&mut ready).unwrap();
        let address = fs::read_to_string(folder.join("address")).unwrap();
        Self { child: Some(child), _out: out, ready, server: format!("http://{}", address.trim()) }
    }

    fn ask(&self, folder: &Path, arguments: &[&str]) -> Done {
        umbra(folder, &[arguments, &["--server", &self.server]].concat())
    }

    /// Asks it to stop, as a supervisor would.
    fn terminate(mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        // Its stdout is read by this process already; what finish reads is empty.
        child.stdout = None;
        let mut err = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut err).unwrap();
        assert!(!err.contains("panicked"), "{err}");
        child.wait().unwrap().code()
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn callers_without_the_token_end_with_3() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("token"), TOKEN).unwrap();
    fs::write(folder.join("wrong"), TOKEN.replace('0', "1")).unwrap();
    let coordinator = Coordinator::start(folder, &["--token-file", "token", "--format", "json"]);
    assert!(coordinator.ready.starts_with("{\"event\":\"ready\""), "{}", coordinator.ready);
    refused(&coordinator.ask(folder, &["audit", "list"]), 3, &["--token-file"]);
    refused(&coordinator.ask(folder, &["audit", "list", "--token-file", "wrong"]), 3, &["--token-file"]);
    refused(&coordinator.ask(folder, &["audit", "watch", "a-1"]), 3, &["--token-file"]);
    let done = coordinator.ask(folder, &["audit", "list", "--token-file", "token"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), "no audits\n"), "{}", done.err);
    let worker = coordinator.ask(folder, &["worker", "--slots", "1", "--log", "error"]);
    assert_eq!(worker.code, Some(3), "{}", worker.err);
    assert_eq!(coordinator.terminate(), Some(0));
}

#[test]
fn data_sets_and_audits_are_kept_shown_and_refused() {
    let folder = folder();
    let folder = folder.path();
    let coordinator = Coordinator::start(folder, &[]);
    let import = ["dataset", "import", "d.csv", "--schema", "s.toml", "--name", "icu"];
    for _ in 0..2 {
        let done = coordinator.ask(folder, &import);
        assert!(done.code == Some(0) && done.out.contains("40 records of 40 units"), "{}", done.err);
    }
    fs::write(folder.join("d.csv"), "id,age,died\n1,5,0\n2,6,1\n3,7,0\n4,9,1\n").unwrap();
    refused(&coordinator.ask(folder, &import), 1, &["\"icu\" with other content is there already"]);

    let named = AUDIT.replace("path = \"d.csv\"\nschema = \"s.toml\"", "name = \"icu\"");
    fs::write(folder.join("named.toml"), &named).unwrap();
    fs::write(folder.join("absent.toml"), named.replace("icu", "ward")).unwrap();
    let done = coordinator.ask(folder, &["audit", "submit", "absent.toml"]);
    refused(&done, 2, &["absent.toml:4: dataset.name: there is no data set \"ward\""]);
    let first = coordinator.ask(folder, &["audit", "submit", "named.toml"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    let id = first.out.trim();
    assert_eq!(coordinator.ask(folder, &["audit", "submit", "named.toml"]).out.trim(), id);

    let shown = coordinator.ask(folder, &["audit", "get", id, "--format", "json"]).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["state"], &shown["spec"]["dataset"]["name"]), (&"running".into(), &"icu".into()));
    assert_eq!(shown["spec"].get("seed"), None);
    let list = coordinator.ask(folder, &["audit", "list", "--state", "running"]).out;
    assert!(list.lines().nth(1).is_some_and(|line| line.starts_with(id)), "{list}");
    refused(&coordinator.ask(folder, &["audit", "report", id, "--out", "o"]), 1, &["wait for it"]);
    refused(&coordinator.ask(folder, &["audit", "delete", id]), 1, &[]);
    refused(&coordinator.ask(folder, &["dataset", "delete", "icu"]), 1, &["delete the audit first"]);
    refused(&coordinator.ask(folder, &["dataset", "delete", "ward"]), 1, &["ward"]);
    refused(&coordinator.ask(folder, &["audit", "get", "nobody-1"]), 1, &["umbra audit list"]);

    assert_eq!(coordinator.ask(folder, &["audit", "cancel", id]).code, Some(0));
    refused(&coordinator.ask(folder, &["audit", "watch", id]), 1, &["was cancelled"]);
    let again = coordinator.ask(folder, &["audit", "submit", "named.toml"]);
    assert!(again.code == Some(0) && again.err.contains("is there already and cancelled"), "{}", again.err);
    assert_eq!(coordinator.ask(folder, &["audit", "delete", id]).code, Some(0));
    assert_eq!(coordinator.ask(folder, &["dataset", "delete", "icu"]).code, Some(0));
    assert_eq!(coordinator.ask(folder, &["dataset", "list"]).out, "no data sets\n");
    assert_eq!(coordinator.terminate(), Some(0));
}

#[test]
fn watching_goes_on_when_the_coordinator_is_back() {
    let folder = folder();
    let folder = folder.path();
    let mut coordinator = Coordinator::start(folder, &[]);
    let id = coordinator.ask(folder, &["audit", "submit", "AUDIT.toml"]).out.trim().to_owned();
    let mut watching = Command::new(env!("CARGO_BIN_EXE_umbra"));
    watching.args(["audit", "watch", &id, "--format", "json", "--server", &coordinator.server]);
    let mut watching = spawn(&mut watching);
    let mut shown = BufReader::new(watching.stdout.take().unwrap());
    let mut err = BufReader::new(watching.stderr.take().unwrap());
    let mut line = String::new();
    shown.read_line(&mut line).unwrap();
    assert!(line.contains("\"state\":\"running\""), "{line}");

    let mut killed = coordinator.child.take().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut lost = String::new();
    err.read_line(&mut lost).unwrap();
    assert!(lost.contains("lost the coordinator") && lost.contains("trying again"), "{lost}");
    let address = coordinator.server.trim_start_matches("http://");
    let coordinator = Coordinator::start_at(folder, address, &[]);
    assert_eq!(coordinator.ask(folder, &["audit", "cancel", &id]).code, Some(0));
    let last = shown.lines().map(Result::unwrap).last().unwrap();
    assert!(last.contains("\"state\":\"cancelled\""), "{last}");
    assert_eq!(watching.wait().unwrap().code(), Some(1));
    assert_eq!(coordinator.terminate(), Some(0));
}

#[test]
fn a_second_coordinator_is_refused_in_words() {
    let folder = folder();
    let folder = folder.path();
    let coordinator = Coordinator::start(folder, &[]);
    let address = coordinator.server.trim_start_matches("http://").to_owned();
    let taken =
        umbra(folder, &["coordinator", "--listen", &address, "--http", "127.0.0.1:0", "--state", "other"]);
    refused(&taken, 1, &["another process has this port"]);
    let state = umbra(folder, &["coordinator", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    refused(&state, 1, &["in use"]);
    assert_eq!(coordinator.terminate(), Some(0));
    let mut command = Command::new(env!("CARGO_BIN_EXE_umbra"));
    let stopped =
        finish(spawn(command.current_dir(folder).args(["audit", "list", "--server", "http://localhost:1"])));
    assert_eq!(stopped.status.code(), Some(4));
}
