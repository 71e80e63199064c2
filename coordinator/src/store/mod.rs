//! The meta store: small, transactional, guarded by the leader's epoch.
//!
//! One trait, several backends, one contract suite (`tests/store_meta`). What the trait promises is what
//! etcd can do in one transaction: compare a key's presence (`create_revision`), version
//! (`mod_revision`) or value, together with the create-revision of the leader's key, which is the epoch.
//!
//! A leader whose commit fails with anything but [`CommitError::TooLarge`] or [`CommitError::Repeated`]
//! should drop what it believes and read the store again.

mod embedded;
#[cfg(feature = "etcd")]
mod etcd;
mod key;
mod txn;

use bytes::Bytes;
use futures::future::BoxFuture;

pub use embedded::{EmbeddedStore, OpenError};
#[cfg(feature = "etcd")]
pub use etcd::{EtcdError, EtcdOptions, EtcdStore, EtcdUser, InvalidEtcdOptions};
pub use key::{InvalidKey, Key, Prefix};
pub use txn::{
    CheckedTxn, Epoch, Expect, Expectation, MAX_OPS, MAX_TXN_BYTES, MAX_VALUE_BYTES, Op, Txn, Version,
};

/// Most entries of one page.
pub const MAX_PAGE: usize = 1000;

/// Most bytes of values in one page; the first entry of a page is always given.
pub const MAX_PAGE_BYTES: usize = 2 << 20;

/// A store of small values under one leader at a time.
pub trait MetaStore: Send + Sync + 'static {
    /// The value of a key, as of the last commit.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Value>, StoreError>>;

    /// The entries whose key starts with `prefix` and comes after `after`, in the order of the keys'
    /// bytes: at most `limit` (1 to [`MAX_PAGE`]; others are moved to the bound), fewer if they are
    /// large. A page is of one moment; two pages may be of two.
    fn range<'a>(
        &'a self,
        prefix: &'a Prefix,
        after: Option<&'a Key>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Takes leadership under a name that others may show (an address): a new epoch, larger than any
    /// before. Commits of older epochs fail from then on. Backends with several replicas wait here until
    /// the leader before is gone.
    fn lead<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Epoch, StoreError>>;

    /// Who leads, or led last.
    fn leader(&self) -> BoxFuture<'_, Result<Option<Leader>, StoreError>>;

    /// Resolves once it is known that a term is over: its lease could not be kept, its key is gone, or
    /// another leads. A term that this store never had is over at once. An embedded store, which nobody
    /// else can open, keeps its term for as long as it lives.
    fn lost(&self, _epoch: Epoch) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    /// Gives leadership up, so that another replica leads without waiting for a lease to end. Takes two
    /// seconds at most; what fails is left to the lease. The term is over even so.
    fn resign(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether several coordinators may use what is stored, one of which leads.
    fn is_shared(&self) -> bool {
        false
    }

    /// Performs a transaction whose limits are proven. Dropping the future does not undo it.
    fn apply(&self, txn: CheckedTxn) -> BoxFuture<'_, Result<Version, CommitError>>;

    /// Checks and performs a transaction. Once this returns its version, it is durable.
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Version, CommitError>> {
        match txn.check() {
            Ok(txn) => self.apply(txn),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// A stored value and the commit that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The bytes.
    pub bytes: Bytes,
    /// The commit that last wrote them.
    pub version: Version,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Value,
}

/// One page of entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The entries, in the order of their keys.
    pub entries: Vec<Entry>,
    /// Where the next page starts (`after`); absent on the last page.
    pub next: Option<Key>,
}

/// A leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// The name it gave.
    pub name: String,
    /// Its term.
    pub epoch: Epoch,
}

/// A read, or a bid for leadership, that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or used now; later it may.
    #[error("the meta store cannot be used now: {0}")]
    Unavailable(String),
    /// What the store holds is not what was written; a person must look.
    #[error("the meta store is damaged: {0}; stop, and restore it from a copy")]
    Corrupt(String),
}

/// A transaction that did not, or may not, have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another leader has taken over: stop acting.
    #[error("epoch {epoch} is over: another coordinator leads")]
    Deposed {
        /// The epoch that is no longer the newest.
        epoch: Epoch,
    },
    /// An expectation does not hold; nothing happened.
    #[error("the value of {key} is not what the transaction expects")]
    Conflict {
        /// The first key whose expectation fails.
        key: Key,
    },
    /// It may have happened or not: read again before acting.
    #[error("it is not known whether the transaction happened: {0}")]
    Ambiguous(String),
    /// The store cannot be used now; nothing happened.
    #[error("the meta store cannot be used now: {0}")]
    Unavailable(String),
    /// Over a limit; nothing happened, and never will.
    #[error("a transaction of {found} {what} is over the limit of {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A key occurs in two operations; nothing happened, and never will.
    #[error("a transaction changes {key} twice")]
    Repeated {
        /// The key.
        key: Key,
    },
    /// What the store holds is not what was written; a person must look.
    #[error("the meta store is damaged: {0}; stop, and restore it from a copy")]
    Corrupt(String),
}

impl From<StoreError> for CommitError {
    /// For a failure before anything was written.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Unavailable(reason),
            StoreError::Corrupt(reason) => Self::Corrupt(reason),
        }
    }
}

/// Every entry under a prefix, page by page. Only a leader, whose pages no one else changes, gets a
/// single moment.
///
/// # Errors
/// [`StoreError`] of the first page that fails.
pub async fn read_all(store: &dyn MetaStore, prefix: &Prefix) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let page = store.range(prefix, after.as_ref(), MAX_PAGE).await?;
        entries.extend(page.entries);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(entries),
        }
    }
}
