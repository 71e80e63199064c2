//! A store is lost: etcd's leader, all of etcd, S3.

use umbra_tests::turn;

use crate::baseline::{AWAY, Begun, last, wait};
use crate::wanted;

#[test]
fn a_killed_leader_of_etcd_is_hardly_felt() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut begun) = Begun::start() else { return };
    let fleet = &mut begun.fleet;
    let old = fleet.etcd.leader();
    fleet.etcd.kill(&[old]);
    let new = fleet.etcd.leader();
    assert_ne!(new, old, "another node leads");
    println!("etcd's leading node {old} was killed: {new} leads");
    begun.assert_unharmed("etcd's leading node was killed");
    begun.fleet.etcd.restart(&[old]);
    begun.fleet.assert_healthy();
}

#[test]
fn etcd_may_be_away_for_a_minute() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut begun) = Begun::start() else { return };
    let fleet = &mut begun.fleet;
    let gone = fleet.journal.now();
    fleet.etcd.kill(&[0, 1, 2]);
    wait(fleet, gone, "the leader to miss etcd", |entry| {
        ["the leader's lease is over", "drop the term and reload"].contains(&entry.message())
    });
    last(fleet, AWAY);
    let back = fleet.journal.now();
    fleet.etcd.restart(&[0, 1, 2]);
    wait(fleet, back, "a coordinator to lead again", |entry| entry.message() == "lead");
    begun.assert_unharmed("etcd was away for a minute");
}

#[test]
fn s3_may_be_away_for_a_minute() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(mut begun) = Begun::start() else { return };
    let fleet = &mut begun.fleet;
    let gone = fleet.journal.now();
    fleet.s3.stop();
    wait(fleet, gone, "a worker to miss S3", |entry| entry.message() == "wait to go on writing a blob");
    last(fleet, AWAY);
    fleet.s3.restart();
    begun.assert_unharmed("S3 was away for a minute");
}
