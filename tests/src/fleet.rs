//! A cluster of several coordinators as it is run for real: their small state in etcd, their blobs in S3, and
//! workers that follow whoever leads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use umbra_coordinator::store::{EtcdOptions, EtcdStore};

use crate::audit::Audit;
use crate::binary::{Done, command, umbra};
use crate::cluster::{Worker, said};
use crate::errands;
use crate::etcd::EtcdNodes;
use crate::findings::Findings;
use crate::http::{Metrics, get};
use crate::journal::{Entry, Journal, Place};
use crate::process::Process;
use crate::results::{Committed, committed_in};
use crate::s3::S3;
use crate::signal::Signal;

/// How many coordinators there are.
pub const COORDINATORS: usize = 3;

/// Coordinators, their stores, and what everybody says.
pub struct Fleet {
    /// What everybody says.
    pub journal: Journal,
    /// The meta store.
    pub etcd: EtcdNodes,
    /// The blob store.
    pub s3: S3,
    coordinators: Vec<Coordinator>,
    lease: String,
    // Last, so that it goes when the processes are gone.
    folder: TempDir,
}

struct Coordinator {
    process: Option<Process>,
    lives: u32,
    grpc: SocketAddr,
    http: SocketAddr,
}

/// Where a replica's state is; another folder may be mounted there before it starts.
fn state(folder: &Path, index: usize) -> std::path::PathBuf {
    folder.join(format!("state-{index}"))
}

impl Fleet {
    /// Starts etcd, S3 and coordinators whose workers' leases last so many seconds. `None`, and a line that
    /// counts `tests` skipped, where there is no program for a store.
    ///
    /// # Panics
    /// If a part does not start.
    pub fn start(tests: usize, lease_seconds: u32) -> Option<Self> {
        Self::prepared(tests, lease_seconds, |_| {})
    }

    /// The same, after something was done to the folder in which everything will lie.
    ///
    /// # Panics
    /// If a part does not start.
    pub fn prepared(tests: usize, lease_seconds: u32, prepare: impl FnOnce(&Path)) -> Option<Self> {
        let etcd = EtcdNodes::start(tests, 3)?;
        let s3 = S3::start(tests)?;
        let folder = TempDir::new().expect("a temporary folder can be made");
        prepare(folder.path());
        let (journal, lease) = (Journal::default(), lease_seconds.to_string());
        let mut fleet = Self { journal, etcd, s3, coordinators: Vec::new(), lease, folder };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        for index in 0..COORDINATORS {
            fleet.coordinators.push(Coordinator { process: None, lives: 0, grpc: any, http: any });
            fleet.restart(index);
        }
        fleet.leader();
        Some(fleet)
    }

    /// Where files of the test may lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A coordinator's state folder.
    pub fn state(&self, index: usize) -> std::path::PathBuf {
        state(self.folder(), index)
    }

    /// Where the blobs are.
    pub fn place() -> String {
        format!("s3://{}/fleet", S3::BUCKET)
    }

    /// The coordinators' gRPC addresses, as clients are given them.
    pub fn server(&self) -> String {
        let urls = self.coordinators.iter().map(|coordinator| format!("http://{}", coordinator.grpc));
        urls.collect::<Vec<_>>().join(",")
    }

    /// A coordinator's name in the journal; each life has its own.
    ///
    /// # Panics
    /// If it does not run.
    pub fn name(&self, index: usize) -> &str {
        self.coordinators[index].process.as_ref().expect("it runs").name()
    }

    /// Starts a coordinator, again if it ran before: over the same state, at the same addresses.
    ///
    /// # Panics
    /// If it runs, or does not start.
    pub fn restart(&mut self, index: usize) {
        let (state, endpoints, place) = (self.state(index), self.etcd.urls().join(","), Self::place());
        let state = state.display().to_string();
        let coordinator = &mut self.coordinators[index];
        assert!(coordinator.process.is_none(), "coordinator {index} runs");
        coordinator.lives += 1;
        let name = format!("coordinator-{index}-{}", coordinator.lives);
        let (grpc, http) = (coordinator.grpc.to_string(), coordinator.http.to_string());
        let arguments = [
            ["--listen", &grpc],
            ["--http", &http],
            ["--state", &state],
            ["--lease", &self.lease],
            ["--meta", "etcd"],
            ["--etcd-endpoints", &endpoints],
            ["--blobs", &place],
        ];
        let arguments = [&["--format", "json", "coordinator"], arguments.as_flattened()].concat();
        let mut command = command(self.folder.path(), &arguments);
        command.envs(self.s3.environment());
        let process = Process::start(&name, command, &self.journal);
        let ready = said(&self.journal, &name, "ready");
        let coordinator = &mut self.coordinators[index];
        [coordinator.grpc, coordinator.http] = errands::addresses(&ready);
        coordinator.process = Some(process);
    }

    /// The coordinator that leads, once one does.
    ///
    /// # Panics
    /// If none does for long.
    pub fn leader(&self) -> usize {
        let mut leader = None;
        self.journal.until("a coordinator to lead", || {
            leader = (0..COORDINATORS).find(|index| self.leads(*index));
            leader.is_some()
        });
        leader.expect("it was waited for")
    }

    fn leads(&self, index: usize) -> bool {
        let coordinator = &self.coordinators[index];
        coordinator.process.is_some() && Metrics::read(coordinator.http).get("umbra_leader") == Some(1.0)
    }

    /// Sends a coordinator a signal.
    ///
    /// # Panics
    /// If it does not run.
    pub fn signal(&mut self, index: usize, signal: Signal) {
        self.coordinators[index].process.as_mut().expect("it runs").signal(signal);
    }

    /// Kills a coordinator.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self, index: usize) {
        self.coordinators[index].process.take().expect("it runs").kill();
    }

    /// Ends a coordinator in order.
    ///
    /// # Panics
    /// If it does not run, or does not exit with 0.
    pub fn stop(&mut self, index: usize) {
        self.signal(index, Signal::Terminate);
        self.ended(index);
    }

    /// Waits for the end of a coordinator that was told to.
    ///
    /// # Panics
    /// If it does not run, or does not exit with 0.
    pub fn ended(&mut self, index: usize) {
        let mut process = self.coordinators[index].process.take().expect("it runs");
        assert_eq!(process.exit_code(), Some(0), "the end of {}", process.name());
    }

    /// Waits until another coordinator than `old` says that it leads; how long that took from `since`.
    ///
    /// # Panics
    /// If none does for long.
    pub fn followed(&self, from: Place, old: &str, since: Instant) -> (Arc<Entry>, Duration) {
        let lead = self.journal.wait(from, "another coordinator to lead", |entry| {
            entry.message() == "lead" && entry.source != old && entry.source.starts_with("coordinator-")
        });
        (lead, since.elapsed())
    }

    /// Starts a worker and waits until a coordinator has taken it.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn worker(&self, name: &str, slots: u32) -> Worker {
        self.worker_in(name, slots, &self.folder().join("scratch"))
    }

    /// The same with a scratch folder of its own.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn worker_in(&self, name: &str, slots: u32, scratch: &Path) -> Worker {
        self.worker_by(name, slots, scratch, |command| command)
    }

    /// The same by a command that is made of the usual one.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn worker_by(
        &self,
        name: &str,
        slots: u32,
        scratch: &Path,
        made: impl FnOnce(Command) -> Command,
    ) -> Worker {
        let (server, slots, scratch) = (self.server(), slots.to_string(), scratch.display().to_string());
        let usual = command(self.folder(), &errands::worker_arguments(&server, &slots, &scratch));
        errands::begin_worker(&self.journal, name, made(usual))
    }

    /// Runs `umbra ARGUMENTS --server ...` to its end, with results in JSON.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn ask(&self, arguments: &[&str]) -> Done {
        let server = self.server();
        umbra(self.folder(), &[&["--format", "json"], arguments, &["--server", &server]].concat())
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

    /// How often anybody said this.
    pub fn count(&self, message: &str) -> usize {
        self.journal.past().iter().filter(|entry| entry.message() == message).count()
    }

    /// The committed logits by the key that names a shadow's result.
    ///
    /// # Panics
    /// If etcd cannot be read.
    pub fn committed(&self) -> BTreeMap<String, Committed> {
        let options = EtcdOptions::try_new(&self.etcd.urls()).expect("they are endpoints");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be started").block_on(async {
            let store = EtcdStore::connect(&options).await.expect("etcd answers");
            committed_in(&store).await
        })
    }

    /// Asserts that every shadow of audits is counted once, and each pack by one attempt.
    ///
    /// # Panics
    /// If not.
    pub fn assert_counted_once(&self, audits: &[&Audit]) {
        let committed = self.committed();
        let shadows: u32 = audits.iter().map(|audit| audit.shadows).sum();
        assert_eq!(committed.len(), shadows as usize, "every shadow once");
        let mut attempts = BTreeMap::new();
        for entry in committed.values() {
            let audit = entry.blob.split('/').nth(1).unwrap_or_default().to_owned();
            let (pack, fence) = entry.pack_and_fence();
            let first = *attempts.entry((audit, pack)).or_insert(fence);
            assert_eq!(first, fence, "pack {pack} is of one attempt");
        }
        let packs: u64 = audits.iter().map(|audit| audit.packs()).sum();
        assert_eq!(attempts.len() as u64, packs, "every pack");
    }

    /// Asserts that somebody leads, that all that run are ready, and that nobody has panicked.
    ///
    /// # Panics
    /// If not.
    pub fn assert_healthy(&self) {
        self.leader();
        for coordinator in self.coordinators.iter().filter(|coordinator| coordinator.process.is_some()) {
            self.journal.until("readiness", || get(coordinator.http, "/readyz").0 == 200);
        }
        errands::assert_nobody_panicked(&self.journal);
    }
}
