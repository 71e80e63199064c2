//! What the engine is asked and told.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use umbra_core::cluster::Existing;
use umbra_core::fault::Fault;
use umbra_core::ids::{AuditId, Fence, PackId, PackIndex, WorkerId};
use umbra_core::lifecycle::AuditState;
use umbra_proto::store::v1::StoredFile;
use umbra_proto::v1;

use super::glance::Glance;
use super::sessions::Outbox;
use super::workers::WorkersPage;
use crate::api::Allowance;
use crate::backup::TakeError;
use crate::facts::{AuditFacts, DatasetFacts};
use crate::gc::Kept;
use crate::store::{Entry, Op};

/// A message to the engine. Those that carry a `reply` are answered once what they ask for is durable.
pub enum Command {
    /// Which numerics class a new audit should be pinned to.
    Numerics {
        /// The class.
        reply: oneshot::Sender<String>,
    },
    /// Take an audit; answered with the id of the one that exists afterwards.
    Submit {
        /// The audit.
        facts: Arc<AuditFacts>,
        /// The class to pin it to.
        numerics: String,
        /// Packs of which something exists.
        existing: Vec<(PackIndex, Existing)>,
        /// The id, or why it was refused.
        reply: oneshot::Sender<Result<AuditId, SubmitError>>,
    },
    /// What is known of an audit since its submission, the class it is pinned to, and where it stands.
    Facts {
        /// The audit.
        audit: AuditId,
        /// None if there is no such audit.
        reply: oneshot::Sender<Option<(Arc<AuditFacts>, String, AuditState)>>,
    },
    /// Cancel an audit; answered with the state it had before.
    Cancel {
        /// The audit.
        audit: AuditId,
        /// The state it had; none if there is no such audit.
        reply: oneshot::Sender<Option<AuditState>>,
    },
    /// Delete an audit that has ended; answered once its records and blobs are gone.
    Delete {
        /// The audit.
        audit: AuditId,
        /// Its state if it has not ended; none if there is no such audit (any more).
        reply: oneshot::Sender<Option<AuditState>>,
    },
    /// The blobs of a deleted audit are gone.
    Swept {
        /// The audit.
        audit: AuditId,
    },
    /// Which blobs records name, for a collection of garbage.
    Kept {
        /// They.
        reply: oneshot::Sender<Kept>,
    },
    /// Which of these blobs may go; answered only by who still leads.
    Collect {
        /// Keys of blobs.
        candidates: Vec<String>,
        /// Those that no record names.
        reply: oneshot::Sender<BTreeSet<String>>,
    },
    /// Forget entries of the index of results; answered with how many were still as they are here.
    Forget {
        /// The entries.
        entries: Vec<Entry>,
        /// How many are gone now.
        reply: oneshot::Sender<u64>,
    },
    /// Register a data set; answered with the one that exists afterwards.
    Register {
        /// The data set.
        dataset: DatasetFacts,
        /// The data set under that name now.
        reply: oneshot::Sender<DatasetFacts>,
    },
    /// Forget a data set; answered with the id of an audit that still names it, if one does.
    Unregister {
        /// The data set.
        dataset: DatasetFacts,
        /// Whether it is gone.
        reply: oneshot::Sender<Result<(), AuditId>>,
    },
    /// The whole meta store at this moment.
    Backup {
        /// The pieces of a backup file.
        reply: oneshot::Sender<Result<Vec<Bytes>, TakeError>>,
    },
    /// What may be written under a fence, if it is live.
    Fence {
        /// The fence.
        fence: Fence,
        /// What may be.
        reply: oneshot::Sender<Option<Allowance>>,
    },
    /// The cluster in numbers.
    Glance {
        /// The numbers.
        reply: oneshot::Sender<Glance>,
    },
    /// Have a connected worker leave; answered with what it is then, or nothing if it is not connected.
    DrainWorker {
        /// The worker.
        worker: WorkerId,
        /// What it is.
        reply: oneshot::Sender<Option<v1::Worker>>,
    },
    /// Which workers are connected, a page of them.
    Workers {
        /// Those after the one of this id.
        after: Option<WorkerId>,
        /// At most so many.
        most: usize,
        /// The page.
        reply: oneshot::Sender<WorkersPage>,
    },
    /// A worker's session begins.
    Join {
        /// The worker.
        worker: WorkerId,
        /// The session's number, unique in this process.
        session: u64,
        /// What it said.
        hello: Box<v1::Hello>,
        /// Where to answer; a session that does not read fast enough is ended.
        out: Outbox,
    },
    /// A worker says something.
    Say {
        /// The worker.
        worker: WorkerId,
        /// The session.
        session: u64,
        /// What it says.
        message: v1::connect_request::Message,
    },
    /// A worker's session has ended.
    Part {
        /// The worker.
        worker: WorkerId,
        /// The session.
        session: u64,
    },
    /// A reported result was verified, or could not be.
    Ingested {
        /// The pack.
        pack: PackId,
        /// The fence that reported it.
        fence: Fence,
        /// Index records to write along, or the fault.
        outcome: Result<Vec<Op>, Fault>,
    },
    /// Running figures of an audit.
    Provisional {
        /// The audit.
        audit: AuditId,
        /// The figures.
        figures: v1::Provisional,
    },
    /// The statistics of an audit are stored, or failed.
    Analysed {
        /// The audit.
        audit: AuditId,
        /// The files of the findings, or the fault.
        outcome: Result<Vec<StoredFile>, Fault>,
    },
}

/// Why an audit was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// Another audit was submitted under the same request id.
    RequestTaken(AuditId),
    /// The data set was deleted in the meantime.
    DatasetGone,
    /// The same audit was submitted before and is being deleted.
    Going,
}

/// Where commands go. Clones send to the same engine.
#[derive(Clone)]
pub struct Engine(mpsc::Sender<Command>);

/// The engine is gone: the coordinator is going down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator is going down: try again in a moment")]
pub struct EngineGone;

impl Engine {
    /// How many commands may wait.
    const WAITING: usize = 4096;

    /// A way to an engine, and the engine's end of it.
    pub fn channel() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(Self::WAITING);
        (Self(sender), receiver)
    }

    /// Tells the engine something, waiting while it is busy.
    ///
    /// # Errors
    /// [`EngineGone`] once it has stopped.
    pub async fn tell(&self, command: Command) -> Result<(), EngineGone> {
        self.0.send(command).await.map_err(|_| EngineGone)
    }

    /// Asks the engine something. The answer is missing, too, if the engine had to reload in between:
    /// then it is not known whether it was done.
    ///
    /// # Errors
    /// [`EngineGone`] once it has stopped, or without an answer.
    pub async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, EngineGone> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| EngineGone)
    }
}
