//! Backups of a meta store: what is restored is what was there, and what is no whole backup is refused.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::Cursor;

use bytes::Bytes;
use prost::Message as _;
use tempfile::TempDir;
use umbra_coordinator::backup::{BackupError, Reader, RestoreError, restore, take};
use umbra_coordinator::store::{
    EmbeddedStore, Entry, Epoch, Key, MAX_VALUE_BYTES, MetaStore, Prefix, Txn, read_all,
};
use umbra_proto::store::v1::{BackupHead, StoredCluster, StoredRestore};

/// 2026-01-02T03:04:05Z.
const NOW: u64 = 1_767_323_045_000;

struct Store {
    store: EmbeddedStore,
    epoch: Epoch,
    _folder: TempDir,
}

impl Store {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = EmbeddedStore::open(folder.path().join("meta.redb")).await.unwrap();
        let epoch = store.lead("test").await.unwrap();
        Self { store, epoch, _folder: folder }
    }

    async fn put(&self, name: &str, value: impl Into<Bytes>) {
        self.store.commit(Txn::new(self.epoch).put(key(name), value)).await.unwrap();
    }

    async fn all(&self) -> Vec<Entry> {
        read_all(&self.store, &Prefix::all()).await.unwrap()
    }

    async fn take(&self) -> Vec<u8> {
        let head = BackupHead { coordinator: "here".into(), unix_milliseconds: 61_000, ..Default::default() };
        let chunks = take(&self.store, self.epoch, head).await.unwrap();
        assert!(chunks.iter().all(|chunk| chunk.len() <= 1 << 20));
        chunks.concat()
    }
}

fn key(name: &str) -> Key {
    Key::try_new(name).unwrap()
}

fn values(entries: &[Entry]) -> Vec<(&str, &Bytes)> {
    entries.iter().map(|entry| (entry.key.as_str(), &entry.value.bytes)).collect()
}

/// A store with counters, more entries than a page and a transaction hold, and values as large as they may be.
async fn full() -> Store {
    let full = Store::new().await;
    for batch in 0..11_u32 {
        let mut txn = Txn::new(full.epoch);
        for at in 0..100_u32 {
            txn = txn.put(key(&format!("pack/a-1/{:08}", batch * 100 + at)), vec![at as u8; at as usize]);
        }
        full.store.commit(txn).await.unwrap();
    }
    for name in ["request/a-1", "request/a-2", "request/a-3"] {
        full.put(name, vec![7; MAX_VALUE_BYTES]).await;
    }
    full.put("empty", Bytes::new()).await;
    full.put("cluster", StoredCluster { next_fence: 40, next_sequence: 9 }.encode_to_vec()).await;
    full
}

#[tokio::test]
async fn what_is_restored_is_what_was_there() {
    let before = full().await;
    let file = before.take().await;
    let after = Store::new().await;
    let restored = restore(&after.store, &mut Cursor::new(&file), NOW).await.unwrap();
    assert_eq!((restored.entries, restored.taken.as_str()), (1105, "1970-01-01T00:01:01Z"));

    let (before, after) = (before.all().await, after.all().await);
    let aside = |(name, _): &(&str, &Bytes)| !["cluster", "restored"].contains(name);
    let kept = |entries: &[Entry]| -> Vec<_> {
        values(entries)
            .into_iter()
            .filter(aside)
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    };
    assert!(kept(&before) == kept(&after));
    let value =
        |name: &str| after.iter().find(|entry| entry.key.as_str() == name).unwrap().value.bytes.clone();
    let cluster = StoredCluster::decode(value("cluster")).unwrap();
    // No fence that was given after the backup is given again; the order of submissions goes on.
    assert_eq!((cluster.next_fence, cluster.next_sequence), (1_767_323_045 << 20, 9));
    let life = StoredRestore::decode(value("restored")).unwrap();
    assert_eq!((life.restore_unix_milliseconds, life.backup_unix_milliseconds), (NOW as i64, 61_000));
}

#[tokio::test]
async fn an_empty_store_has_a_backup_too() {
    let file = Store::new().await.take().await;
    let after = Store::new().await;
    assert_eq!(restore(&after.store, &mut Cursor::new(&file), NOW).await.unwrap().entries, 0);
    assert_eq!(values(&after.all().await).iter().map(|e| e.0).collect::<Vec<_>>(), ["cluster", "restored"]);
    // And that of a restored one, which is one life more.
    let epoch = after.store.lead("test").await.unwrap();
    let again = take(&after.store, epoch, BackupHead::default()).await.unwrap().concat();
    let third = Store::new().await;
    assert_eq!(restore(&third.store, &mut Cursor::new(&again), NOW).await.unwrap().entries, 2);
    let cluster = third.store.get(&key("cluster")).await.unwrap().unwrap().bytes;
    assert_eq!(StoredCluster::decode(cluster).unwrap().next_fence, (1_767_323_045_i64 << 20) + (1 << 32));
}

#[tokio::test]
async fn what_is_cut_short_or_changed_is_refused_and_nothing_is_written() {
    let before = Store::new().await;
    for at in 0..40 {
        before.put(&format!("pack/a-1/{at:08}"), vec![at; 60]).await;
    }
    let whole = before.take().await;
    let after = Store::new().await;
    let refused = async |bytes: Vec<u8>| match restore(&after.store, &mut Cursor::new(bytes), NOW).await {
        Err(RestoreError::Backup(error)) => error,
        other => panic!("{other:?}"),
    };
    for end in (0..whole.len()).step_by(97) {
        let error = refused(whole[..end].to_vec()).await;
        assert!(matches!(error, BackupError::Truncated), "{end}: {error:?}");
        assert!(error.to_string().contains("cut short: use another copy"));
    }
    for at in (0..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        refused(changed).await;
    }
    assert!(matches!(refused([&whole[..], b"x"].concat()).await, BackupError::Damaged(_)));
    assert!(matches!(refused(b"PAR1 is some other file".to_vec()).await, BackupError::NotABackup));
    let mut newer = whole.clone();
    newer[12] = 2;
    assert!(matches!(refused(newer).await, BackupError::Newer { found: 2 }));
    // An item that claims to be longer than any is not waited for.
    let absurd = [&whole[..16], &[0xff, 0xff, 0xff, 0x7f]].concat();
    assert!(matches!(refused(absurd).await, BackupError::Damaged(_)));
    assert_eq!(after.all().await, []);
    restore(&after.store, &mut Cursor::new(whole), NOW).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_not_empty_is_refused_and_left_alone() {
    let file = Store::new().await.take().await;
    let taken = Store::new().await;
    taken.put("dataset/icu", "x").await;
    let before = taken.all().await;
    let error = restore(&taken.store, &mut Cursor::new(&file), NOW).await.unwrap_err();
    assert!(error.to_string().contains("not empty: restore into a new one"), "{error}");
    assert_eq!(taken.all().await, before);

    let cut_short = Store::new().await;
    cut_short.put("restoring", "x").await;
    let error = restore(&cut_short.store, &mut Cursor::new(&file), NOW).await.unwrap_err();
    assert!(matches!(error, RestoreError::CutShort), "{error:?}");
}

#[tokio::test]
async fn a_term_that_is_over_takes_no_backup() {
    let store = Store::new().await;
    store.store.lead("another").await.unwrap();
    let error = take(&store.store, store.epoch, BackupHead::default()).await.unwrap_err();
    assert!(error.to_string().contains("ask for a backup again"), "{error}");
}

#[test]
fn the_reader_stops_where_the_writer_did() {
    // The magic word, version 1, and a trailer where the head should be.
    let bytes = [&b"umbra-backup"[..], &[1, 0, 0, 0], &[2, 0x1a, 0]].concat();
    let error = Reader::open(Cursor::new(bytes)).err().unwrap();
    assert!(error.to_string().contains("it has no head"), "{error}");
}
