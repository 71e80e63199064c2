//! A worker is lost, or thought to be.

use umbra_tests::{Audit, Fleet, Signal, turn};

use crate::baseline::{assert_unharmed, wait};
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
    let heard = fleet.journal.wait(before, "a checkpoint of the victim", |entry| {
        entry.message() == "hear of checkpoint" && victim.is_meant(entry)
    });
    victim.process.kill();
    wait(&fleet, heard.after, "the pack to go elsewhere", |entry| {
        entry.message() == "assign pack"
            && heir.is_meant(entry)
            && entry.number("pack") == heard.number("pack")
            && entry.number("fence") > heard.number("fence")
    });
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
    let heard = fleet.journal.wait(before, "a checkpoint of the victim", |entry| {
        entry.message() == "hear of checkpoint" && victim.is_meant(entry)
    });
    victim.process.signal(Signal::Stop);
    let again = wait(&fleet, heard.after, "the pack to go elsewhere", |entry| {
        entry.message() == "assign pack"
            && heir.is_meant(entry)
            && entry.number("pack") == heard.number("pack")
            && entry.number("fence") > heard.number("fence")
    });
    victim.process.signal(Signal::Continue);
    wait(&fleet, again, "its fence to be refused", |entry| {
        entry.message() == "refuse stale fence" && entry.number("fence") == heard.number("fence")
    });
    assert_unharmed(&fleet, &audit, &id, "a worker was frozen past its lease");
}
