//! Putting a backup into an empty store while no coordinator runs over it.

use std::io::{Read, Seek, SeekFrom};

use bytes::Bytes;
use prost::Message as _;
use umbra_core::ids::Fence;
use umbra_proto::store::v1 as stored;

use super::format::{BackupError, Reader};
use crate::engine::records::{Damaged, core_fence, decode, wire_fence};
use crate::keys;
use crate::store::{
    CommitError, Epoch, Expect, Key, MAX_OPS, MAX_TXN_BYTES, MetaStore, Op, Prefix, StoreError, Txn,
};
use crate::time::timestamp;

/// How far the next fence is raised at least.
const LEAP: u64 = 1 << 32;

/// Fences for every second since 1970: the next fence is at least the time in such steps. Nobody gives a million fences
/// a second, since each takes a commit.
const FENCES_A_SECOND: u64 = 1 << 20;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the backup comes from.
    pub head: stored::BackupHead,
    /// The moment it shows, in RFC 3339.
    pub taken: String,
    /// Entries of the backup.
    pub entries: u64,
    /// The first fence that will be given.
    pub next_fence: u64,
}

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file is no whole backup; the store was not touched.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The counters in it cannot be read.
    #[error(transparent)]
    Record(#[from] Damaged),
    /// The store holds something; it was not touched.
    #[error("the meta store is not empty: restore into a new one, or remove what it holds first")]
    NotEmpty,
    /// A restoration before was cut short.
    #[error(
        "the meta store holds part of a backup, since its restoration did not finish: empty the store (the embedded \
         one: remove meta.redb) and run the same command again"
    )]
    CutShort,
    /// The file changed while it was read.
    #[error("the backup changed while it was being restored: empty the store and restore from another copy")]
    Changed,
    /// No fences are left.
    #[error("the backup's next fence is {0}, beyond which there are none: use another backup")]
    NoFences(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A transaction failed.
    #[error("{0}; empty the meta store before another attempt")]
    Commit(#[from] CommitError),
}

/// Puts the backup in `file` into `store`, which must be empty, at the time `now` (Unix milliseconds). The whole file
/// is checked before anything is written. Should it be cut short, no coordinator starts over what is there.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(
    store: &dyn MetaStore,
    file: &mut (impl Read + Seek + Send),
    now: u64,
) -> Result<Restored, RestoreError> {
    let epoch = store.lead("umbra cluster restore").await?;
    let restored = fill(store, epoch, file, now).await;
    // Whoever waits for the lead need not wait for a lease to end.
    store.resign().await;
    restored
}

async fn fill(
    store: &dyn MetaStore,
    epoch: Epoch,
    file: &mut (impl Read + Seek + Send),
    now: u64,
) -> Result<Restored, RestoreError> {
    if store.get(&keys::restoring()).await?.is_some() {
        return Err(RestoreError::CutShort);
    }
    if !store.range(&Prefix::all(), None, 1).await?.entries.is_empty() {
        return Err(RestoreError::NotEmpty);
    }
    let (cluster, entries) = check(file)?;
    let cluster = raised(cluster, now)?;
    file.seek(SeekFrom::Start(0)).map_err(BackupError::Io)?;
    let mut reader = Reader::open(file)?;
    let first = Txn::new(epoch).expect(keys::restoring(), Expect::Absent);
    store.commit(first.put(keys::restoring(), Bytes::from_static(b"restoring"))).await?;

    let mut batch = Batch::default();
    let mut written = 0;
    while let Some((key, value)) = reader.next_entry().map_err(|_| RestoreError::Changed)? {
        written += 1;
        if is_written_last(&key) {
            continue;
        }
        if !batch.takes(&key, &value) {
            store.commit(std::mem::take(&mut batch).txn(epoch)).await?;
        }
        batch.add(key, value);
    }
    if written != entries {
        return Err(RestoreError::Changed);
    }
    store.commit(batch.txn(epoch)).await?;

    let head = reader.head().clone();
    let life = stored::StoredRestore {
        restore_unix_milliseconds: i64::try_from(now).unwrap_or(i64::MAX),
        backup_unix_milliseconds: head.unix_milliseconds,
    };
    let last = Txn::new(epoch)
        .put(keys::cluster(), cluster.encode_to_vec())
        .put(keys::restored(), life.encode_to_vec())
        .delete(keys::restoring());
    store.commit(last).await?;
    let taken = timestamp(u64::try_from(head.unix_milliseconds).unwrap_or(0)).to_string();
    Ok(Restored { head, taken, entries, next_fence: core_fence(cluster.next_fence).0 })
}

/// Reads the whole backup; answers with the cluster's counters, if it has any, and how many entries there are.
fn check(file: &mut (impl Read + Seek)) -> Result<(Option<stored::StoredCluster>, u64), RestoreError> {
    file.seek(SeekFrom::Start(0)).map_err(BackupError::Io)?;
    let mut reader = Reader::open(file)?;
    let (mut cluster, mut entries) = (None, 0);
    while let Some((key, value)) = reader.next_entry()? {
        entries += 1;
        if key == keys::cluster() {
            cluster = Some(decode::<stored::StoredCluster>(&key, &value)?);
        } else if key == keys::restoring() {
            return Err(BackupError::Damaged("it is one of a store that was being restored".into()).into());
        }
    }
    Ok((cluster, entries))
}

/// The counters to go on with. The order of submissions goes on where it was. Fences that were given after the backup
/// was taken are nowhere in it, but blobs lie under them, and workers may still hold them: none of them may be given
/// again, so the next one leaps beyond what anybody can have given. By the time as well, since a second restoration of
/// one backup must not repeat the fences of the first.
fn raised(cluster: Option<stored::StoredCluster>, now: u64) -> Result<stored::StoredCluster, RestoreError> {
    let cluster = cluster.unwrap_or_default();
    let next = core_fence(cluster.next_fence).0.max(1);
    let raised = next.saturating_add(LEAP).max((now / 1000).saturating_mul(FENCES_A_SECOND));
    // As much again must be left for the next time.
    if raised > i64::MAX as u64 - LEAP {
        return Err(RestoreError::NoFences(next));
    }
    Ok(stored::StoredCluster { next_fence: wire_fence(Fence(raised)), ..cluster })
}

fn is_written_last(key: &Key) -> bool {
    *key == keys::cluster() || *key == keys::restored()
}

/// Entries for one transaction.
#[derive(Default)]
struct Batch {
    ops: Vec<Op>,
    bytes: usize,
}

impl Batch {
    fn takes(&self, key: &Key, value: &Bytes) -> bool {
        let bytes = self.bytes + key.as_str().len() + value.len();
        self.ops.is_empty() || self.ops.len() < MAX_OPS && bytes <= MAX_TXN_BYTES
    }

    fn add(&mut self, key: Key, value: Bytes) {
        self.bytes += key.as_str().len() + value.len();
        self.ops.push(Op::Put { key, value });
    }

    fn txn(self, epoch: Epoch) -> Txn {
        Txn { ops: self.ops, ..Txn::new(epoch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fence_is_given_twice_in_any_two_lives() {
        let counters = |next_fence| stored::StoredCluster { next_fence, next_sequence: 7 };
        let first = raised(Some(counters(40)), 1_800_000_000_000).unwrap();
        assert_eq!((first.next_fence, first.next_sequence), (1_800_000_000 << 20, 7));
        // The same backup again, a second later: a life gives far fewer than a million fences a second.
        let again = raised(Some(counters(40)), 1_800_000_001_000).unwrap();
        assert_eq!(again.next_fence - first.next_fence, 1 << 20);
        // A clock that was never set: beyond what the backup knows all the same.
        assert_eq!(raised(Some(counters(40)), 0).unwrap().next_fence, 40 + (1 << 32));
        assert_eq!(raised(None, 0).unwrap().next_fence, 1 + (1 << 32));
        assert!(matches!(raised(Some(counters(i64::MAX)), 0), Err(RestoreError::NoFences(_))));
        assert!(raised(None, u64::MAX).is_err());
    }
}
