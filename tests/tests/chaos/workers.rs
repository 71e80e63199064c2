//! A worker is lost, or thought to be.

use umbra_tests::{Audit, Fleet, Signal, turn};

use crate::baseline::{assert_unharmed, checkpoint, elsewhere, wait};
use crate::wanted;

#[test]
fn the_packs_of_a_killed_worker_go_elsewhere() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(fleet) = Fleet::start(1, 2) else { return };
    let (mut victim, heir) = (fleet.worker("victim", 1), fleet.worker("heir", 1));
    let (audit, before) = (Audit::medium(), fleet.journal.now());
    let id = fleet.submit(&audit);
    let heard = checkpoint(&fleet, &victim, before);
    victim.process.kill();
    elsewhere(&fleet, &heir, &heard, heard.after);
    assert_unharmed(&fleet, &audit, &id, "a worker was killed");
}

#[test]
fn a_worker_that_is_frozen_past_its_lease_counts_for_nothing_when_it_thaws() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(fleet) = Fleet::start(1, 2) else { return };
    let (mut victim, heir) = (fleet.worker("victim", 1), fleet.worker("heir", 1));
    let (audit, before) = (Audit::medium(), fleet.journal.now());
    let id = fleet.submit(&audit);
    let heard = checkpoint(&fleet, &victim, before);
    victim.process.signal(Signal::Stop);
    let again = elsewhere(&fleet, &heir, &heard, heard.after);
    victim.process.signal(Signal::Continue);
    wait(&fleet, again, "its fence to be refused", |entry| {
        entry.message() == "refuse stale fence" && entry.number("fence") == heard.number("fence")
    });
    assert_unharmed(&fleet, &audit, &id, "a worker was frozen past its lease");
}
