//! The meta store in etcd, for several coordinators, one of which leads.
//!
//! A version is the revision that wrote a value, an epoch the revision that created its leader's key. See
//! `layout` for what lies where, `election` for who leads and `commit` for how a transaction is known to have
//! happened.

mod calls;
mod commit;
mod election;
mod failure;
mod layout;
mod lease;
mod options;
mod read;
mod term;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use umbra_runtime::Drain;

use super::{
    CheckedTxn, CommitError, Epoch, Key, Leader, MetaStore, Page, Prefix, StoreError, Value, Version,
};
use calls::Calls;
use layout::Layout;
pub use options::{EtcdOptions, EtcdUser, InvalidEtcdOptions};
use term::Term;

/// A store in etcd. Dropping it ends its tasks and gives up no lease: it is as if its process had died.
pub struct EtcdStore {
    calls: Arc<Calls>,
    layout: Layout,
    lease: Duration,
    /// The tasks that keep leases.
    drain: Drain,
    term: Mutex<Option<Arc<Term>>>,
}

/// An etcd that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// The options are at fault.
    #[error(transparent)]
    Options(#[from] InvalidEtcdOptions),
    /// etcd is, or the way to it.
    #[error(transparent)]
    Unusable(#[from] StoreError),
}

impl EtcdStore {
    /// Reaches etcd and reads who leads.
    ///
    /// # Errors
    /// [`EtcdError`] if no endpoint answers within five seconds, or etcd refuses: a wrong password, a role
    /// without rights, TLS on one side only.
    pub async fn connect(options: &EtcdOptions) -> Result<Self, EtcdError> {
        options.check()?;
        let store = Self {
            calls: Arc::new(Calls::new(options)),
            layout: Layout::new(options.prefix()),
            lease: options.lease(),
            drain: Drain::new(),
            term: Mutex::new(None),
        };
        store.oldest().await?;
        Ok(store)
    }

    fn term(&self) -> MutexGuard<'_, Option<Arc<Term>>> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The term of an epoch, unless it is over.
    fn term_of(&self, epoch: Epoch) -> Option<Arc<Term>> {
        self.term().clone().filter(|term| term.epoch == epoch && !term.over().is_cancelled())
    }

    async fn step_down(&self) {
        let term = self.term().take();
        if let Some(term) = term {
            term.lease.give_back().await;
        }
    }
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        self.drain.begin();
    }
}

impl MetaStore for EtcdStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        Box::pin(self.read(key))
    }

    fn range<'a>(
        &'a self,
        prefix: &'a Prefix,
        after: Option<&'a Key>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(self.page(prefix, after, limit))
    }

    fn lead<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Epoch, StoreError>> {
        Box::pin(async move {
            self.step_down().await;
            let term = self.campaign(name).await?;
            let epoch = term.epoch;
            *self.term() = Some(Arc::new(term));
            Ok(epoch)
        })
    }

    fn leader(&self) -> BoxFuture<'_, Result<Option<Leader>, StoreError>> {
        Box::pin(self.oldest())
    }

    fn lost(&self, epoch: Epoch) -> BoxFuture<'_, ()> {
        let over = self.term_of(epoch).map(|term| term.over().clone());
        Box::pin(async move {
            if let Some(over) = over {
                over.cancelled().await;
            }
        })
    }

    fn resign(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.step_down())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn apply(&self, txn: CheckedTxn) -> BoxFuture<'_, Result<Version, CommitError>> {
        Box::pin(async move {
            let txn = txn.into_inner();
            match self.term_of(txn.epoch) {
                Some(term) => self.perform(&term, &txn).await,
                None => Err(CommitError::Deposed { epoch: txn.epoch }),
            }
        })
    }
}
