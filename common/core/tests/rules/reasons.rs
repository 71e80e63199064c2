//! S8: nothing waits without a reason that people can read.

use umbra_core::cluster::{AuditDemand, Event, WaitingReason};
use umbra_core::fault::Retry;

use crate::bench::{Bench, LEASE, audit, demand, worker};

#[test]
fn every_wait_has_its_sentence() {
    let mut bench = Bench::new();
    bench.submit("a", demand(2));
    assert_eq!(bench.reason("a"), "no worker is connected");

    bench.submit("gpu", AuditDemand { numerics: "cuda".into(), ..demand(1) });
    let packs = bench.join("w", 1);
    assert_eq!(bench.reason("a"), "the only slot that could take it is busy");
    assert_eq!(bench.reason("gpu"), "no connected worker offers the numerics class cuda; offered: x");

    bench.step(Event::DrainAsked { worker: worker("w") });
    assert_eq!(bench.reason("a"), "the only worker that could take it is draining");

    bench.rejoin("w", 1, &[&packs[0]]);
    bench.wait(LEASE);
    assert_eq!(bench.reason("a"), "the only worker that could take it does not answer");
    bench.progress(&packs[0], None);
    assert_eq!(bench.reason("a"), "the only slot that could take it is busy");
    assert_eq!(bench.reason("nobody"), "");
}

#[test]
fn backing_off_says_until_when_and_why() {
    let mut bench = Bench::new();
    bench.join("w", 1);
    let given = bench.submit("a", demand(1)).remove(0);
    assert_eq!(bench.cluster.explain(&audit("a")), None, "nothing waits");
    bench.fail(&given, Retry::Backoff);
    let reason = bench.cluster.explain(&audit("a")).unwrap();
    assert!(matches!(&reason, WaitingReason::BackingOff { until, wait_ms: 100, .. } if until.0 == 100));
    assert_eq!(reason.to_string(), "tries again in 1 s, after: the device broke");
}
