//! What the findings are when nothing goes wrong, and how a disturbed run is compared with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use umbra_tests::{Audit, Cluster, Entry, Findings, Fleet, Place, Worker};

/// How long a leader's death may stop the work.
pub const FAIL_OVER: Duration = Duration::from_secs(10);

/// How long a store is away.
pub const AWAY: Duration = Duration::from_secs(60);

/// The findings of an audit on one coordinator over a local folder. Computed once for each seed.
///
/// # Panics
/// If it does not succeed.
pub fn undisturbed(audit: &Audit) -> Findings {
    static FINDINGS: Mutex<BTreeMap<u64, Findings>> = Mutex::new(BTreeMap::new());
    let mut findings = FINDINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = findings.entry(audit.seed).or_insert_with(|| {
        let cluster = Cluster::start(30);
        let _workers = [cluster.worker("a", 1), cluster.worker("b", 1)];
        let id = cluster.submit(audit);
        let findings = cluster.findings(&id);
        let metrics = cluster.metrics();
        // It is one only if nothing went wrong in it.
        assert_eq!(metrics.of("umbra_packs_assigned_total"), audit.packs() as f64);
        assert_eq!(metrics.of("umbra_stale_fences_refused_total"), 0.0);
        cluster.assert_healthy();
        findings
    });
    entry.clone()
}

/// Asserts that an audit ends as if nothing had happened, and that the cluster is well.
///
/// # Panics
/// If not.
pub fn assert_unharmed(fleet: &Fleet, audit: &Audit, id: &str, what: &str) {
    fleet.findings(id).assert_same(&undisturbed(audit), what);
    fleet.assert_counted_once(&[audit]);
    fleet.assert_healthy();
    println!(
        "{what}: the findings are the same; {} assignments of {} packs, {} stale fences refused",
        fleet.count("assign pack"),
        audit.packs(),
        fleet.count("refuse stale fence")
    );
}

/// Waits until a coordinator hears of a checkpoint in the middle of an audit that has just begun.
pub fn in_the_middle(fleet: &Fleet, from: Place) -> Place {
    let mut done = 0;
    let heard = fleet.journal.wait(from, "the middle of an audit", |entry| {
        done += usize::from(entry.message() == "the pack is done");
        done > 0 && entry.message() == "hear of checkpoint"
    });
    heard.after
}

/// A fleet with two workers in the middle of an audit.
pub struct Begun {
    /// The fleet.
    pub fleet: Fleet,
    /// Its workers.
    pub workers: [Worker; 2],
    /// The audit.
    pub audit: Audit,
    /// Its id.
    pub id: String,
}

impl Begun {
    /// Starts all of it. `None` where there is no program for a store.
    pub fn start() -> Option<Self> {
        let fleet = Fleet::start(1, 5)?;
        let workers = [fleet.worker("a", 1), fleet.worker("b", 1)];
        let (audit, before) = (Audit::medium(), fleet.journal.now());
        let id = fleet.submit(&audit);
        in_the_middle(&fleet, before);
        Some(Self { fleet, workers, audit, id })
    }

    /// Asserts that the audit ends as if nothing had happened, and that the cluster is well.
    ///
    /// # Panics
    /// If not.
    pub fn assert_unharmed(&self, what: &str) {
        assert_unharmed(&self.fleet, &self.audit, &self.id, what);
    }
}

/// Waits for a checkpoint of a worker.
pub fn checkpoint(fleet: &Fleet, worker: &Worker, from: Place) -> Arc<Entry> {
    fleet.journal.wait(from, "a checkpoint of the victim", |entry| {
        entry.message() == "hear of checkpoint" && worker.is_meant(entry)
    })
}

/// Waits until the pack of a checkpoint goes to another worker.
pub fn elsewhere(fleet: &Fleet, heir: &Worker, heard: &Entry, from: Place) -> Place {
    wait(fleet, from, "the pack to go elsewhere", |entry| {
        entry.message() == "assign pack"
            && heir.is_meant(entry)
            && entry.number("pack") == heard.number("pack")
            && entry.number("fence") > heard.number("fence")
    })
}

/// Waits until a line of anybody's is accepted.
pub fn wait(fleet: &Fleet, from: Place, what: &str, accept: impl FnMut(&Entry) -> bool) -> Place {
    fleet.journal.wait(from, what, accept).after
}

/// Waits for time to pass, which is what a fault that lasts is made of.
pub fn last(fleet: &Fleet, duration: Duration) {
    let began = Instant::now();
    fleet.journal.until("time to pass", || began.elapsed() >= duration);
}
