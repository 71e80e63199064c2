//! One pack under one fence, from assignment to report: fetch, train, publish.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot, watch};
use umbra_core::fault::Fault;
use umbra_proto::v1;

use super::pack::{Finished, Ready, Snapshot, Trained};
use super::publish::{Publisher, Stored, Unpublished};
use super::task::Task;
use super::thread::{Job, Jobs};
use super::{Note, Order, Orders, Progress, Shop};
use crate::blobs::{BlobRef, UploadError, waits};
use crate::datasets::OpenDataset;
use crate::faults;
use crate::session::{Ending, Lease};

/// A pack's task. Dropping it stops the training.
pub(super) struct Attempt {
    shop: Arc<Shop>,
    lease: Lease,
    jobs: Jobs,
    orders: Orders,
    progress: Arc<Progress>,
    stored: Stored,
}

impl Attempt {
    pub(super) fn new(
        shop: Arc<Shop>,
        lease: Lease,
        jobs: Jobs,
        orders: Orders,
        progress: Arc<Progress>,
        notes: mpsc::UnboundedSender<Note>,
    ) -> Self {
        let stored = Stored::new(lease.fence, notes);
        Self { shop, lease, jobs, orders, progress, stored }
    }

    /// Does all of it. When this returns, nothing of the pack is left at work.
    pub(super) async fn run(self, assign: v1::Assign) -> Ending {
        let prepared = tokio::select! {
            biased;
            // Nothing was trained yet, so there is nothing to hand back.
            () = self.orders.at_least(Order::HandBack) => return Ending::Released(None),
            prepared = self.prepare(assign) => prepared,
        };
        let (task, data, resume) = match prepared {
            Ok(prepared) => prepared,
            Err(fault) => return Ending::Failed(fault),
        };
        let trained = self.train(task, data, resume).await;
        tokio::select! {
            biased;
            () = self.orders.at_least(Order::Drop) => Ending::Released(None),
            ending = self.publish(trained) => ending,
        }
    }

    async fn prepare(&self, assign: v1::Assign) -> Result<(Task, Arc<OpenDataset>, Option<Bytes>), Fault> {
        // It was given before the coordinator heard that the slot is lost.
        if let Some(reason) = self.shop.devices.lost(assign.slot) {
            return Err(faults::device(format!("slot {} takes no more packs: {reason}", assign.slot)));
        }
        let task = Task::try_from_wire(assign, &self.shop.numerics)?;
        let waits = waits(self.shop.jitter.clone());
        let data = self.shop.datasets.get(&task.dataset, &task.content, &waits).await?;
        let resume = match &task.resume {
            Some(blob) => self.fetch_checkpoint(blob.clone()).await,
            None => None,
        };
        Ok((task, data, resume))
    }

    /// A checkpoint saves work, but the pack can do without: what is wrong with it is logged only.
    async fn fetch_checkpoint(&self, blob: BlobRef) -> Option<Bytes> {
        let mut bytes = BytesMut::new();
        let mut download = self.shop.route.download(blob, waits(self.shop.jitter.clone()));
        loop {
            match download.next().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Some(bytes.freeze()),
                Err(error) => {
                    tracing::warn!(%error, "begin from the start: the checkpoint cannot be read");
                    return None;
                }
            }
        }
    }

    /// Has the slot's thread train, and stores checkpoints meanwhile.
    async fn train(&self, task: Task, data: Arc<OpenDataset>, resume: Option<Bytes>) -> Trained {
        let (answer, mut answered) = oneshot::channel();
        let (snapshots, to_store) = watch::channel(None);
        let job = Job {
            task,
            data,
            memberships: self.shop.memberships.clone(),
            resume,
            result: self.shop.scratch.result(self.lease.fence),
            weights: self.shop.scratch.weights(self.lease.fence),
            kept: self.shop.weights.as_ref().map(|folder| folder.join(self.lease.pack.audit.as_str())),
            orders: self.orders.clone(),
            progress: self.progress.clone(),
            snapshots,
            span: tracing::Span::current(),
            answer,
        };
        let gone = || Trained::Failed(faults::bug("the slot's thread is gone: see the worker's log"));
        if self.jobs.send(job).is_err() {
            return gone();
        }
        let publisher = Publisher::new(&self.shop, &self.lease);
        let mut storing = std::pin::pin!(publisher.checkpoints(to_store, &self.stored));
        tokio::select! {
            biased;
            trained = &mut answered => return trained.unwrap_or_else(|_| gone()),
            () = &mut storing => {
                tracing::warn!("the fence is stale: drop the pack");
                self.orders.raise(Order::Drop);
            }
        }
        answered.await.unwrap_or_else(|_| gone())
    }

    async fn publish(&self, trained: Trained) -> Ending {
        let publisher = Publisher::new(&self.shop, &self.lease);
        match trained {
            Trained::Dropped => Ending::Released(None),
            Trained::Failed(fault) | Trained::DeviceLost(fault) => Ending::Failed(fault),
            Trained::Paused(snapshot) => Ending::Released(self.hand_back(&publisher, snapshot).await),
            Trained::Finished(finished) => self.publish_result(&publisher, finished).await,
        }
    }

    /// Stores the last checkpoint; without it the pack goes on from an earlier one.
    async fn hand_back(
        &self,
        publisher: &Publisher<'_>,
        snapshot: Option<Snapshot>,
    ) -> Option<v1::Checkpoint> {
        let stored = self.stored.latest();
        let snapshot = match snapshot {
            Some(snapshot) if stored.as_ref().is_none_or(|stored| stored.step < snapshot.step) => snapshot,
            _ => return stored,
        };
        match publisher.checkpoint(&snapshot).await {
            Ok(checkpoint) => Some(checkpoint),
            Err(Unpublished::Stale) => None,
            Err(Unpublished::Failed(error)) => {
                tracing::warn!(step = snapshot.step, %error, "hand back without the last checkpoint");
                stored
            }
        }
    }

    /// A pack is worth more than what others may make of it: weights that are refused, as by a coordinator of a release
    /// that knows of none, are gone without.
    async fn publish_weights(
        &self,
        publisher: &Publisher<'_>,
        weights: &Ready,
    ) -> Result<Option<v1::Blob>, Unpublished> {
        match publisher.file("weights", weights).await {
            Ok(blob) => Ok(Some(blob)),
            Err(Unpublished::Stale) => Err(Unpublished::Stale),
            Err(Unpublished::Failed(error)) => {
                tracing::warn!(%error, "keep no weights");
                Ok(None)
            }
        }
    }

    async fn publish_result(&self, publisher: &Publisher<'_>, finished: Finished) -> Ending {
        let Finished { logits, weights, lost, resumed_from_step } = finished;
        let published = async {
            let weights = match &weights {
                Some(weights) => self.publish_weights(publisher, weights).await?,
                None => None,
            };
            Ok((publisher.file("logits", &logits).await?, weights))
        };
        match published.await {
            Ok((blob, weights)) => Ending::Done(v1::PackResult {
                blob: Some(blob),
                lost_shadows: lost,
                resumed_from_step,
                weights,
            }),
            Err(Unpublished::Stale) => {
                tracing::warn!("the fence is stale: drop the result");
                Ending::Released(None)
            }
            Err(Unpublished::Failed(UploadError::Read(error))) => Ending::Failed(faults::worker(format!(
                "the worker cannot read the result it wrote: {error}; see its disk"
            ))),
            Err(Unpublished::Failed(error)) => {
                Ending::Failed(faults::store(format!("the result cannot be stored: {error}")))
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.orders.raise(Order::Drop);
    }
}
