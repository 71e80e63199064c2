//! Audits: submit, look, watch, cancel, delete.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use tonic::{Request, Response, Status};
use umbra_core::ids::AuditId;
use umbra_core::lifecycle::AuditState;
use umbra_core::spec::AuditSpec;
use umbra_proto::convert::draft_from;
use umbra_proto::error::{Reason, bad_field, bad_fields, refuse};
use umbra_proto::v1;
use umbra_proto::v1::audit_service_server::AuditService;
use umbra_runtime::TraceParent;

use super::extend;
use super::pages::page;
use super::refusals::{audit_id, gone, no_audit, no_dataset};
use crate::board::Board;
use crate::engine::{Command, SubmitError};
use crate::facts::AuditFacts;
use crate::limits;
use crate::reuse;
use crate::shell::Shell;

/// The audit service.
pub struct Audits(Arc<Shell>);

impl Audits {
    /// Over a running coordinator.
    pub fn new(shell: Arc<Shell>) -> Self {
        Self(shell)
    }

    fn shown(&self, id: &AuditId) -> Result<v1::Audit, Status> {
        let audit = self.0.shown(|board| board.get(id))?.ok_or_else(|| no_audit(id.as_str()))?;
        Ok(v1::Audit::clone(&audit))
    }

    /// Takes an audit, pinned to this class or to the one that fits now; the one that exists afterwards.
    async fn take(&self, facts: Arc<AuditFacts>, numerics: Option<String>) -> Result<v1::Audit, Status> {
        let shell = &self.0;
        if let Some(audit) = shell.board.get(&facts.id) {
            return Ok((*audit).clone());
        }
        let numerics = match numerics {
            Some(numerics) => numerics,
            None => shell.engine.ask(|reply| Command::Numerics { reply }).await.map_err(gone)?,
        };
        let existing = reuse::existing(shell, &facts, &numerics).await?;
        let submit = |reply| Command::Submit { facts: facts.clone(), numerics, existing, reply };
        let id = match shell.engine.ask(submit).await.map_err(gone)? {
            Ok(id) => id,
            Err(SubmitError::RequestTaken(other)) => {
                let message = format!(
                    "audit {other} was submitted under this request id with another specification: choose a new request id"
                );
                return Err(refuse(Reason::AlreadyExists, message));
            }
            Err(SubmitError::Going) => {
                let message = "the same audit is being deleted: submit it again in a moment";
                return Err(refuse(Reason::Unavailable, message));
            }
            Err(SubmitError::DatasetGone) => return Err(no_dataset(facts.spec.dataset())),
        };
        self.shown(&id)
    }
}

#[tonic::async_trait]
impl AuditService for Audits {
    async fn create_audit(
        &self,
        request: Request<v1::CreateAuditRequest>,
    ) -> Result<Response<v1::CreateAuditResponse>, Status> {
        let request = request.into_inner();
        if !(1..=128).contains(&request.request_id.len()) {
            return Err(bad_field("request_id", "give 1 to 128 characters of the client's choice"));
        }
        let draft = draft_from(request.spec.unwrap_or_default());
        let spec = AuditSpec::try_new(&draft).map_err(|wrong| bad_fields(&wrong))?;
        let shell = &self.0;
        let dataset = crate::datasets::find(shell, spec.dataset()).await?;
        let dataset = dataset.ok_or_else(|| no_dataset(spec.dataset()))?;
        limits::check(&spec, &dataset.shape, shell.config.max_dataset_bytes)?;
        if !spec.statistics().intersections().is_empty() {
            let opened = crate::datasets::open_dataset(shell, &dataset).await;
            let opened = opened.map_err(|fault| refuse(Reason::WrongState, fault.message))?;
            let known: Vec<String> =
                opened.attributes().into_iter().map(|attribute| attribute.name).collect();
            limits::check_attributes(&spec, &known)?;
        }
        let created = shell.clock.unix_ms();
        let facts = AuditFacts::new(spec, request.request_id, dataset, created);
        let facts = Arc::new(AuditFacts { trace: TraceParent::current(), ..facts });
        Ok(Response::new(v1::CreateAuditResponse { audit: Some(self.take(facts, None).await?) }))
    }

    async fn extend_audit(
        &self,
        request: Request<v1::ExtendAuditRequest>,
    ) -> Result<Response<v1::ExtendAuditResponse>, Status> {
        let (facts, numerics) = extend::larger(&self.0, &request.into_inner()).await?;
        let audit = self
            .take(Arc::new(AuditFacts { trace: TraceParent::current(), ..facts }), Some(numerics))
            .await?;
        Ok(Response::new(v1::ExtendAuditResponse { audit: Some(audit) }))
    }

    async fn get_audit(
        &self,
        request: Request<v1::GetAuditRequest>,
    ) -> Result<Response<v1::GetAuditResponse>, Status> {
        let id = audit_id("id", &request.into_inner().id)?;
        Ok(Response::new(v1::GetAuditResponse { audit: Some(self.shown(&id)?) }))
    }

    async fn list_audits(
        &self,
        request: Request<v1::ListAuditsRequest>,
    ) -> Result<Response<v1::ListAuditsResponse>, Status> {
        let request = request.into_inner();
        let wanted = v1::AuditState::try_from(request.state)
            .map_err(|_| bad_field("state", "it is not a state of this version"))?;
        let mut audits = self.0.shown(Board::list)?;
        audits.retain(|audit| wanted == v1::AuditState::Unspecified || audit.state() == wanted);
        let (audits, next_page_token) =
            page(&audits, |audit| &audit.id, request.page_size, &request.page_token)?;
        let audits = audits.iter().map(|audit| v1::Audit::clone(audit)).collect();
        Ok(Response::new(v1::ListAuditsResponse { audits, next_page_token }))
    }

    type WatchAuditStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchAuditResponse, Status>> + Send + 'static>>;

    async fn watch_audit(
        &self,
        request: Request<v1::WatchAuditRequest>,
    ) -> Result<Response<Self::WatchAuditStream>, Status> {
        let request = request.into_inner();
        let id = audit_id("id", &request.id)?;
        let now = self.shown(&id)?;
        // A revision from the future is another coordinator's: show what there is.
        let seen = if request.after_revision > now.revision { 0 } else { request.after_revision };
        let watch = Watch { shell: self.0.clone(), id, changes: self.0.board.changes(), seen, over: false };
        let stream = futures::stream::try_unfold(watch, |mut watch| async move {
            Ok(watch.next().await?.map(|audit| (v1::WatchAuditResponse { audit: Some(audit) }, watch)))
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn cancel_audit(
        &self,
        request: Request<v1::CancelAuditRequest>,
    ) -> Result<Response<v1::CancelAuditResponse>, Status> {
        let id = audit_id("id", &request.into_inner().id)?;
        let cancel = |reply| Command::Cancel { audit: id.clone(), reply };
        match self.0.engine.ask(cancel).await.map_err(gone)? {
            None => Err(no_audit(id.as_str())),
            Some(before @ (AuditState::Succeeded | AuditState::Failed)) => {
                let before = if before == AuditState::Succeeded { "succeeded" } else { "failed" };
                let message = format!("audit {id} has {before} already: there is nothing to cancel");
                Err(refuse(Reason::WrongState, message))
            }
            Some(AuditState::Running | AuditState::Analysing | AuditState::Cancelled) => {
                Ok(Response::new(v1::CancelAuditResponse { audit: Some(self.shown(&id)?) }))
            }
        }
    }

    async fn delete_audit(
        &self,
        request: Request<v1::DeleteAuditRequest>,
    ) -> Result<Response<v1::DeleteAuditResponse>, Status> {
        let id = audit_id("id", &request.into_inner().id)?;
        if self.0.shown(|board| board.get(&id))?.is_none() {
            return Err(no_audit(id.as_str()));
        }
        let delete = |reply| Command::Delete { audit: id.clone(), reply };
        match self.0.engine.ask(delete).await.map_err(gone)? {
            None => Ok(Response::new(v1::DeleteAuditResponse {})),
            Some(_) => {
                let message = format!("audit {id} has not ended: cancel it first");
                Err(refuse(Reason::WrongState, message))
            }
        }
    }
}

/// One watcher's place.
struct Watch {
    shell: Arc<Shell>,
    id: AuditId,
    changes: tokio::sync::watch::Receiver<u64>,
    seen: u64,
    over: bool,
}

impl Watch {
    /// The audit after its next change; nothing once it has ended.
    async fn next(&mut self) -> Result<Option<v1::Audit>, Status> {
        while !self.over {
            self.changes.mark_unchanged();
            let Some(audit) = self.shell.shown(|board| board.get(&self.id))? else {
                return Err(no_audit(self.id.as_str()));
            };
            self.over = matches!(
                audit.state(),
                v1::AuditState::Succeeded | v1::AuditState::Failed | v1::AuditState::Cancelled
            );
            if audit.revision > self.seen || self.over {
                self.seen = audit.revision;
                return Ok(Some(v1::Audit::clone(&audit)));
            }
            tokio::select! {
                biased;
                () = self.shell.drain.begun() => {
                    return Err(refuse(Reason::Unavailable, "the coordinator is going down: watch again in a moment"));
                }
                () = self.shell.post.is_over() => {
                    self.shell.post.check()?;
                }
                changed = self.changes.changed() => if changed.is_err() { return Ok(None) },
            }
        }
        Ok(None)
    }
}
