//! The store in etcd: the contract, then what it owes beyond it. Each test starts the etcd that `UMBRA_ETCD`
//! names, and is skipped where it names none.

mod backups;
mod commits;
mod election;
#[path = "../../../../tests/src/etcd.rs"]
mod nodes;
mod proxy;
mod quota;
mod secured;
mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use umbra_coordinator::store::{EtcdOptions, EtcdStore, MetaStore};

use crate::contract::{Backend, contract};
use nodes::EtcdNodes;
use servers::shared;

/// A prefix of its own in an etcd that others use, too.
struct Etcd {
    nodes: Arc<EtcdNodes>,
    prefix: String,
}

impl Etcd {
    fn new() -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Some(Self { nodes: shared()?, prefix })
    }

    async fn connect(&self) -> EtcdStore {
        EtcdStore::connect(&options(&self.nodes, &self.prefix)).await.unwrap()
    }
}

impl Backend for Etcd {
    async fn open(&self) -> Arc<dyn MetaStore> {
        Arc::new(self.connect().await)
    }
}

/// The shortest lease, so that nobody waits longer than needed.
fn options(nodes: &EtcdNodes, prefix: &str) -> EtcdOptions {
    let options = EtcdOptions::try_new(&nodes.urls()).unwrap();
    options.with_prefix(prefix).unwrap().with_lease(2).unwrap()
}

contract!(Etcd::new());
