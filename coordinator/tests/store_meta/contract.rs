//! What every backend of the meta store must do. A new backend gives a [`Backend`] and one line of
//! [`contract!`].

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use umbra_coordinator::store::{
    CommitError, Epoch, Expect, Key, Leader, MAX_OPS, MAX_PAGE, MAX_PAGE_BYTES, MAX_TXN_BYTES,
    MAX_VALUE_BYTES, MetaStore, Prefix, Txn, read_all,
};

/// One empty store that can be opened again and again, one at a time.
pub trait Backend {
    /// Opens the store.
    async fn open(&self) -> Arc<dyn MetaStore>;
}

pub fn key(text: &str) -> Key {
    Key::try_new(text).unwrap()
}

async fn bytes_of(store: &dyn MetaStore, name: &str) -> Option<Bytes> {
    store.get(&key(name)).await.unwrap().map(|value| value.bytes)
}

async fn open_and_lead(backend: &impl Backend) -> (Arc<dyn MetaStore>, Epoch) {
    let store = backend.open().await;
    let epoch = store.lead("127.0.0.1:1").await.unwrap();
    (store, epoch)
}

pub async fn values_are_read_as_written(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    assert_eq!(store.get(&key("audit/a")).await.unwrap(), None);
    let first =
        store.commit(Txn::new(epoch).put(key("audit/a"), "one").put(key("audit/b"), "")).await.unwrap();
    let found = store.get(&key("audit/a")).await.unwrap().unwrap();
    assert_eq!((found.bytes, found.version), (Bytes::from("one"), first));
    assert_eq!(bytes_of(&*store, "audit/b").await.unwrap(), "");

    let second =
        store.commit(Txn::new(epoch).put(key("audit/a"), "two").delete(key("audit/b"))).await.unwrap();
    assert!(second > first);
    assert_eq!(bytes_of(&*store, "audit/a").await.unwrap(), "two");
    assert_eq!(bytes_of(&*store, "audit/b").await, None);
    // Deleting what is not there is no error.
    store.commit(Txn::new(epoch).delete(key("audit/b"))).await.unwrap();

    // The same bytes again are another version.
    store.commit(Txn::new(epoch).delete(key("audit/a"))).await.unwrap();
    store.commit(Txn::new(epoch).put(key("audit/a"), "two")).await.unwrap();
    assert!(store.get(&key("audit/a")).await.unwrap().unwrap().version > second);
}

pub async fn only_the_newest_epoch_writes(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.leader().await.unwrap(), None);
    let old = store.lead("first").await.unwrap();
    store.commit(Txn::new(old).put(key("k"), "old")).await.unwrap();
    let new = store.lead("second").await.unwrap();
    assert!(new > old);
    assert_eq!(store.leader().await.unwrap(), Some(Leader { name: "second".into(), epoch: new }));

    // Deposed even where the expectation fails too, and even without a change.
    for txn in [
        Txn::new(old).put(key("k"), "late"),
        Txn::new(old).expect(key("k"), Expect::Absent).put(key("k"), "late"),
        Txn::new(old),
    ] {
        assert_eq!(store.commit(txn).await, Err(CommitError::Deposed { epoch: old }));
    }
    let never = Epoch(new.0 + 1);
    let ahead = store.commit(Txn::new(never).put(key("k"), "ahead")).await;
    assert_eq!(ahead, Err(CommitError::Deposed { epoch: never }));
    assert_eq!(bytes_of(&*store, "k").await.unwrap(), "old");
    store.commit(Txn::new(new).put(key("k"), "new")).await.unwrap();
    assert_eq!(bytes_of(&*store, "k").await.unwrap(), "new");
}

pub async fn expectations_decide(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    let before = store.commit(Txn::new(epoch).put(key("there"), "v")).await.unwrap();
    let now = store.commit(Txn::new(epoch).put(key("there"), "w")).await.unwrap();
    let cases = [
        ("gone", Expect::Absent, true),
        ("gone", Expect::Present, false),
        ("gone", Expect::Version(now), false),
        ("gone", Expect::Equals(Bytes::new()), false),
        ("there", Expect::Absent, false),
        ("there", Expect::Present, true),
        ("there", Expect::Version(now), true),
        ("there", Expect::Version(before), false),
        ("there", Expect::Equals("w".into()), true),
        ("there", Expect::Equals("v".into()), false),
    ];
    for (name, expect, holds) in cases {
        let result =
            store.commit(Txn::new(epoch).expect(key(name), expect.clone()).put(key("other"), "x")).await;
        if holds {
            assert!(result.is_ok(), "{name} {expect:?}: {result:?}");
        } else {
            assert_eq!(result, Err(CommitError::Conflict { key: key(name) }), "{expect:?}");
        }
    }
}

pub async fn a_conflict_changes_nothing(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    store.commit(Txn::new(epoch).put(key("a"), "1").put(key("b"), "1")).await.unwrap();
    let txn = Txn::new(epoch)
        .expect(key("a"), Expect::Present)
        .expect(key("b"), Expect::Absent)
        .put(key("a"), "2")
        .delete(key("b"))
        .put(key("c"), "2");
    assert_eq!(store.commit(txn).await, Err(CommitError::Conflict { key: key("b") }));
    let all = read_all(&*store, &Prefix::all()).await.unwrap();
    let all: Vec<_> = all.iter().map(|entry| (entry.key.as_str(), entry.value.bytes.as_ref())).collect();
    assert_eq!(all, [("a", &b"1"[..]), ("b", b"1")]);
}

pub async fn pages_are_ordered_and_complete(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    let mut txn = Txn::new(epoch).put(key("a"), "").put(key("ab/x"), "").put(key("b/0"), "");
    // Every second name has a byte above ASCII, so that bytes and characters order alike or not at all.
    let names: BTreeSet<String> =
        (0..25).map(|i| if i % 2 == 0 { format!("a/{i:02}") } else { format!("a/é{i:02}") }).collect();
    for name in &names {
        txn = txn.put(key(name), name.clone());
    }
    store.commit(txn).await.unwrap();
    let prefix = Prefix::try_new("a/").unwrap();

    let (mut found, mut after, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let page = store.range(&prefix, after.as_ref(), 10).await.unwrap();
        sizes.push(page.entries.len());
        found.extend(page.entries.into_iter().map(|entry| {
            assert_eq!(entry.value.bytes, entry.key.as_str());
            entry.key.as_str().to_owned()
        }));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert!(found.iter().eq(&names), "{found:?}");

    let page = |after: &'static str, limit| {
        let (store, prefix) = (store.clone(), prefix.clone());
        async move { store.range(&prefix, Some(&key(after)), limit).await.unwrap() }
    };
    assert_eq!(page("a/00", 1).await.entries[0].key, key("a/02"));
    assert_eq!(page("A", 1).await.entries[0].key, key("a/00"), "a start before the prefix");
    assert_eq!(page("a/zz", 20).await.entries.len(), 12, "a start that is no key");
    assert!(page("b", 5).await.entries.is_empty(), "a start behind the prefix");
    let last_page = page("a/00", 24).await;
    assert_eq!((last_page.entries.len(), last_page.next), (24, None), "a full last page");
    // Limits outside of the bounds are moved to them.
    assert_eq!(page("a/00", 0).await.entries.len(), 1);
    assert_eq!(page("a/00", MAX_PAGE + 1).await.entries.len(), 24);
    assert_eq!(read_all(&*store, &Prefix::all()).await.unwrap().len(), 28);
    assert!(read_all(&*store, &Prefix::try_new("none/").unwrap()).await.unwrap().is_empty());
}

pub async fn pages_of_large_values_are_short(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    for i in 0..5u8 {
        let value = vec![i; MAX_VALUE_BYTES];
        store.commit(Txn::new(epoch).put(key(&format!("big/{i}")), value)).await.unwrap();
    }
    let prefix = Prefix::try_new("big/").unwrap();
    let page = store.range(&prefix, None, MAX_PAGE).await.unwrap();
    let bytes: usize = page.entries.iter().map(|entry| entry.value.bytes.len()).sum();
    assert!(page.next.is_some() && bytes <= MAX_PAGE_BYTES, "{bytes}");
    let all = read_all(&*store, &prefix).await.unwrap();
    assert!(all.iter().enumerate().all(|(i, entry)| entry.value.bytes[0] == i as u8));
    assert_eq!(all.len(), 5);
}

pub async fn limits_hold(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    let puts = |count: usize| (0..count).fold(Txn::new(epoch), |txn, i| txn.put(key(&format!("k/{i}")), "v"));
    let expectations = |count: usize| {
        (0..count).fold(Txn::new(epoch), |txn, i| txn.expect(key(&format!("n/{i}")), Expect::Absent))
    };
    store.commit(puts(MAX_OPS)).await.unwrap();
    store.commit(expectations(MAX_OPS)).await.unwrap();
    store.commit(Txn::new(epoch).put(key("v"), vec![1; MAX_VALUE_BYTES])).await.unwrap();
    let half = vec![2; MAX_TXN_BYTES / 2 - 2];
    store
        .commit(Txn::new(epoch).put(key("h/1"), half.clone()).put(key("h/2"), half.clone()))
        .await
        .unwrap_err();
    let half = vec![2; MAX_TXN_BYTES / 2 - 3];
    store.commit(Txn::new(epoch).put(key("h/1"), half.clone()).put(key("h/2"), half)).await.unwrap();

    let over = Expect::Equals(vec![1; MAX_VALUE_BYTES + 1].into());
    for txn in [
        puts(MAX_OPS + 1),
        expectations(MAX_OPS + 1),
        Txn::new(epoch).put(key("x"), vec![1; MAX_VALUE_BYTES + 1]),
        Txn::new(epoch).expect(key("x"), over),
    ] {
        let result = store.commit(txn).await;
        assert!(matches!(result, Err(CommitError::TooLarge { .. })), "{result:?}");
    }
    let twice = Txn::new(epoch).put(key("x"), "1").delete(key("x"));
    assert_eq!(store.commit(twice).await, Err(CommitError::Repeated { key: key("x") }));
    assert_eq!(bytes_of(&*store, "x").await, None);
}

pub async fn of_many_claims_one_wins(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    let claims = (0..16).map(|i| {
        let store = store.clone();
        async move {
            let txn = Txn::new(epoch).expect(key("slot"), Expect::Absent).put(key("slot"), i.to_string());
            (i, store.commit(txn).await)
        }
    });
    let results = futures::future::join_all(claims).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(|(_, result)| result.is_ok());
    assert_eq!(won.len(), 1);
    assert_eq!(bytes_of(&*store, "slot").await.unwrap(), won[0].0.to_string());
    assert!(lost.iter().all(|(_, result)| *result == Err(CommitError::Conflict { key: key("slot") })));
}

pub async fn no_increment_is_lost(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    store.commit(Txn::new(epoch).put(key("count"), "0")).await.unwrap();
    let writers = (0..4).map(|_| {
        let store = store.clone();
        async move {
            let mut done = 0;
            while done < 10 {
                let found = store.get(&key("count")).await.unwrap().unwrap();
                let count: u32 = std::str::from_utf8(&found.bytes).unwrap().parse().unwrap();
                let txn = Txn::new(epoch).expect(key("count"), Expect::Version(found.version));
                match store.commit(txn.put(key("count"), (count + 1).to_string())).await {
                    Ok(_) => done += 1,
                    Err(error) => assert_eq!(error, CommitError::Conflict { key: key("count") }),
                }
            }
        }
    });
    futures::future::join_all(writers).await;
    assert_eq!(bytes_of(&*store, "count").await.unwrap(), "40");
}

pub async fn everything_survives_reopening(backend: &impl Backend) {
    let (store, epoch) = open_and_lead(backend).await;
    let version = store.commit(Txn::new(epoch).put(key("k"), "v")).await.unwrap();
    drop(store);

    let store = backend.open().await;
    let found = store.get(&key("k")).await.unwrap().unwrap();
    assert_eq!((found.bytes, found.version), (Bytes::from("v"), version));
    assert_eq!(store.leader().await.unwrap().unwrap().name, "127.0.0.1:1");
    let next = store.lead("127.0.0.1:2").await.unwrap();
    assert!(next > epoch);
    assert_eq!(store.commit(Txn::new(epoch)).await, Err(CommitError::Deposed { epoch }));
    assert!(store.commit(Txn::new(next).put(key("k"), "w")).await.unwrap() > version);
}

/// Makes one test of each item above for a backend, or none where there is none to test.
macro_rules! contract {
    ($backend:expr) => {
        $crate::contract::contract!(
            $backend,
            values_are_read_as_written,
            only_the_newest_epoch_writes,
            expectations_decide,
            a_conflict_changes_nothing,
            pages_are_ordered_and_complete,
            pages_of_large_values_are_short,
            limits_hold,
            of_many_claims_one_wins,
            no_increment_is_lost,
            everything_survives_reopening
        );
    };
    ($backend:expr, $($name:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(backend) = $backend {
                    $crate::contract::$name(&backend).await;
                }
            }
        )+
    };
}
pub(crate) use contract;
