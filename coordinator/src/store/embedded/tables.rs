//! What lies in the file, and the operations on it.

use std::ops::Bound;

use bytes::Bytes;
use redb::{Database, ReadableDatabase as _, ReadableTable, TableDefinition};

use super::super::{
    CommitError, Entry, Epoch, Expect, Key, Leader, MAX_PAGE, MAX_PAGE_BYTES, Op, Page, Prefix, StoreError,
    Txn, Value, Version,
};

/// Keys to values: eight bytes of version, little endian, then the value.
pub const VALUES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("umbra.values");
/// [`SCHEMA`], [`COMMITS`] and [`EPOCH`].
pub const NUMBERS: TableDefinition<'static, &str, u64> = TableDefinition::new("umbra.numbers");
/// The leader's name, under [`EPOCH`].
pub const NAMES: TableDefinition<'static, &str, &str> = TableDefinition::new("umbra.names");

/// The layout of these tables.
pub const SCHEMA: &str = "schema";
const COMMITS: &str = "commits";
const EPOCH: &str = "epoch";

/// Why an operation did not succeed.
pub enum Failure<E> {
    /// For a reason of the store's contract.
    Decided(E),
    /// For one of redb's, and what it means at that point.
    Storage {
        /// What redb says.
        error: redb::Error,
        /// What that means.
        decide: fn(&redb::Error) -> E,
    },
}

/// Before the commit, nothing has happened.
impl<E: From<StoreError>, R: Into<redb::Error>> From<R> for Failure<E> {
    fn from(error: R) -> Self {
        Self::Storage { error: error.into(), decide: |error| classify(error).into() }
    }
}

fn classify(error: &redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            StoreError::Unavailable(format!("the disk is full ({error}): free some space"))
        }
        redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
            StoreError::Unavailable(error.to_string())
        }
        _ => StoreError::Corrupt(error.to_string()),
    }
}

pub fn get(database: &Database, key: &Key) -> Result<Option<Value>, Failure<StoreError>> {
    let values = database.begin_read()?.open_table(VALUES)?;
    let Some(stored) = values.get(key.as_str())? else { return Ok(None) };
    decode(key.as_str(), stored.value()).map(Some).map_err(Failure::Decided)
}

pub fn range(
    database: &Database,
    prefix: &Prefix,
    after: Option<&Key>,
    limit: usize,
) -> Result<Page, Failure<StoreError>> {
    let limit = limit.clamp(1, MAX_PAGE);
    let start = match after {
        Some(key) if key.as_str() >= prefix.as_str() => Bound::Excluded(key.as_str()),
        _ => Bound::Included(prefix.as_str()),
    };
    let values = database.begin_read()?.open_table(VALUES)?;
    let mut page = Page::default();
    let mut page_bytes = 0;
    for found in values.range::<&str>((start, Bound::Unbounded))? {
        let (key, stored) = found?;
        let (key, stored) = (key.value(), stored.value());
        if !prefix.holds(key) {
            break;
        }
        page_bytes += stored.len();
        if page.entries.len() == limit || (page_bytes > MAX_PAGE_BYTES && !page.entries.is_empty()) {
            page.next = page.entries.last().map(|entry| entry.key.clone());
            break;
        }
        let value = decode(key, stored).map_err(Failure::Decided)?;
        let key =
            Key::try_new(key).map_err(|error| Failure::Decided(StoreError::Corrupt(error.to_string())))?;
        page.entries.push(Entry { key, value });
    }
    Ok(page)
}

pub fn lead(database: &Database, name: &str) -> Result<Epoch, Failure<StoreError>> {
    let write = database.begin_write()?;
    let epoch = {
        let mut numbers = write.open_table(NUMBERS)?;
        let epoch = number(&numbers, EPOCH)? + 1;
        numbers.insert(EPOCH, epoch)?;
        write.open_table(NAMES)?.insert(EPOCH, name)?;
        Epoch(epoch)
    };
    // A bid of unknown outcome wastes an epoch at worst.
    write.commit()?;
    Ok(epoch)
}

pub fn leader(database: &Database) -> Result<Option<Leader>, Failure<StoreError>> {
    let read = database.begin_read()?;
    let epoch = number(&read.open_table(NUMBERS)?, EPOCH)?;
    let names = read.open_table(NAMES)?;
    let name = names.get(EPOCH)?;
    Ok(name.map(|name| Leader { name: name.value().to_owned(), epoch: Epoch(epoch) }))
}

pub fn apply(database: &Database, txn: Txn) -> Result<Version, Failure<CommitError>> {
    let write = database.begin_write()?;
    let version = {
        let mut numbers = write.open_table(NUMBERS)?;
        if number(&numbers, EPOCH)? != txn.epoch.0 {
            return Err(Failure::Decided(CommitError::Deposed { epoch: txn.epoch }));
        }
        let mut values = write.open_table(VALUES)?;
        for expectation in txn.expect {
            let found = values.get(expectation.key.as_str())?;
            let found = found.map(|stored| decode(expectation.key.as_str(), stored.value()));
            let found = found.transpose().map_err(|error| Failure::Decided(error.into()))?;
            if !holds(&expectation.expect, found.as_ref()) {
                return Err(Failure::Decided(CommitError::Conflict { key: expectation.key }));
            }
        }
        let version = number(&numbers, COMMITS)? + 1;
        numbers.insert(COMMITS, version)?;
        for op in &txn.ops {
            match op {
                Op::Put { key, value } => {
                    let stored = [&version.to_le_bytes(), value.as_ref()].concat();
                    values.insert(key.as_str(), stored.as_slice())?;
                }
                Op::Delete { key } => {
                    values.remove(key.as_str())?;
                }
            }
        }
        Version(version)
    };
    match write.commit() {
        Ok(()) => Ok(version),
        // The file may hold it or not, until it is opened again.
        Err(error) => Err(Failure::Storage {
            error: error.into(),
            decide: |error| CommitError::Ambiguous(error.to_string()),
        }),
    }
}

fn holds(expect: &Expect, found: Option<&Value>) -> bool {
    match (expect, found) {
        (Expect::Absent, None) | (Expect::Present, Some(_)) => true,
        (Expect::Version(version), Some(found)) => found.version == *version,
        (Expect::Equals(bytes), Some(found)) => found.bytes == *bytes,
        _ => false,
    }
}

fn number(table: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64, redb::StorageError> {
    Ok(table.get(name)?.map_or(0, |stored| stored.value()))
}

fn decode(key: &str, stored: &[u8]) -> Result<Value, StoreError> {
    let (version, bytes) = stored
        .split_first_chunk::<8>()
        .ok_or_else(|| StoreError::Corrupt(format!("the value of {key} has no version")))?;
    Ok(Value { bytes: Bytes::copy_from_slice(bytes), version: Version(u64::from_le_bytes(*version)) })
}
