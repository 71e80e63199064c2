//! A new leader from the records of the old one.

use umbra_core::cluster::{Action, Event, MAX_RECORDS};
use umbra_core::ids::{Fence, Millis};
use umbra_core::lifecycle::AuditState;

use crate::bench::{Bench, LEASE, audit, demand, given, refusals, result, worker};

#[test]
fn running_packs_go_on_and_no_fence_is_given_twice() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    let packs = bench.submit("a", demand(3));
    bench.now = 5_000;
    let actions = bench.restart();
    assert_eq!(actions, [Action::WakeAt(Millis(5_000 + LEASE))], "a young leader expires no lease");
    bench.wait(LEASE - 1);
    assert!(given(&bench.rejoin("w", 2, &[&packs[0], &packs[1]])).is_empty());
    let next = given(&bench.done(&packs[0]));
    assert_eq!(next[0].fence, Fence(packs[1].fence.0 + 1));
}

#[test]
fn leases_of_workers_that_stay_away_run_out() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let old = bench.submit("a", demand(1)).remove(0);
    bench.progress(&old, Some(12));
    bench.restart();
    bench.wait(LEASE - 1);
    assert!(bench.join("other", 1).is_empty());
    let moved = given(&bench.wait(1)).remove(0);
    assert_eq!(moved.resume_from.map(|checkpoint| checkpoint.step), Some(12));
    assert!(moved.fence > old.fence);
    assert_eq!(refusals(&bench.rejoin("w", 1, &[&old])), 1);
}

#[test]
fn reported_and_analysing_work_is_asked_for_again() {
    let mut bench = Bench::new();
    bench.join("w", 2);
    let packs = bench.submit("a", demand(1));
    bench.done(&packs[0]);
    let ingest = Action::Ingest {
        pack: packs[0].pack.clone(),
        fence: packs[0].fence,
        result: result(&packs[0].pack, packs[0].fence),
    };
    assert_eq!(bench.restart(), [ingest]);
    bench.ingest(&packs[0]);
    assert_eq!(bench.state("a"), AuditState::Analysing);
    assert_eq!(bench.restart(), [Action::Finish { audit: audit("a") }]);
    bench.step(Event::Analysed { audit: audit("a"), outcome: Ok(()) });
    assert_eq!((bench.restart(), bench.state("a")), (vec![], AuditState::Succeeded));
}

#[test]
fn a_cancelled_audits_worker_is_told_after_a_restart() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let old = bench.submit("a", demand(2)).remove(0);
    bench.cancel("a");
    bench.restart();
    bench.wait(0);
    let actions = bench.rejoin("w", 1, &[&old]);
    assert_eq!(crate::bench::revokes(&actions, umbra_core::cluster::RevokeReason::Cancelled), [old.fence]);
    assert_eq!(bench.busy(), 1);
    bench.release(&old);
    assert_eq!(bench.busy(), 0);
}

#[test]
fn many_losses_at_once_are_written_in_bounded_steps() {
    let mut bench = Bench::new();
    bench.join("w", 250);
    let mut fences = 0;
    let mut actions = bench.step(Event::AuditSubmitted {
        audit: audit("a"),
        demand: demand(250),
        existing: Default::default(),
    });
    while fences < 250 {
        fences += given(&actions).len();
        actions = bench.wait(0);
    }
    bench.step(Event::WorkerLeft { worker: worker("w") });
    assert_eq!(bench.written, MAX_RECORDS - 1, "one is kept for an audit that one loss too many ends");
    // A restart in between forgets the losses that were not written: those leases run out instead.
    bench.restart();
    bench.wait(LEASE);
    bench.wait(0);
    assert_eq!(bench.cluster.audit(&audit("a")).unwrap().counts.waiting, 250);
}
