//! The meta store in one file on this machine (redb): the default, for one coordinator.
//!
//! Every commit is durable when it returns. After an I/O error (a full disk) the file is closed and
//! opened again by the next call, so that the store recovers with the disk.

mod open;
mod tables;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use futures::future::BoxFuture;
use redb::Database;

use super::{
    CheckedTxn, CommitError, Epoch, Key, Leader, MetaStore, Page, Prefix, StoreError, Value, Version,
};
pub use open::OpenError;
use tables::Failure;

/// The embedded store. Dropping it closes the file once calls in flight have ended.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
}

type Opener = Box<dyn Fn() -> Result<Database, OpenError> + Send + Sync>;

struct Shared {
    opener: Opener,
    /// Absent after an I/O error, until the next call opens it again.
    database: RwLock<Option<Database>>,
}

impl EmbeddedStore {
    /// Opens the store in the file `path`, creating it if it is missing; the folder must exist.
    ///
    /// # Errors
    /// [`OpenError`]: in use, too new, not a store, damaged, or what the system says.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        Self::with_opener(Box::new(move || open::open(&path))).await
    }

    async fn with_opener(opener: Opener) -> Result<Self, OpenError> {
        let opening = tokio::task::spawn_blocking(move || {
            let database = opener()?;
            Ok(Self { shared: Arc::new(Shared { opener, database: RwLock::new(Some(database)) }) })
        });
        opening.await.unwrap_or_else(|error| Err(OpenError::Crashed(error.to_string())))
    }

    /// Runs a blocking operation on its own thread.
    fn run<R: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<R, Failure<E>> + Send + 'static,
    ) -> BoxFuture<'static, Result<R, E>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || shared.run(work)).await {
                Ok(result) => result,
                // redb panics on some kinds of damage.
                Err(error) if error.is_panic() => Err(StoreError::Corrupt(error.to_string()).into()),
                Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
            }
        })
    }
}

impl Shared {
    fn run<R, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Database) -> Result<R, Failure<E>>,
    ) -> Result<R, E> {
        self.reopen_if_closed()?;
        let result = {
            let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
            match guard.as_ref() {
                Some(database) => work(database),
                None => Err(Failure::Decided(StoreError::Unavailable("it is being reopened".into()).into())),
            }
        };
        result.map_err(|failure| match failure {
            Failure::Decided(error) => error,
            Failure::Storage { error, decide } => {
                if is_io(&error) {
                    // redb answers nothing but "previous I/O error" from here on.
                    *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
                }
                decide(&error)
            }
        })
    }

    fn reopen_if_closed(&self) -> Result<(), StoreError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            *guard = Some((self.opener)().map_err(|error| match error {
                OpenError::Damaged { .. } | OpenError::NotAStore { .. } => {
                    StoreError::Corrupt(error.to_string())
                }
                _ => StoreError::Unavailable(error.to_string()),
            })?);
            tracing::info!("reopened the meta store");
        }
        Ok(())
    }
}

fn is_io(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed)
}

impl MetaStore for EmbeddedStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        let key = key.clone();
        self.run(move |database| tables::get(database, &key))
    }

    fn range<'a>(
        &'a self,
        prefix: &'a Prefix,
        after: Option<&'a Key>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        let (prefix, after) = (prefix.clone(), after.cloned());
        self.run(move |database| tables::range(database, &prefix, after.as_ref(), limit))
    }

    fn lead<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Epoch, StoreError>> {
        let name = name.to_owned();
        self.run(move |database| tables::lead(database, &name))
    }

    fn leader(&self) -> BoxFuture<'_, Result<Option<Leader>, StoreError>> {
        self.run(tables::leader)
    }

    fn apply(&self, txn: CheckedTxn) -> BoxFuture<'_, Result<Version, CommitError>> {
        self.run(move |database| tables::apply(database, txn.into_inner()))
    }
}

#[cfg(test)]
mod tests;
