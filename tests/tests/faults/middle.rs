//! Finding the middle of a pack: the moments at which faults strike.

use std::sync::Arc;

use umbra_tests::{Audit, Cluster, Entry, Place, Worker};

/// A pack at work, as the coordinator's log tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtWork {
    /// The pack.
    pub pack: u64,
    /// Its fence.
    pub fence: u64,
    /// The step of its latest known checkpoint.
    pub step: u64,
}

/// Waits until the coordinator hears of a checkpoint of `worker` in the first half of a pack, other than
/// `except`.
pub fn checkpoint(cluster: &Cluster, worker: &Worker, from: Place, except: Option<u64>) -> AtWork {
    let half = Audit::medium().pack_steps() / 2;
    let heard = cluster.journal.wait(from, "a checkpoint in the first half of a pack", |entry| {
        entry.is(cluster.coordinator(), "hear of checkpoint")
            && worker.is_meant(entry)
            && entry.number("step") <= half
            && Some(entry.number("pack")) != except
    });
    AtWork { pack: heard.number("pack"), fence: heard.number("fence"), step: heard.number("step") }
}

/// Waits until a pack is assigned to `worker`.
pub fn assigned(cluster: &Cluster, worker: &Worker, from: Place, pack: u64) -> Arc<Entry> {
    cluster.journal.wait(from, &format!("pack {pack} to be assigned to {}", worker.process.name()), |entry| {
        entry.is(cluster.coordinator(), "assign pack")
            && entry.number("pack") == pack
            && worker.is_meant(entry)
    })
}

/// Waits until `worker` is done with a pack under a fence.
pub fn done(cluster: &Cluster, worker: &Worker, from: Place, fence: u64) -> Arc<Entry> {
    cluster.journal.wait(from, &format!("{} to be done under {fence}", worker.process.name()), |entry| {
        worker.said(entry, "the pack is done") && entry.number("fence") == fence
    })
}

/// The packs that a worker began, in order.
pub fn begun(cluster: &Cluster, workers: &[&Worker]) -> Vec<u64> {
    let past = cluster.journal.past();
    let begun = past.iter().filter(|entry| workers.iter().any(|worker| worker.said(entry, "begin a pack")));
    begun.map(|entry| pack_of(entry.text("lease"))).collect()
}

/// "name-1a2b3c4d/7 under fence 9" is pack 7.
fn pack_of(lease: &str) -> u64 {
    let pack = lease.split(['/', ' ']).nth(1).and_then(|pack| pack.parse().ok());
    pack.unwrap_or_else(|| panic!("no pack in the lease {lease}"))
}
