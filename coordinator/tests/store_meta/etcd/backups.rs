//! A backup of one etcd comes back in another.

use std::io::Cursor;

use umbra_coordinator::backup::{RestoreError, restore, take};
use umbra_coordinator::store::{MAX_VALUE_BYTES, MetaStore, Prefix, Txn, read_all};
use umbra_proto::store::v1::BackupHead;

use super::Etcd;
use crate::contract::key;

/// More entries than a page and a transaction hold, and some as large as they may be.
#[tokio::test]
async fn a_backup_goes_from_one_etcd_into_another() {
    let Some(one) = Etcd::new() else { return };
    let store = one.connect().await;
    let epoch = store.lead("one").await.unwrap();
    for batch in 0..11_u32 {
        let mut txn = Txn::new(epoch);
        for at in 0..100_u32 {
            txn = txn.put(key(&format!("pack/a-1/{:08}", batch * 100 + at)), vec![at as u8; at as usize]);
        }
        store.commit(txn).await.unwrap();
    }
    for name in ["request/a-1", "request/a-2"] {
        store.commit(Txn::new(epoch).put(key(name), vec![7; MAX_VALUE_BYTES])).await.unwrap();
    }
    let file = take(&store, epoch, BackupHead::default()).await.unwrap().concat();

    let Some(other) = Etcd::new() else { return };
    let target = other.connect().await;
    let restored = restore(&target, &mut Cursor::new(&file), 61_000).await.unwrap();
    assert_eq!(restored.entries, 1102);
    let before = read_all(&store, &Prefix::all()).await.unwrap();
    let after = read_all(&target, &Prefix::all()).await.unwrap();
    let counters = ["cluster", "restored"];
    let values = |entries: &[umbra_coordinator::store::Entry]| -> Vec<_> {
        let kept = entries.iter().filter(|entry| !counters.contains(&entry.key.as_str()));
        kept.map(|entry| (entry.key.clone(), entry.value.bytes.clone())).collect()
    };
    assert!(values(&before) == values(&after) && values(&after).len() == 1102);
    // A coordinator may lead at once, and what is there is not written over.
    let again = restore(&target, &mut Cursor::new(&file), 61_000).await;
    assert!(matches!(again, Err(RestoreError::NotEmpty)), "{again:?}");
    other.connect().await.lead("next").await.unwrap();
}
