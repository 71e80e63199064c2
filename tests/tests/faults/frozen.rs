//! A worker is frozen past its leases, its packs are finished elsewhere, then it thaws.

use umbra_tests::{Audit, Cluster, Signal, committed, turn};

use crate::baseline::undisturbed;
use crate::middle::{assigned, checkpoint, done};

#[test]
fn the_fences_of_a_thawed_worker_are_refused_once_each_and_its_slots_work_again() {
    let _turn = turn();
    let mut cluster = Cluster::start(1);
    let mut frozen = cluster.worker("frozen", 2);
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::medium());
    let first = checkpoint(&cluster, &frozen, before, None);
    let second = checkpoint(&cluster, &frozen, before, Some(first.pack));
    frozen.process.signal(Signal::Stop);
    let stopped = cluster.journal.now();
    // Nobody else is there yet: once nothing runs, both leases have run out.
    cluster.gauge("umbra_packs{state=\"running\"}", 0.0);
    let other = cluster.worker("other", 1);

    let mut fences = Vec::new();
    for stale in [first, second] {
        let again = assigned(&cluster, &other, stopped, stale.pack);
        assert!(again.number("fence") > stale.fence && again.number("resume_step") >= stale.step, "{again}");
        done(&cluster, &other, again.after, again.number("fence"));
        fences.push((stale.pack, stale.fence, again.number("fence")));
    }
    let past = cluster.journal.past();
    let too_early = past.iter().any(|entry| frozen.said(entry, "the pack is done"));
    assert!(!too_early, "the worker was frozen too late");
    frozen.process.signal(Signal::Continue);
    let thawed = cluster.journal.now();

    for (_, stale, _) in &fences {
        cluster.journal.wait(thawed, "a stale fence to be refused", |entry| {
            entry.is(cluster.coordinator(), "refuse stale fence") && entry.number("fence") == *stale
        });
    }
    // Both slots work again: each begins and ends another pack.
    for slot in 0..2 {
        let assigned = cluster.journal.wait(thawed, "work for a thawed slot", |entry| {
            entry.is(cluster.coordinator(), "assign pack")
                && entry.text("slot") == format!("{}:{slot}", frozen.id)
        });
        done(&cluster, &frozen, assigned.after, assigned.number("fence"));
    }
    cluster.findings(&id).assert_same(undisturbed(), "after a worker was frozen");
    assert_eq!(cluster.metrics().of("umbra_stale_fences_refused_total"), fences.len() as f64);
    cluster.assert_healthy();

    let committed = committed(&cluster.stop());
    assert_eq!(committed.len(), Audit::medium().shadows as usize);
    for (pack, stale, new) in fences {
        let of_pack: Vec<_> =
            committed.values().map(|entry| entry.pack_and_fence()).filter(|entry| entry.0 == pack).collect();
        assert_eq!(of_pack, vec![(pack, new); Audit::medium().pack as usize], "not under fence {stale}");
    }
}
