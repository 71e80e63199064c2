//! The fleet: the cluster and who is connected, for clients.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use tonic::{Request, Response, Status};
use umbra_core::ids::WorkerId;
use umbra_proto::error::{Reason, bad_field, refuse};
use umbra_proto::v1;
use umbra_proto::v1::cluster_service_server::ClusterService;

use super::pages::page_size;
use super::refusals::gone;
use crate::backup::TakeError;
use crate::engine::Command;
use crate::shell::Shell;
use crate::standing::Standing;
use crate::store::StoreError;
use crate::time::timestamp;

/// The cluster service. It answers where this coordinator does not lead, too: every call that needs the leader
/// checks that itself.
pub struct Fleet(Arc<Shell>);

impl Fleet {
    /// Over a running coordinator.
    pub fn new(shell: Arc<Shell>) -> Self {
        Self(shell)
    }

    /// The cluster as its leader sees it. The engine may have stopped leading since.
    async fn led(&self, cluster: v1::Cluster, epoch: u64, since: u64) -> Result<v1::Cluster, Status> {
        let glance = self.0.engine.ask(|reply| Command::Glance { reply }).await.map_err(gone)?;
        let [packs_waiting, packs_running, _, _] = glance.packs;
        Ok(v1::Cluster {
            standing: v1::Standing::Leading.into(),
            leader: self.0.config.name.clone(),
            epoch,
            lead_time: Some(timestamp(since)),
            workers: glance.workers,
            slots: glance.slots,
            slots_busy: glance.slots_busy,
            slots_lost: glance.slots_lost,
            audits_running: glance.audits_running,
            audits: glance.audits,
            packs_waiting,
            packs_running,
            ..cluster
        })
    }
}

#[tonic::async_trait]
impl ClusterService for Fleet {
    async fn get_cluster(
        &self,
        _: Request<v1::GetClusterRequest>,
    ) -> Result<Response<v1::GetClusterResponse>, Status> {
        let config = &self.0.config;
        let meta_store = if self.0.store.is_shared() { "etcd" } else { "embedded" };
        let cluster = v1::Cluster {
            standing: v1::Standing::Starting.into(),
            version: config.version.clone(),
            name: config.name.clone(),
            meta_store: meta_store.to_owned(),
            ..v1::Cluster::default()
        };
        let cluster = match self.0.post.standing() {
            Standing::Starting => cluster,
            Standing::Following(leader) => v1::Cluster {
                standing: v1::Standing::Following.into(),
                leader: leader.unwrap_or_default(),
                ..cluster
            },
            Standing::Leading { epoch, since } => self.led(cluster, epoch, since).await?,
        };
        Ok(Response::new(v1::GetClusterResponse { cluster: Some(cluster) }))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        self.0.post.check()?;
        let v1::ListWorkersRequest { page_size: asked, page_token } = request.into_inner();
        // Workers come and go: the next page begins after the last id, whether or not it is still there.
        let after = match page_token.as_str() {
            "" => None,
            token => {
                Some(WorkerId::try_new(token).map_err(|error| bad_field("page_token", error.to_string()))?)
            }
        };
        let most = page_size(asked);
        let page = self.0.engine.ask(|reply| Command::Workers { after, most, reply }).await.map_err(gone)?;
        let last = page.workers.last().filter(|_| page.more);
        let next_page_token = last.map(|worker| worker.id.clone()).unwrap_or_default();
        Ok(Response::new(v1::ListWorkersResponse { workers: page.workers, next_page_token }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        self.0.post.check()?;
        let id = request.into_inner().id;
        let worker = WorkerId::try_new(id.as_str()).map_err(|error| bad_field("id", error.to_string()))?;
        let drain = |reply| Command::DrainWorker { worker, reply };
        let worker = self.0.engine.ask(drain).await.map_err(gone)?.ok_or_else(|| {
            let message = format!("no worker {id:.80} is connected: `umbra worker list` shows who is");
            refuse(Reason::NotFound, message)
        })?;
        Ok(Response::new(v1::DrainWorkerResponse { worker: Some(worker) }))
    }

    type BackupStream = Pin<Box<dyn Stream<Item = Result<v1::BackupResponse, Status>> + Send + 'static>>;

    async fn backup(&self, _: Request<v1::BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        self.0.post.check()?;
        // It is in memory until it is sent, so there is one at a time.
        let Ok(turn) = self.0.heavy.backups.clone().try_acquire_owned() else {
            let message = "a backup is being fetched: try again in a moment";
            return Err(refuse(Reason::Unavailable, message));
        };
        let chunks = self.0.engine.ask(|reply| Command::Backup { reply }).await.map_err(gone)?;
        let chunks = chunks.map_err(|error| {
            let reason = match error {
                TakeError::Store(StoreError::Corrupt(_)) => Reason::Internal,
                TakeError::Store(StoreError::Unavailable(_)) | TakeError::Deposed => Reason::Unavailable,
                TakeError::TooLarge => Reason::TooLarge,
            };
            refuse(reason, error.to_string())
        })?;
        let pieces = stream::iter(chunks).map(move |chunk| {
            let _held = &turn;
            Ok(v1::BackupResponse { chunk })
        });
        Ok(Response::new(Box::pin(pieces)))
    }
}
