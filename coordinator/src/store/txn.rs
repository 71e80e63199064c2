//! Transactions: what must hold, what changes, and the limits every backend keeps.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;

use super::CommitError;
use super::key::Key;

/// Most expectations, and most operations, in one transaction.
pub const MAX_OPS: usize = 127;

/// Most bytes of one value: just under 1 MiB.
pub const MAX_VALUE_BYTES: usize = (1 << 20) - 1;

/// Most bytes of keys and values in one transaction. etcd's default limit on a request is 1.5 MiB.
pub const MAX_TXN_BYTES: usize = 5 << 18;

/// A term of leadership; the newest is the largest, and only it may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The commit that last wrote a value. Grows with every commit of a store; never used twice, so a value
/// that is deleted and written again differs from the first (etcd's `mod_revision`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// What must hold of a key for the transaction to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// The key has no value.
    Absent,
    /// The key has some value.
    Present,
    /// The key's value was last written by this commit.
    Version(Version),
    /// The key's value is exactly this.
    Equals(Bytes),
}

/// One condition of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The key.
    pub key: Key,
    /// What must hold of it.
    pub expect: Expect,
}

/// One change of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a key's value.
    Put {
        /// The key.
        key: Key,
        /// The value, at most [`MAX_VALUE_BYTES`].
        value: Bytes,
    },
    /// Removes a key and its value; nothing happens if there is none.
    Delete {
        /// The key.
        key: Key,
    },
}

impl Op {
    /// The key that changes.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// A transaction: if the epoch is the newest and every expectation holds, all operations happen at once
/// and durably; else none does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn {
    /// The writer's term of leadership.
    pub epoch: Epoch,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// What changes; each key once.
    pub ops: Vec<Op>,
}

impl Txn {
    /// An empty transaction of a term.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, expect: Vec::new(), ops: Vec::new() }
    }

    /// Adds a condition.
    #[must_use]
    pub fn expect(mut self, key: Key, expect: Expect) -> Self {
        self.expect.push(Expectation { key, expect });
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Bytes>) -> Self {
        self.ops.push(Op::Put { key, value: value.into() });
        self
    }

    /// Adds a removal.
    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.ops.push(Op::Delete { key });
        self
    }

    /// Proves the limits.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`] or [`CommitError::Repeated`].
    pub fn check(self) -> Result<CheckedTxn, CommitError> {
        too_large("expectations", self.expect.len(), MAX_OPS)?;
        too_large("operations", self.ops.len(), MAX_OPS)?;
        let mut total = 0;
        let mut add = |key: &Key, value: Option<&Bytes>| {
            let value_bytes = value.map_or(0, Bytes::len);
            total += key.as_str().len() + value_bytes;
            too_large("bytes of a value", value_bytes, MAX_VALUE_BYTES)
        };
        for Expectation { key, expect } in &self.expect {
            add(key, if let Expect::Equals(value) = expect { Some(value) } else { None })?;
        }
        let mut seen = BTreeSet::new();
        for op in &self.ops {
            add(op.key(), if let Op::Put { value, .. } = op { Some(value) } else { None })?;
            if !seen.insert(op.key()) {
                return Err(CommitError::Repeated { key: op.key().clone() });
            }
        }
        too_large("bytes of keys and values", total, MAX_TXN_BYTES)?;
        Ok(CheckedTxn(self))
    }
}

fn too_large(what: &'static str, found: usize, most: usize) -> Result<(), CommitError> {
    if found > most { Err(CommitError::TooLarge { what, found, most }) } else { Ok(()) }
}

/// A transaction within the limits; made by [`Txn::check`] alone.
#[derive(Debug, Clone)]
pub struct CheckedTxn(Txn);

impl CheckedTxn {
    /// The transaction.
    pub fn into_inner(self) -> Txn {
        self.0
    }
}
