//! A term of leadership, as the store that has it knows it.

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::super::Epoch;
use super::layout::Mark;
use super::lease::Lease;

/// A term that was won.
pub struct Term {
    /// The revision that created its key.
    pub epoch: Epoch,
    /// Where its key lies.
    pub place: String,
    /// The name it shows.
    pub name: String,
    /// What its key hangs on.
    pub lease: Lease,
    /// Held by the transaction that is under way: one at a time.
    pub log: Mutex<Log>,
}

/// What is known of a term's transactions. Each is conditional on the one before, so that one whose answer
/// was lost either has happened or never will, once the next one has.
pub struct Log {
    /// The revision that last wrote the term's key, as far as is known.
    pub revision: i64,
    /// The number of the last transaction that was sent.
    pub number: u64,
    /// The number of a transaction that was sent and of which it is not known whether it happened.
    pub open: Option<u64>,
}

impl Term {
    /// Cancelled once the term is over.
    pub fn over(&self) -> &CancellationToken {
        self.lease.over()
    }

    /// What its key holds from a transaction on.
    pub fn mark(&self, number: u64) -> String {
        Mark { name: self.name.clone(), number }.write()
    }
}
