//! Reading a whole store into the bytes of a backup.

use bytes::Bytes;
use umbra_proto::store::v1::BackupHead;

use super::format::Writer;
use crate::store::{CommitError, Epoch, MAX_PAGE, MetaStore, Prefix, StoreError, Txn};

/// The most bytes of a backup, which is held in memory while it is sent: far beyond what a leader, which holds all
/// records in memory, can work with.
const MAX_BYTES: usize = 1 << 30;

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The term is over, or may be: what was read may be of two moments.
    #[error(
        "the coordinator may not lead any more, so what it read may be of two moments: ask for a backup again"
    )]
    Deposed,
    /// It is too large.
    #[error(
        "the meta store is larger than {MAX_BYTES} bytes: delete audits that nobody needs, and ask again"
    )]
    TooLarge,
}

/// Everything the store holds as the chunks of a backup file. Between the first page and the last nobody may write
/// under `epoch`, so the caller is whoever else does; that nobody wrote under another one is made sure of here.
///
/// # Errors
/// [`TakeError`] if it cannot be read, or not as of one moment.
pub async fn take(store: &dyn MetaStore, epoch: Epoch, head: BackupHead) -> Result<Vec<Bytes>, TakeError> {
    let mut writer = Writer::new(head);
    let mut after = None;
    loop {
        let page = store.range(&Prefix::all(), after.as_ref(), MAX_PAGE).await?;
        for entry in page.entries {
            writer.entry(&entry.key, entry.value.bytes);
        }
        if writer.bytes() > MAX_BYTES {
            return Err(TakeError::TooLarge);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    // An epoch that is still the newest was so all the while, and nobody else wrote.
    match store.commit(Txn::new(epoch)).await {
        Ok(_) => Ok(writer.finish()),
        Err(CommitError::Corrupt(reason)) => Err(StoreError::Corrupt(reason).into()),
        Err(CommitError::Deposed { .. }) => Err(TakeError::Deposed),
        Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
    }
}
