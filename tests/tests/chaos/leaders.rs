//! The coordinator that leads is lost.

use std::time::Instant;

use umbra_tests::{Signal, turn};

use crate::baseline::{Begun, FAIL_OVER, wait};
use crate::wanted;

#[test]
fn a_leader_that_is_killed_is_followed_in_ten_seconds() {
    let _turn = turn();
    let Some(mut begun) = Begun::start() else { return };
    let fleet = &mut begun.fleet;
    let old = fleet.leader();
    let (name, killed, since) = (fleet.name(old).to_owned(), fleet.journal.now(), Instant::now());
    fleet.kill(old);
    let (lead, took) = fleet.followed(killed, &name, since);
    println!("the leading coordinator was killed: {} led after {took:?}", lead.source);
    assert!(took < FAIL_OVER, "{took:?}");
    // The workers follow by themselves.
    for worker in &begun.workers {
        wait(fleet, lead.after, "a worker to come back", |entry| {
            entry.is(&lead.source, "worker joined") && worker.is_meant(entry)
        });
    }
    begun.assert_unharmed("the leading coordinator was killed");
    begun.fleet.restart(old);
    begun.fleet.assert_healthy();
}

#[test]
fn a_leader_that_ends_in_order_is_followed_at_once() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut begun) = Begun::start() else { return };
    let fleet = &mut begun.fleet;
    let old = fleet.leader();
    let (name, told, since) = (fleet.name(old).to_owned(), fleet.journal.now(), Instant::now());
    fleet.signal(old, Signal::Terminate);
    let (lead, took) = fleet.followed(told, &name, since);
    println!("the leading coordinator ended in order: {} led after {took:?}", lead.source);
    assert!(took < FAIL_OVER / 2, "{took:?}");
    fleet.ended(old);
    begun.assert_unharmed("the leading coordinator ended in order");
}

#[test]
fn a_leader_that_is_frozen_and_thaws_knows_that_its_term_is_over() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut begun) = Begun::start() else { return };
    let fleet = &mut begun.fleet;
    let old = fleet.leader();
    let (name, frozen, since) = (fleet.name(old).to_owned(), fleet.journal.now(), Instant::now());
    fleet.signal(old, Signal::Stop);
    let (lead, took) = fleet.followed(frozen, &name, since);
    println!("the leading coordinator was frozen: {} led after {took:?}", lead.source);
    assert!(took < FAIL_OVER, "{took:?}");
    let thawed = fleet.journal.now();
    fleet.signal(old, Signal::Continue);
    // What it says depends on whether it was in the middle of a transaction.
    wait(fleet, thawed, "the thawed one to step down", |entry| {
        let said = ["another coordinator leads, or may: follow it", "drop the term and reload"];
        said.iter().any(|said| entry.is(&name, said))
    });
    begun.assert_unharmed("the leading coordinator was frozen");
}
