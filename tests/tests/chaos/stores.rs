//! A store is lost: etcd's leader, all of etcd, S3.

use umbra_tests::{Audit, Fleet, turn};

use crate::baseline::{AWAY, assert_unharmed, in_the_middle, last, wait};
use crate::wanted;

#[test]
fn a_killed_leader_of_etcd_is_hardly_felt() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut fleet) = Fleet::start(1, 5) else { return };
    let (audit, _workers) = (Audit::medium(), [fleet.worker("a", 1), fleet.worker("b", 1)]);
    let before = fleet.journal.now();
    let id = fleet.submit(&audit);
    in_the_middle(&fleet, before);

    let old = fleet.etcd.leader();
    fleet.etcd.kill(&[old]);
    let new = fleet.etcd.leader();
    assert_ne!(new, old, "another node leads");
    println!("etcd's leading node {old} was killed: {new} leads");
    assert_unharmed(&fleet, &audit, &id, "etcd's leading node was killed");
    fleet.etcd.restart(&[old]);
    fleet.assert_healthy();
}

#[test]
fn etcd_may_be_away_for_a_minute() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut fleet) = Fleet::start(1, 5) else { return };
    let (audit, _workers) = (Audit::medium(), [fleet.worker("a", 1), fleet.worker("b", 1)]);
    let before = fleet.journal.now();
    let id = fleet.submit(&audit);
    in_the_middle(&fleet, before);

    let gone = fleet.journal.now();
    fleet.etcd.kill(&[0, 1, 2]);
    wait(&fleet, gone, "the leader to miss etcd", |entry| {
        ["the leader's lease is over", "drop the term and reload"].contains(&entry.message())
    });
    last(&fleet, AWAY);
    let back = fleet.journal.now();
    fleet.etcd.restart(&[0, 1, 2]);
    wait(&fleet, back, "a coordinator to lead again", |entry| entry.message() == "lead");
    assert_unharmed(&fleet, &audit, &id, "etcd was away for a minute");
}

#[test]
fn s3_may_be_away_for_a_minute() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut fleet) = Fleet::start(1, 5) else { return };
    let (audit, _workers) = (Audit::medium(), [fleet.worker("a", 1), fleet.worker("b", 1)]);
    let before = fleet.journal.now();
    let id = fleet.submit(&audit);
    in_the_middle(&fleet, before);

    let gone = fleet.journal.now();
    fleet.s3.stop();
    wait(&fleet, gone, "a worker to miss S3", |entry| entry.message() == "wait to go on writing a blob");
    last(&fleet, AWAY);
    fleet.s3.restart();
    assert_unharmed(&fleet, &audit, &id, "S3 was away for a minute");
}
