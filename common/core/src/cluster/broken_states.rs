//! That [`Cluster::check`] sees what it is there to see: states broken by hand, one for each invariant.

use std::collections::{BTreeMap, BTreeSet};

use super::leases::Loss;
use super::timers::Due;
use super::worker::{Held, Session, slot_id};
use super::{Action, AuditDemand, Cluster, ClusterConfig, Event, Outcome, PackResult, WaitingReason};
use crate::digest::Digest;
use crate::fault::{Domain, Fault, Retry};
use crate::ids::{AuditId, Fence, Millis, PackId, PackIndex, WorkerId};
use crate::lifecycle::{AuditState, PackState};

fn audit() -> AuditId {
    AuditId::try_new("a").unwrap()
}

fn worker() -> WorkerId {
    WorkerId::try_new("w").unwrap()
}

fn pack(pack: u32) -> PackId {
    PackId { audit: audit(), pack: PackIndex(pack) }
}

/// One worker of three slots; pack 0 backs off, 1 to 3 run under fences 2 to 4, 4 and 5 wait.
fn healthy() -> Cluster {
    let config = ClusterConfig { quarantine_after: 4, ..ClusterConfig::default() };
    let mut cluster = Cluster::new(Millis(0), config);
    let numerics = "x".to_owned();
    let demand = AuditDemand {
        packs: 6,
        numerics: numerics.clone(),
        priority: 0,
        weight: 1,
        max_slots: 0,
        memory_bytes: 0,
    };
    cluster.step(Millis(0), Event::AuditSubmitted { audit: audit(), demand, existing: BTreeMap::new() });
    let joined = Event::WorkerJoined {
        worker: worker(),
        slots: 3,
        numerics: vec![numerics],
        running: vec![],
        lost: BTreeSet::new(),
        memory: vec![],
    };
    let assigned = cluster.step(Millis(0), joined);
    assert_eq!(assigned.iter().filter(|action| matches!(action, Action::Assign { .. })).count(), 3);
    let fault = Fault::new(Domain::Device, Retry::Backoff, "broken");
    let (worker, pack, fence) = (worker(), pack(0), Fence(1));
    cluster.step(Millis(0), Event::Reported { worker, pack, fence, outcome: Outcome::Failed(fault) });
    assert_eq!(cluster.check(), Ok(()));
    cluster
}

fn slot(cluster: &Cluster, fence: u64) -> u32 {
    cluster.leases[&Fence(fence)].slot.slot
}

/// Breaks a healthy state, and expects the check to name the invariant.
fn expect(invariant: &str, break_it: impl FnOnce(&mut Cluster)) {
    let mut cluster = healthy();
    break_it(&mut cluster);
    let broken = cluster.check().expect_err(invariant);
    assert!(broken.starts_with(&format!("{invariant}: ")), "{invariant} expected: {broken}");
}

#[test]
fn a_pack_with_two_live_fences() {
    expect("S1", |cluster| {
        let lease = cluster.leases[&Fence(2)].clone();
        cluster.leases.insert(Fence(3), lease);
    });
    expect("S1", |cluster| {
        cluster.leases.remove(&Fence(2));
    });
    expect("S1", |cluster| cluster.record.next_fence = Fence(4));
    expect("S1", |cluster| {
        let loss = Loss { fence: Fence(2), worker: worker(), counts: true };
        cluster.lost.insert(pack(1), loss);
    });
}

#[test]
fn a_stale_fence_that_owns_a_pack() {
    // A lease that ended for its slot, but not for its pack's record or the table of losses.
    let mut cluster = healthy();
    let lease = cluster.leases.remove(&Fence(2)).unwrap();
    let broken = cluster.s2_a_stale_fence_owns_nothing().unwrap_err();
    assert!(broken.contains("holds the stale fence 2, which pack a/1 names"), "{broken}");
    cluster.leases.insert(Fence(2), lease);
    let stray = Held { pack: pack(1), fence: Fence(2), deadline: None, over: false };
    cluster.change_worker(&worker(), |worker| {
        worker.connect(session(4));
        worker.occupy(3, stray)
    });
    assert_eq!(cluster.check(), Ok(()), "a claim elsewhere owns nothing");
}

#[test]
fn a_slot_that_is_free_and_taken_or_lost() {
    expect("S3", |cluster| {
        let at = slot(cluster, 2);
        cluster.change_worker(&worker(), |worker| worker.vacate(at));
    });
    expect("S3", |cluster| {
        cluster.change_worker(&worker(), |worker| worker.slots = 4);
    });
    expect("S3", |cluster| {
        let at = slot(cluster, 2);
        cluster.workers.get_mut(&worker()).unwrap().held_at(at).unwrap().fence = Fence(77);
    });
    expect("S3", |cluster| {
        cluster.workers.insert(WorkerId::try_new("ghost").unwrap(), super::Worker::default());
    });
}

fn session(slots: u32) -> Session {
    Session { slots, numerics: vec!["x".to_owned()], ..Session::default() }
}

/// A worker of one slot joins beside the other.
fn join(cluster: &mut Cluster, name: &str, numerics: &str) -> WorkerId {
    let (worker, numerics) = (WorkerId::try_new(name).unwrap(), vec![numerics.to_owned()]);
    let (running, lost) = (Vec::new(), BTreeSet::new());
    let joined =
        Event::WorkerJoined { worker: worker.clone(), slots: 1, numerics, running, lost, memory: vec![] };
    cluster.step(Millis(0), joined);
    assert_eq!(cluster.check(), Ok(()));
    worker
}

fn lose(cluster: &mut Cluster, slots: impl IntoIterator<Item = u32>) {
    let slots = slots.into_iter().collect();
    cluster.step(Millis(0), Event::SlotsLost { worker: worker(), slots });
    assert_eq!(cluster.check(), Ok(()));
}

#[test]
fn a_lost_slot_that_counts_as_one_to_use() {
    expect("S3", |cluster| {
        let idle = join(cluster, "idle", "y");
        cluster.change_worker(&idle, |worker| worker.lost.insert(0));
    });
    expect("S3", |cluster| {
        cluster.change_worker(&worker(), |worker| worker.lost.insert(7));
    });
    expect("classes", |cluster| {
        lose(cluster, [0]);
        cluster.workers.get_mut(&worker()).unwrap().lost.clear();
    });
    expect("classes", |cluster| {
        lose(cluster, 0..3);
        let class = cluster.classes.get_mut("x").unwrap();
        (class.on_duty, class.unable) = (class.unable, class.on_duty);
    });
}

#[test]
fn a_pack_that_waits_for_a_worker_without_a_device() {
    expect("S8", |cluster| {
        let other = join(cluster, "other", "x");
        for fence in [2, 3] {
            let (pack, fence) = (cluster.leases[&Fence(fence)].pack.clone(), Fence(fence));
            let outcome = Outcome::Failed(Fault::new(Domain::Device, Retry::Elsewhere, "broken"));
            cluster.step(Millis(0), Event::Reported { worker: worker(), pack, fence, outcome });
        }
        assert_eq!(cluster.check(), Ok(()));
        assert_eq!(cluster.explain(&audit()), Some(WaitingReason::Avoiding { worker: worker() }));
        cluster.workers.get_mut(&other).unwrap().lost.insert(0);
    });
}

#[test]
fn an_ended_audit_that_goes_on() {
    expect("S1", |cluster| {
        // Its leases outlive it.
        let audit = cluster.audits.get_mut(&audit()).unwrap();
        audit.record.state = AuditState::Cancelled;
        audit.change(PackIndex(1), |record| record.state = PackState::Waiting);
    });
    expect("S4", |cluster| cluster.audits.get_mut(&audit()).unwrap().record.state = AuditState::Cancelled);
    expect("S4", |cluster| cluster.audits.get_mut(&audit()).unwrap().record.state = AuditState::Failed);
    expect("S4", |cluster| cluster.audits.get_mut(&audit()).unwrap().record.deleting = true);
    expect("S4", |cluster| {
        let loss = Loss { fence: Fence(1), worker: worker(), counts: true };
        cluster.lost.insert(PackId { audit: AuditId::try_new("b").unwrap(), pack: PackIndex(0) }, loss);
    });
}

#[test]
fn an_audit_that_ends_without_its_packs() {
    expect("S5", |cluster| {
        let audit = cluster.audits.get_mut(&audit()).unwrap();
        audit.change(PackIndex(0), |record| record.state = PackState::Failed);
    });
    let mut cluster = Cluster::new(Millis(0), ClusterConfig::default());
    let demand = AuditDemand {
        packs: 1,
        numerics: "x".to_owned(),
        priority: 0,
        weight: 1,
        max_slots: 0,
        memory_bytes: 0,
    };
    cluster.step(Millis(0), Event::AuditSubmitted { audit: audit(), demand, existing: BTreeMap::new() });
    let result =
        PackResult { key: "k".to_owned(), digest: Digest::of(b"k"), bytes: 1, lost: vec![], weights: None };
    let ended = cluster.audits.get_mut(&audit()).unwrap();
    ended.lease(PackIndex(0), PackState::Done { fence: None, result });
    assert!(cluster.check().unwrap_err().starts_with("S5"), "it is complete, and still runs");
}

#[test]
fn a_quarantine_that_is_not_the_workers() {
    expect("classes", |cluster| {
        let idle = join(cluster, "idle", "y");
        cluster.change_worker(&idle, |worker| worker.set_quarantined(true));
    });
    expect("timers", |cluster| cluster.conducts.clear());
}

#[test]
fn a_pack_that_goes_on_beyond_its_bounds() {
    expect("S6", |cluster| {
        cluster.audits.get_mut(&audit()).unwrap().change(PackIndex(1), |record| record.attempts = 3);
    });
    expect("S6", |cluster| {
        cluster.audits.get_mut(&audit()).unwrap().change(PackIndex(1), |record| record.losses = 21);
    });
}

#[test]
fn something_that_waits_for_ever() {
    expect("S8", |cluster| {
        // A slot is free, a pack is ready, and nobody will look.
        cluster.change_worker(&worker(), |worker| worker.connect(session(4)));
        cluster.timers.announce(Millis(0), false);
    });
    expect("S8", |cluster| {
        cluster.timers.set(Millis(1), Due::Retry(pack(5)));
    });
}

#[test]
fn bookkeeping_that_went_astray() {
    expect("queues", |cluster| cluster.audits.get_mut(&audit()).unwrap().enqueue(PackIndex(0), None));
    expect("queues", |cluster| {
        let audit = cluster.audits.get_mut(&audit()).unwrap();
        let (until, pack) = *audit.queue().later().first().unwrap();
        audit.come_due(pack, until);
        audit.enqueue(PackIndex(1), None);
    });
    expect("classes", |cluster| cluster.classes.get_mut("x").unwrap().on_duty = 2);
    expect("classes", |cluster| cluster.audits.get_mut(&audit()).unwrap().listed = None);
    expect("timers", |cluster| {
        let at = slot(cluster, 2);
        let deadline = cluster.workers[&worker()].held()[&at].deadline.unwrap();
        cluster.timers.clear(deadline, Due::Lease(slot_id(&worker(), at)));
    });
}
