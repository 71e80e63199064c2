//! Transactions while answers, requests or nodes are lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use umbra_coordinator::store::{CommitError, EtcdOptions, EtcdStore, Expect, MetaStore, Txn};

use super::Etcd;
use super::nodes::EtcdNodes;
use super::proxy::Proxy;
use super::servers::{client, shared};
use crate::contract::key;

/// How often a key was written since it was created.
async fn writes(nodes: &EtcdNodes, prefix: &str, name: &str) -> i64 {
    let mut client = client(nodes).await;
    let found = client.get(format!("{prefix}/data/{name}"), None).await.unwrap();
    found.kvs().first().map_or(0, |stored| stored.version())
}

async fn behind(proxy: &Proxy, prefix: &str) -> EtcdStore {
    let options = EtcdOptions::try_new(&[&proxy.url]).unwrap().with_prefix(prefix).unwrap();
    EtcdStore::connect(&options.with_lease(30).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_claims_one_wins() {
    let Some(etcd) = Etcd::new() else { return };
    let store = Arc::new(etcd.connect().await);
    let epoch = store.lead("a").await.unwrap();
    let claims = (0..64).map(|i| {
        let store = store.clone();
        async move {
            let txn = Txn::new(epoch).expect(key("slot"), Expect::Absent);
            (i, store.commit(txn.put(key("slot"), i.to_string())).await)
        }
    });
    let results = futures::future::join_all(claims).await;
    let won: Vec<_> = results.iter().filter(|(_, result)| result.is_ok()).collect();
    assert_eq!(won.len(), 1);
    let lost =
        results.iter().filter(|(_, result)| *result == Err(CommitError::Conflict { key: key("slot") }));
    assert_eq!(lost.count(), 63);
    let found = store.get(&key("slot")).await.unwrap().unwrap();
    assert_eq!(found.bytes, won[0].0.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_answer_is_lost_is_known_to_have_happened() {
    let Some(nodes) = shared() else { return };
    let proxy = Proxy::start(&nodes.urls()[0]).await;
    let store = behind(&proxy, "lost-answer").await;
    let epoch = store.lead("a").await.unwrap();
    store.commit(Txn::new(epoch).put(key("k"), "1")).await.unwrap();
    proxy.drop_answers();
    let txn = Txn::new(epoch).expect(key("k"), Expect::Equals("1".into())).put(key("k"), "2");
    let version = store.commit(txn).await.unwrap();
    let found = store.get(&key("k")).await.unwrap().unwrap();
    assert_eq!((found.bytes, found.version), (Bytes::from("2"), version));
    assert_eq!(writes(&nodes, "lost-answer", "k").await, 2);
    store.commit(Txn::new(epoch).expect(key("k"), Expect::Version(version)).delete(key("k"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_comes_late_changes_nothing() {
    let Some(nodes) = shared() else { return };
    let proxy = Proxy::start(&nodes.urls()[0]).await;
    let store = behind(&proxy, "late-request").await;
    let epoch = store.lead("a").await.unwrap();
    store.commit(Txn::new(epoch).put(key("k"), "1")).await.unwrap();
    proxy.hold_requests();
    // Given up while it lies on the way; the next one finds out about it.
    let given_up = store.commit(Txn::new(epoch).put(key("k"), "2").put(key("other"), "2"));
    assert!(tokio::time::timeout(Duration::from_millis(300), given_up).await.is_err());
    let version = store.commit(Txn::new(epoch).put(key("k"), "3")).await.unwrap();
    proxy.release();
    for _ in 0..20 {
        store.commit(Txn::new(epoch).expect(key("k"), Expect::Version(version))).await.unwrap();
    }
    assert_eq!(store.get(&key("other")).await.unwrap(), None);
    assert_eq!(writes(&nodes, "late-request", "k").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_etcd_nothing_happens_and_that_is_known() {
    let Some(mut nodes) = EtcdNodes::start(1, 1) else { return };
    let store = patient(&nodes, "dead").await;
    let epoch = store.lead("a").await.unwrap();
    nodes.kill(&[0]);
    let began = Instant::now();
    // The read finds that the connection is gone, so that the transaction after it is not sent.
    let error = store.get(&key("k")).await.unwrap_err().to_string();
    assert!(error.contains("see that it runs") && error.contains(&nodes.urls()[0]), "{error}");
    let result = store.commit(Txn::new(epoch).put(key("k"), "1")).await;
    let told =
        matches!(&result, Err(CommitError::Unavailable(reason)) if reason.contains("see that it runs"));
    assert!(told, "{result:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    nodes.restart(&[0]);
    store.commit(Txn::new(epoch).expect(key("k"), Expect::Absent).put(key("k"), "2")).await.unwrap();
}

/// Adds one so many times, in steps that hang on the version before; `disturb` is called half-way. How long
/// the longest step took.
async fn count_to(
    store: &EtcdStore,
    nodes: &mut EtcdNodes,
    steps: u32,
    disturb: impl FnOnce(&mut EtcdNodes, usize),
) -> Duration {
    let epoch = store.lead("a").await.unwrap();
    store.commit(Txn::new(epoch).put(key("count"), "0")).await.unwrap();
    let leader = nodes.leader();
    let mut disturb = Some(disturb);
    let mut longest = Duration::ZERO;
    let mut done = 0;
    while done < steps {
        let began = Instant::now();
        let found = match store.get(&key("count")).await {
            Ok(found) => found.unwrap(),
            Err(error) => {
                eprintln!("read again: {error}");
                continue;
            }
        };
        assert_eq!(found.bytes, done.to_string(), "nothing is lost and nothing is done twice");
        let txn = Txn::new(epoch).expect(key("count"), Expect::Version(found.version));
        let txn = txn.put(key("count"), (done + 1).to_string());
        let commit = store.commit(txn);
        tokio::pin!(commit);
        let result = if done == steps / 2
            && let Some(disturb) = disturb.take()
        {
            // Under way, wherever it is by now.
            let started = futures::poll!(commit.as_mut());
            disturb(nodes, leader);
            match started {
                std::task::Poll::Ready(result) => result,
                std::task::Poll::Pending => commit.await,
            }
        } else {
            commit.await
        };
        match result {
            Ok(version) => {
                assert!(version > found.version);
                done += 1;
            }
            Err(CommitError::Unavailable(reason)) => eprintln!("nothing happened: {reason}"),
            Err(error) => panic!("step {done}: {error}"),
        }
        longest = longest.max(began.elapsed());
    }
    let found = store.get(&key("count")).await.unwrap().unwrap();
    assert_eq!(found.bytes, steps.to_string());
    longest
}

async fn patient(nodes: &EtcdNodes, prefix: &str) -> EtcdStore {
    let options = EtcdOptions::try_new(&nodes.urls()).unwrap().with_prefix(prefix).unwrap();
    EtcdStore::connect(&options.with_lease(20).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_of_three_loses_no_increment_and_doubles_none() {
    let Some(mut nodes) = EtcdNodes::start(1, 3) else { return };
    let store = patient(&nodes, "killed").await;
    let longest = count_to(&store, &mut nodes, 500, |nodes, leader| nodes.kill(&[leader])).await;
    eprintln!("etcd's leader killed: the longest of 500 steps took {longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_of_three_loses_no_increment_and_doubles_none() {
    let Some(mut nodes) = EtcdNodes::start(1, 3) else { return };
    let store = patient(&nodes, "frozen").await;
    let longest = count_to(&store, &mut nodes, 200, |nodes, leader| nodes.freeze(leader)).await;
    eprintln!("etcd's leader frozen: the longest of 200 steps took {longest:?}");
    // What it still held comes late.
    (0..3).for_each(|node| nodes.thaw(node));
    let found = store.get(&key("count")).await.unwrap().unwrap();
    assert_eq!(found.bytes, "200");
}
