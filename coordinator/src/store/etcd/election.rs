//! Who leads: of all keys under the leaders' prefix, the one that was created first.
//!
//! Each is bound to the lease of whoever wrote it and goes when that does. Whoever waits watches the one
//! before its own, so that a change wakes one and not all.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, GetOptions, GetResponse, PutOptions, SortOrder, SortTarget, Txn, TxnOp,
    WatchFilterType, WatchOptions,
};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use umbra_runtime::Drain;

use super::super::{Epoch, Leader, StoreError};
use super::EtcdStore;
use super::calls::Calls;
use super::failure::Failure;
use super::layout::Mark;
use super::lease::Lease;
use super::term::{Log, Term};

/// How long a watch is trusted before what it watches is read again: one that was cut off stays silent.
const WATCH: Duration = Duration::from_secs(2);

/// The wait after a watch that could not be.
const PAUSE: Duration = Duration::from_millis(200);

/// The most who lead or wait that are looked at.
const MOST: i64 = 1000;

impl EtcdStore {
    /// Waits until this store leads.
    pub(super) async fn campaign(&self, name: &str) -> Result<Term, StoreError> {
        let name = Mark::name(name);
        loop {
            let granted = Lease::grant(&self.calls, self.lease, &self.drain).await;
            let lease = granted.map_err(|failure| self.calls.unusable(failure))?;
            let place = self.layout.leader(lease.id);
            // A lease that ended meanwhile took the key with it: queue again.
            let Some(revision) = self.queue(&lease, &place, &name).await? else { continue };
            let epoch = Epoch(revision.unsigned_abs());
            let over = lease.over().clone();
            let watched = until_removed(self.calls.clone(), place.clone(), revision, over);
            self.drain.spawn("etcd leadership", or_drained(watched, self.drain.clone()));
            let log = Mutex::new(Log { revision, number: 0, open: None });
            return Ok(Term { epoch, place, name, lease, log });
        }
    }

    /// Writes the key and waits until it is the oldest; the revision that created it, or nothing if the
    /// lease ended.
    async fn queue(&self, lease: &Lease, place: &str, name: &str) -> Result<Option<i64>, StoreError> {
        let mut written = false;
        while !lease.over().is_cancelled() {
            let asked = self.calls.ask(|client| everyone(client, self.layout.leaders().to_owned())).await;
            let queue = asked.map_err(|failure| self.calls.unusable(failure))?;
            let ours = queue.kvs().iter().position(|stored| stored.key() == place.as_bytes());
            match ours {
                Some(0) => return Ok(Some(queue.kvs()[0].create_revision())),
                Some(index) => {
                    let before = String::from_utf8_lossy(queue.kvs()[index - 1].key()).into_owned();
                    let since = queue.header().map_or(0, etcd_client::ResponseHeader::revision);
                    tokio::select! {
                        () = lease.over().cancelled() => {}
                        _ = removed(&self.calls, &before, since) => {}
                    }
                }
                // Somebody removed it by hand, or the lease is over and this side does not know yet.
                None if written => return Ok(None),
                None => {
                    let mark = Mark { name: name.to_owned(), number: 0 }.write();
                    let enter = |client| enter(client, place.to_owned(), mark.clone(), lease.id);
                    match self.calls.ask(enter).await {
                        Ok(()) => written = true,
                        Err(Failure::NoLease) => return Ok(None),
                        Err(failure) => return Err(self.calls.unusable(failure)),
                    }
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn oldest(&self) -> Result<Option<Leader>, StoreError> {
        let asked = self.calls.ask(|client| {
            let prefix = self.layout.leaders().to_owned();
            async move {
                let options = GetOptions::new().with_prefix().with_limit(1);
                let options = options.with_sort(SortTarget::Create, SortOrder::Ascend);
                client.kv_client().get(prefix, Some(options)).await
            }
        });
        let found = asked.await.map_err(|failure| self.calls.unusable(failure))?;
        let Some(stored) = found.kvs().first() else { return Ok(None) };
        let name = Mark::read(stored.value())?.name;
        Ok(Some(Leader { name, epoch: Epoch(stored.create_revision().unsigned_abs()) }))
    }
}

async fn everyone(client: Client, prefix: String) -> Result<GetResponse, etcd_client::Error> {
    let options = GetOptions::new().with_prefix().with_keys_only().with_limit(MOST);
    let options = options.with_sort(SortTarget::Create, SortOrder::Ascend);
    client.kv_client().get(prefix, Some(options)).await
}

/// Writes a key unless it is there, which it is after a try whose answer was lost.
async fn enter(client: Client, place: String, mark: String, lease: i64) -> Result<(), etcd_client::Error> {
    let absent = Compare::create_revision(place.as_str(), CompareOp::Equal, 0);
    let put = TxnOp::put(place, mark, Some(PutOptions::new().with_lease(lease)));
    client.kv_client().txn(Txn::new().when([absent]).and_then([put])).await.map(drop)
}

/// Waits until a key is removed after a revision, and says so; or for a while.
async fn removed(calls: &Calls, place: &str, since: i64) -> bool {
    let watch = async {
        let options = || {
            let options = WatchOptions::new().with_start_revision(since + 1);
            options.with_filters([WatchFilterType::NoPut])
        };
        let watch = |client: Client| async move { client.watch_client().watch(place, Some(options())).await };
        let Ok(mut events) = calls.ask(watch).await else { return false };
        while let Ok(Some(event)) = events.message().await {
            if event.canceled() {
                return false;
            }
            if !event.events().is_empty() {
                return true;
            }
        }
        false
    };
    match timeout(WATCH, watch).await {
        Ok(true) => true,
        Ok(false) => {
            sleep(PAUSE).await;
            false
        }
        Err(_) => false,
    }
}

/// Ends a term whose key is removed although its lease lasts.
async fn until_removed(calls: Arc<Calls>, place: String, created: i64, over: CancellationToken) {
    let gone = async {
        let mut since = created;
        while !removed(&calls, &place, since).await {
            let read = calls.ask(|client| {
                let place = place.clone();
                async move { client.kv_client().get(place, Some(GetOptions::new().with_keys_only())).await }
            });
            // Whether the lease can be kept decides when etcd cannot be asked.
            let Ok(found) = read.await else { continue };
            if found.kvs().first().is_none_or(|stored| stored.create_revision() != created) {
                return;
            }
            since = found.header().map_or(since, etcd_client::ResponseHeader::revision);
        }
    };
    tokio::select! {
        () = over.cancelled() => {}
        () = gone => {
            tracing::warn!("the leader's key was removed from etcd");
            over.cancel();
        }
    }
}

async fn or_drained(work: impl Future<Output = ()>, drain: Drain) {
    tokio::select! {
        () = drain.begun() => {}
        () = work => {}
    }
}
