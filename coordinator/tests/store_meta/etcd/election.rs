//! Who leads, and who knows that they do not any more.

use std::pin::pin;
use std::time::{Duration, Instant};

use etcd_client::{EventType, GetOptions, WatchOptions};
use tokio::time::timeout;
use umbra_coordinator::store::{CommitError, EtcdOptions, EtcdStore, MetaStore, Txn};

use super::nodes::EtcdNodes;
use super::servers::client;
use super::{Etcd, options};
use crate::contract::key;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// A store with the lease that is used by default.
async fn usual(etcd: &Etcd) -> EtcdStore {
    let options = EtcdOptions::try_new(&etcd.nodes.urls()).unwrap();
    EtcdStore::connect(&options.with_prefix(&etcd.prefix).unwrap()).await.unwrap()
}

/// The keys of those who lead or wait, oldest first.
async fn queue(etcd: &Etcd) -> Vec<String> {
    let mut client = client(&etcd.nodes).await;
    let options = GetOptions::new().with_prefix();
    let found = client.get(format!("{}/leader/", etcd.prefix), Some(options)).await.unwrap();
    let mut keys: Vec<_> = found.kvs().iter().collect();
    keys.sort_by_key(|stored| stored.create_revision());
    keys.iter().map(|stored| stored.key_str().unwrap().to_owned()).collect()
}

/// Waits until somebody enters the queue, or leaves it.
async fn until(etcd: &Etcd, kind: EventType, act: impl Future<Output = ()>) {
    let mut client = client(&etcd.nodes).await;
    let options = WatchOptions::new().with_prefix();
    let mut events = client.watch(format!("{}/leader/", etcd.prefix), Some(options)).await.unwrap();
    // The first message says that the watch stands.
    events.message().await.unwrap().unwrap();
    act.await;
    let seen = async {
        while let Some(message) = events.message().await.unwrap() {
            if message.events().iter().any(|event| event.event_type() == kind) {
                return;
            }
        }
    };
    timeout(LONG, seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_dies_is_followed_in_ten_seconds() {
    let Some(etcd) = Etcd::new() else { return };
    let (first, second) = (usual(&etcd).await, usual(&etcd).await);
    let old = first.lead("first").await.unwrap();
    let mut waiting = pin!(second.lead("second"));
    assert!(timeout(Duration::from_millis(500), waiting.as_mut()).await.is_err(), "one leads");
    let died = Instant::now();
    drop(first);
    let new = waiting.await.unwrap();
    let took = died.elapsed();
    eprintln!("a leader died without a word: another led after {took:?}");
    assert!(new > old && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(second.leader().await.unwrap().unwrap().name, "second");
    second.commit(Txn::new(new).put(key("k"), "v")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_resigns_is_followed_at_once() {
    let Some(etcd) = Etcd::new() else { return };
    let (first, second) = (usual(&etcd).await, usual(&etcd).await);
    let old = first.lead("first").await.unwrap();
    let lost = first.lost(old);
    let mut waiting = pin!(second.lead("second"));
    assert!(timeout(Duration::from_millis(500), waiting.as_mut()).await.is_err(), "one leads");
    let resigned = Instant::now();
    let ((), new) = futures::join!(first.resign(), waiting);
    let took = resigned.elapsed();
    eprintln!("a leader resigned: another led after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    timeout(LONG, lost).await.unwrap();
    assert_eq!(first.commit(Txn::new(old)).await, Err(CommitError::Deposed { epoch: old }));
    second.commit(Txn::new(new.unwrap())).await.unwrap();
    // The other way round again.
    let mut again = pin!(first.lead("first"));
    assert!(timeout(Duration::from_millis(300), again.as_mut()).await.is_err());
    second.resign().await;
    again.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_may_leave_and_the_next_comes_in_turn() {
    let Some(etcd) = Etcd::new() else { return };
    let stores = [etcd.connect().await, etcd.connect().await, etcd.connect().await];
    stores[0].lead("0").await.unwrap();
    {
        let mut leaves = pin!(stores[1].lead("1"));
        let mut stays = pin!(stores[2].lead("2"));
        until(&etcd, EventType::Put, async {
            assert!(timeout(Duration::from_millis(500), leaves.as_mut()).await.is_err());
        })
        .await;
        assert_eq!(queue(&etcd).await.len(), 2);
        assert!(timeout(Duration::from_millis(500), stays.as_mut()).await.is_err());
        assert_eq!(queue(&etcd).await.len(), 3);
        stores[0].resign().await;
        timeout(LONG, leaves).await.unwrap().unwrap();
        assert_eq!(stores[0].leader().await.unwrap().unwrap().name, "1");
        assert!(timeout(Duration::from_millis(300), stays.as_mut()).await.is_err());
        assert_eq!(queue(&etcd).await.len(), 2);
    }
    // The future of the third was dropped: it leaves the queue without waiting for its lease.
    until(&etcd, EventType::Delete, async {
        let waits = stores[2].lead("2");
        assert!(timeout(Duration::from_millis(500), waits).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_is_known_to_be_lost_when_its_lease_or_key_is_taken() {
    let Some(etcd) = Etcd::new() else { return };
    let store = usual(&etcd).await;
    for by_key in [false, true] {
        let epoch = store.lead("a").await.unwrap();
        let mut lost = pin!(store.lost(epoch));
        assert!(timeout(Duration::from_millis(200), lost.as_mut()).await.is_err());
        let [place] = &queue(&etcd).await[..] else { panic!("one leads") };
        let mut client = client(&etcd.nodes).await;
        if by_key {
            client.delete(place.as_str(), None).await.unwrap();
        } else {
            let lease = i64::from_str_radix(place.rsplit_once('/').unwrap().1, 16).unwrap();
            client.lease_revoke(lease).await.unwrap();
        }
        let taken = Instant::now();
        timeout(LONG, lost).await.unwrap();
        assert!(taken.elapsed() < Duration::from_secs(3), "{:?}", taken.elapsed());
        assert_eq!(store.commit(Txn::new(epoch)).await, Err(CommitError::Deposed { epoch }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_is_known_to_be_lost_when_etcd_is_silent_for_longer_than_its_lease() {
    let Some(nodes) = EtcdNodes::start(1, 1) else { return };
    let store = EtcdStore::connect(&options(&nodes, "silent")).await.unwrap();
    let epoch = store.lead("a").await.unwrap();
    let frozen = Instant::now();
    nodes.freeze(0);
    timeout(LONG, store.lost(epoch)).await.unwrap();
    let took = frozen.elapsed();
    nodes.thaw(0);
    eprintln!("etcd was silent: a term with a lease of 2 s was known to be lost after {took:?}");
    // At least the lease less the time since its last renewal; never longer than the lease.
    assert!(took > Duration::from_secs(1) && took < Duration::from_millis(2500), "{took:?}");
    assert_eq!(store.commit(Txn::new(epoch)).await, Err(CommitError::Deposed { epoch }));
    let again = timeout(LONG, store.lead("a")).await.unwrap().unwrap();
    assert!(again > epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_outlives_its_lease_by_renewing_it() {
    let Some(etcd) = Etcd::new() else { return };
    let store = etcd.connect().await;
    let epoch = store.lead("a").await.unwrap();
    // Twice the lease of two seconds.
    assert!(timeout(Duration::from_secs(4), store.lost(epoch)).await.is_err());
    store.commit(Txn::new(epoch)).await.unwrap();
}
