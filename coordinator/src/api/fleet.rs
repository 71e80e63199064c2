//! The fleet: who is connected, for clients.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use umbra_core::ids::WorkerId;
use umbra_proto::error::bad_field;
use umbra_proto::v1;
use umbra_proto::v1::cluster_service_server::ClusterService;

use super::pages::page_size;
use super::refusals::gone;
use crate::engine::Command;
use crate::shell::Shell;

/// The cluster service.
pub struct Fleet(Arc<Shell>);

impl Fleet {
    /// Over a running coordinator.
    pub fn new(shell: Arc<Shell>) -> Self {
        Self(shell)
    }
}

#[tonic::async_trait]
impl ClusterService for Fleet {
    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
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
}
