//! A cluster of real processes on this machine: a coordinator, and workers by name.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::audit::Audit;
use crate::binary::{Done, binary, command, command_of, run};
use crate::errands;
use crate::findings::Findings;
use crate::http::{Metrics, get};
use crate::journal::{Entry, Journal, Place};
use crate::process::Process;
use crate::signal::Signal;

/// A coordinator in a folder of its own, and what its processes say.
pub struct Cluster {
    /// What everybody says.
    pub journal: Journal,
    coordinator: Process,
    /// What runs as the coordinator.
    program: PathBuf,
    lives: u32,
    grpc: SocketAddr,
    http: SocketAddr,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    // Last, so that it goes when the processes are gone.
    folder: TempDir,
}

/// A worker process.
pub struct Worker {
    /// The process; its name in the journal is the one it was started under.
    pub process: Process,
    /// The id it chose, as the coordinator's logs name it.
    pub id: String,
}

impl Worker {
    /// Whether an event of the coordinator's is about this worker: its `worker`, or the worker of its `slot`.
    pub fn is_meant(&self, entry: &Entry) -> bool {
        let slot = entry.field("slot").and_then(Value::as_str).and_then(|slot| slot.split(':').next());
        let worker = entry.field("worker").and_then(Value::as_str);
        worker.or(slot) == Some(self.id.as_str())
    }

    /// Whether this worker logged an event with this message.
    pub fn said(&self, entry: &Entry, message: &str) -> bool {
        entry.is(self.process.name(), message)
    }
}

impl Cluster {
    /// Starts a coordinator whose leases last so many seconds.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(lease_seconds: u32) -> Self {
        Self::with_settings(&["--lease", &lease_seconds.to_string()])
    }

    /// Starts a coordinator with settings of one's own.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with_settings(settings: &[&str]) -> Self {
        Self::in_environment(settings, &[])
    }

    /// Starts a coordinator with settings of one's own, it and its workers with more variables than the test has.
    ///
    /// # Panics
    /// If it does not start.
    pub fn in_environment(settings: &[&str], environment: &[(String, String)]) -> Self {
        Self::begin(binary(), settings, environment)
    }

    /// Starts the coordinator of another release, from its binary.
    ///
    /// # Panics
    /// If it does not start.
    pub fn of_release(program: &Path, settings: &[&str]) -> Self {
        Self::begin(program.to_owned(), settings, &[])
    }

    fn begin(program: PathBuf, settings: &[&str], environment: &[(String, String)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let journal = Journal::default();
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let environment = environment.to_vec();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (coordinator, grpc, http) =
            coordinate(&program, &journal, folder.path(), 1, [any, any], &settings, &environment);
        Self { journal, coordinator, program, lives: 1, grpc, http, settings, environment, folder }
    }

    /// Where files of the test may lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The coordinator's name in the journal; each life has its own.
    pub fn coordinator(&self) -> &str {
        self.coordinator.name()
    }

    /// The coordinator's gRPC address, as clients are given it.
    pub fn server(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// A connection to the gRPC port over which nothing is said.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.grpc).expect("the coordinator listens")
    }

    /// Starts a worker and waits until the coordinator has taken it.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn worker(&self, name: &str, slots: u32) -> Worker {
        self.worker_with(name, slots, &[])
    }

    /// Starts a worker with more settings and waits until the coordinator has taken it.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn worker_with(&self, name: &str, slots: u32, settings: &[&str]) -> Worker {
        self.begin_worker(&binary(), name, slots, settings)
    }

    /// Starts a worker of another release, from its binary, and waits until the coordinator has taken it.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn worker_of(&self, program: &Path, name: &str, slots: u32) -> Worker {
        self.begin_worker(program, name, slots, &[])
    }

    fn begin_worker(&self, program: &Path, name: &str, slots: u32, settings: &[&str]) -> Worker {
        let (server, slots, scratch) = (self.server(), slots.to_string(), self.folder().join("scratch"));
        let scratch = scratch.display().to_string();
        let arguments = [&errands::worker_arguments(&server, &slots, &scratch)[..], settings].concat();
        let mut command = command_of(program, self.folder(), &arguments);
        command.envs(self.environment.iter().cloned());
        errands::begin_worker(&self.journal, name, command)
    }

    /// Sends the coordinator a signal, waits for its end and starts it again over the same state, at the
    /// same addresses. Returns the exit code, none if the signal ended it.
    ///
    /// # Panics
    /// If it does not end, or not come back.
    pub fn restart(&mut self, signal: Signal) -> Option<i32> {
        self.restart_after(signal, |_| {})
    }

    /// Ends the coordinator in order and starts this release's over the same state, at the same addresses.
    ///
    /// # Panics
    /// If it does not exit with 0, or not come back.
    pub fn upgrade(&mut self) {
        self.program = binary();
        assert_eq!(self.restart(Signal::Terminate), Some(0), "the end of the old coordinator");
    }

    /// A restart with something done to its state folder while it is down.
    ///
    /// # Panics
    /// If it does not end, or not come back.
    pub fn restart_after(&mut self, signal: Signal, between: impl FnOnce(&Path)) -> Option<i32> {
        self.coordinator.signal(signal);
        let code = self.coordinator.exit_code();
        between(&state(self.folder()));
        self.lives += 1;
        let folder = self.folder.path();
        let addresses = [self.grpc, self.http];
        let (next, ..) = coordinate(
            &self.program,
            &self.journal,
            folder,
            self.lives,
            addresses,
            &self.settings,
            &self.environment,
        );
        self.coordinator = next;
        code
    }

    /// Ends the coordinator in order and answers with its state folder.
    ///
    /// # Panics
    /// If it does not exit with 0.
    pub fn stop(&mut self) -> PathBuf {
        self.coordinator.signal(Signal::Terminate);
        assert_eq!(self.coordinator.exit_code(), Some(0), "the coordinator's end");
        state(self.folder())
    }

    /// Runs `umbra ARGUMENTS --server ...` to its end, with results in JSON.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn ask(&self, arguments: &[&str]) -> Done {
        let server = self.server();
        run(self.command(&[&["--format", "json"], arguments, &["--server", &server]].concat()))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder(), arguments);
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Starts `umbra audit watch` under a name; its lines go into the journal.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn watch(&self, name: &str, audit: &str) -> Process {
        let server = self.server();
        let arguments = ["--format", "json", "audit", "watch", audit, "--server", &server];
        Process::start(name, self.command(&arguments), &self.journal)
    }

    /// Submits an audit and answers with its id.
    ///
    /// # Panics
    /// If it is refused.
    pub fn submit(&self, audit: &Audit) -> String {
        errands::submit(|arguments| self.ask(arguments), self.folder(), audit)
    }

    /// Waits for the end of an audit and fetches its findings.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn findings(&self, audit: &str) -> Findings {
        errands::findings(|arguments| self.ask(arguments), self.folder(), audit)
    }

    /// The most memory the coordinator ever had resident, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.coordinator.peak_memory()
    }

    /// What the coordinator measures.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn metrics(&self) -> Metrics {
        Metrics::read(self.http)
    }

    /// The page of what the coordinator measures.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn exposition(&self) -> String {
        let (status, page) = get(self.http, "/metrics");
        assert_eq!(status, 200, "{page}");
        page
    }

    /// Waits until a gauge of the coordinator's has a value.
    ///
    /// # Panics
    /// If it does not get it in time.
    pub fn gauge(&self, name: &str, value: f64) {
        self.journal.until(&format!("{name} = {value}"), || self.metrics().of(name) == value);
    }

    /// Asserts that the coordinator is ready, and that nobody has panicked.
    ///
    /// # Panics
    /// If it is not, or somebody has.
    pub fn assert_healthy(&self) {
        assert_eq!(get(self.http, "/readyz"), (200, "ready\n".to_owned()));
        errands::assert_nobody_panicked(&self.journal);
    }
}

fn state(folder: &Path) -> PathBuf {
    folder.join("state")
}

/// Waits until a process that has just been started says `event`.
pub(crate) fn said(journal: &Journal, name: &str, event: &str) -> Arc<Entry> {
    let heard = journal.wait(Place::default(), &format!("{name} to say {event}"), |entry| {
        entry.source == name && (entry.line.is_none() || entry.json()["event"] == event)
    });
    assert!(heard.line.is_some(), "{name} ended before it said {event}:\n{}", journal.tail());
    heard
}

fn coordinate(
    program: &Path,
    journal: &Journal,
    folder: &Path,
    life: u32,
    addresses: [SocketAddr; 2],
    settings: &[String],
    environment: &[(String, String)],
) -> (Process, SocketAddr, SocketAddr) {
    let name = format!("coordinator-{life}");
    let ([grpc, http], state) = (addresses.map(|at| at.to_string()), state(folder).display().to_string());
    let mut arguments: Vec<&str> =
        vec!["--format", "json", "coordinator", "--listen", &grpc, "--http", &http, "--state", &state];
    arguments.extend(settings.iter().map(String::as_str));
    let mut command = command_of(program, folder, &arguments);
    command.envs(environment.iter().cloned());
    let process = Process::start(&name, command, journal);
    let ready = said(journal, &name, "ready");
    let [grpc, http] = errands::addresses(&ready);
    // It listens before it leads.
    journal.until("the coordinator to lead", || get(http, "/readyz").0 == 200);
    (process, grpc, http)
}
