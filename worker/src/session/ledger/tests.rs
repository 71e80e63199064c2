use super::*;

const T: Millis = Millis(5);

fn lease(fence: i64) -> Lease {
    Lease::try_from_wire("a-12345678", 3, fence).unwrap()
}

fn start(ledger: &mut Ledger, fence: i64, slot: u32) -> Orders {
    match ledger.assign(lease(fence), slot, T) {
        Assigned::Start { orders, .. } => orders,
        other => panic!("not started: {other:?}"),
    }
}

fn fences(packs: &[v1::RunningPack]) -> Vec<i64> {
    packs.iter().map(|pack| pack.fence).collect()
}

#[test]
fn names_from_the_wire_are_checked() {
    assert!(Lease::try_from_wire("A", 0, 1).is_err());
    assert!(Lease::try_from_wire("a", 0, 0).is_err());
    assert!(Lease::try_from_wire("a", 0, -1).is_err());
}

#[test]
fn a_report_is_repeated_until_it_is_acknowledged() {
    let mut ledger = Ledger::new(1);
    start(&mut ledger, 7, 0);
    assert_eq!(fences(&ledger.heartbeat()), [7]);
    let report = ledger.ended(Fence(7), Ending::Released(None), T).unwrap();
    assert_eq!((fences(&ledger.heartbeat()), fences(&ledger.hello())), (vec![], vec![7]));
    assert!(ledger.unacknowledged(T, Millis(6)).is_empty(), "it was sent at {T}");
    assert_eq!(ledger.unacknowledged(Millis(6), Millis(9)).len(), 1);
    assert!(ledger.unacknowledged(Millis(6), Millis(9)).is_empty());
    assert_eq!(ledger.unacknowledged(Millis(u64::MAX), Millis(9)), [report], "on a new stream");
    // The slot is free, the acknowledgement comes late.
    start(&mut ledger, 8, 0);
    assert!(ledger.acknowledge(Fence(7)) && !ledger.acknowledge(Fence(7)));
    assert_eq!(fences(&ledger.hello()), [8]);
    assert!(!ledger.acknowledge(Fence(8)), "it is at work");
}

#[test]
fn what_was_assigned_before_is_not_begun_again() {
    let mut ledger = Ledger::new(2);
    start(&mut ledger, 7, 0);
    assert!(matches!(ledger.assign(lease(7), 0, T), Assigned::Known));
    ledger.ended(Fence(7), Ending::Released(None), T);
    assert!(matches!(ledger.assign(lease(7), 0, T), Assigned::Answer(_)));
    ledger.acknowledge(Fence(7));
    assert!(matches!(ledger.assign(lease(7), 0, T), Assigned::Known));
}

#[test]
fn slots_that_are_busy_or_do_not_exist_refuse() {
    let mut ledger = Ledger::new(1);
    start(&mut ledger, 1, 0);
    for (fence, slot) in [(2, 0), (3, 1)] {
        let Assigned::Answer(report) = ledger.assign(lease(fence), slot, T) else { panic!("not refused") };
        let Some(v1::report::Outcome::Failed(fault)) = report.outcome else { panic!("not failed") };
        assert_eq!(fault.domain(), v1::FaultDomain::Bug);
        assert_eq!(report.fence, fence);
    }
    assert_eq!(fences(&ledger.heartbeat()), [1]);
}

#[test]
fn revocations_reach_the_pack_or_are_answered() {
    let mut ledger = Ledger::new(2);
    let orders = start(&mut ledger, 1, 0);
    assert_eq!(ledger.revoke(&lease(1), v1::RevokeReason::Draining), None);
    assert_eq!(orders.now(), Order::HandBack);
    let moving = start(&mut ledger, 2, 1);
    assert_eq!(ledger.revoke(&lease(2), v1::RevokeReason::Moving), None);
    assert_eq!(moving.now(), Order::HandBack);
    ledger.ended(Fence(2), Ending::Released(None), T);
    ledger.acknowledge(Fence(2));
    assert_eq!(ledger.revoke(&lease(1), v1::RevokeReason::Stale), None);
    assert_eq!(orders.now(), Order::Drop);
    // The report is on its way.
    ledger.ended(Fence(1), Ending::Released(None), T);
    assert_eq!(ledger.revoke(&lease(1), v1::RevokeReason::Stale), None);
    // Acknowledged: the revocation is late.
    ledger.acknowledge(Fence(1));
    assert_eq!(ledger.revoke(&lease(1), v1::RevokeReason::Stale), None);
    // Never heard of.
    let report = ledger.revoke(&lease(9), v1::RevokeReason::Cancelled).unwrap();
    assert_eq!(report.outcome, Some(released(None)));
    assert_eq!(ledger.unfinished(), 0);
}

#[test]
fn a_worker_that_leaves_takes_nothing_more() {
    let mut ledger = Ledger::new(1);
    ledger.leave();
    let Assigned::Answer(report) = ledger.assign(lease(4), 0, T) else { panic!("not answered") };
    assert_eq!(report.outcome, Some(released(None)));
    assert_eq!(ledger.unfinished(), 1);
}

#[test]
fn the_latest_checkpoint_is_repeated_on_a_new_stream() {
    let mut ledger = Ledger::new(1);
    start(&mut ledger, 4, 0);
    let checkpoint = |step| v1::Checkpoint { step, fence: 4, blob: None };
    assert!(ledger.checkpoints().is_empty());
    ledger.checkpointed(Fence(4), checkpoint(10)).unwrap();
    let said = ledger.checkpointed(Fence(4), checkpoint(20)).unwrap();
    assert_eq!(ledger.checkpoints(), [said]);
    assert_eq!(ledger.checkpointed(Fence(5), checkpoint(1)), None);
    ledger.ended(Fence(4), Ending::Released(None), T);
    assert!(ledger.checkpoints().is_empty());
}
