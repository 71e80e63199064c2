//! Writing the blobs of a pack: checkpoints while it trains, the last one or the result at its end.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use umbra_core::digest::Digest;
use umbra_core::ids::Fence;
use umbra_proto::v1;
use umbra_runtime::backoff::Waits;

use super::pack::{Ready, Snapshot};
use super::{Note, Shop};
use crate::blobs::{Content, Upload, UploadError, waits};
use crate::session::Lease;

/// Why a blob is not stored, for good.
#[derive(Debug)]
pub(super) enum Unpublished {
    /// Another attempt owns the pack.
    Stale,
    /// It is refused, or cannot be read.
    Failed(UploadError),
}

/// The checkpoints that are stored under one fence.
pub(super) struct Stored {
    fence: Fence,
    latest: Mutex<Option<v1::Checkpoint>>,
    notes: mpsc::UnboundedSender<Note>,
}

impl Stored {
    /// None yet; `notes` is told of each.
    pub(super) fn new(fence: Fence, notes: mpsc::UnboundedSender<Note>) -> Self {
        Self { fence, latest: Mutex::default(), notes }
    }

    /// The latest.
    pub(super) fn latest(&self) -> Option<v1::Checkpoint> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, checkpoint: v1::Checkpoint) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint.clone());
        // A session that is gone has no use for it.
        let _ = self.notes.send(Note::Checkpointed { fence: self.fence, checkpoint });
    }
}

/// Writes blobs under one fence.
pub(super) struct Publisher<'a> {
    shop: &'a Shop,
    lease: &'a Lease,
}

impl<'a> Publisher<'a> {
    /// A publisher under the lease's fence.
    pub(super) fn new(shop: &'a Shop, lease: &'a Lease) -> Self {
        Self { shop, lease }
    }

    /// Writes a blob, however long whoever takes it is away.
    async fn publish(
        &self,
        name: String,
        digest: Digest,
        size: u64,
        content: Content,
    ) -> Result<v1::Blob, Unpublished> {
        let mut upload = self.upload(name, digest, size, content);
        let mut waits = waits(self.shop.jitter.clone());
        loop {
            match self.attempt(&mut upload, &mut waits).await {
                Ok(blob) => return Ok(blob),
                Err(Pause::Over(why)) => return Err(why),
                Err(Pause::Wait(wait)) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Writes a blob that waits in a file, however long whoever takes it is away.
    pub(super) async fn file(&self, name: &str, ready: &Ready) -> Result<v1::Blob, Unpublished> {
        let content = Content::File(ready.file.path().to_owned());
        self.publish(name.to_owned(), ready.digest, ready.size, content).await
    }

    /// Writes one checkpoint, however long whoever takes it is away.
    pub(super) async fn checkpoint(&self, snapshot: &Snapshot) -> Result<v1::Checkpoint, Unpublished> {
        let (name, digest, size, content) = describe(snapshot);
        let blob = self.publish(name, digest, size, content).await?;
        Ok(self.name(snapshot, blob))
    }

    /// Writes checkpoints as they come, one at a time; a newer one takes the place of one that waits.
    /// Ends only when the fence is stale.
    pub(super) async fn checkpoints(
        &self,
        mut snapshots: watch::Receiver<Option<Snapshot>>,
        stored: &Stored,
    ) {
        let mut done = None;
        let mut waits = waits(self.shop.jitter.clone());
        loop {
            let Some(snapshot) = newer(&mut snapshots, done).await else {
                // The pack is at its end: there will be no more.
                return std::future::pending().await;
            };
            done = Some(snapshot.step);
            let (name, digest, size, content) = describe(&snapshot);
            let mut upload = self.upload(name, digest, size, content);
            loop {
                match self.attempt(&mut upload, &mut waits).await {
                    Ok(blob) => {
                        waits.reset();
                        stored.put(self.name(&snapshot, blob));
                        break;
                    }
                    Err(Pause::Wait(wait)) => {
                        // Waited to the end: new checkpoints must not hasten calls to one who is away.
                        tokio::time::sleep(wait).await;
                        if is_newer(&snapshots.borrow(), done) {
                            break;
                        }
                    }
                    Err(Pause::Over(Unpublished::Stale)) => return,
                    Err(Pause::Over(Unpublished::Failed(error))) => {
                        tracing::warn!(step = snapshot.step, %error, "go on without this checkpoint");
                        break;
                    }
                }
            }
        }
    }

    fn upload(&self, name: String, digest: Digest, size: u64, content: Content) -> Upload {
        self.shop.route.upload(self.lease, name, digest, size, content)
    }

    async fn attempt(&self, upload: &mut Upload, waits: &mut Waits) -> Result<v1::Blob, Pause> {
        match upload.attempt().await {
            Ok(blob) => Ok(blob),
            Err(UploadError::Later(error)) => {
                let wait = waits.after_failure();
                tracing::warn!(error, ?wait, "wait to go on writing a blob");
                Err(Pause::Wait(wait))
            }
            Err(UploadError::Stale) => Err(Pause::Over(Unpublished::Stale)),
            Err(error) => Err(Pause::Over(Unpublished::Failed(error))),
        }
    }

    fn name(&self, snapshot: &Snapshot, blob: v1::Blob) -> v1::Checkpoint {
        v1::Checkpoint { step: snapshot.step, fence: self.lease.wire_fence(), blob: Some(blob) }
    }
}

/// After an attempt that did not store the blob.
enum Pause {
    Wait(std::time::Duration),
    Over(Unpublished),
}

fn describe(snapshot: &Snapshot) -> (String, Digest, u64, Content) {
    let bytes = snapshot.bytes.clone();
    let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
    (format!("checkpoint-{}", snapshot.step), digest, size, Content::Memory(bytes))
}

/// The latest snapshot after the one of step `done`; `None` when there will be no more.
async fn newer(snapshots: &mut watch::Receiver<Option<Snapshot>>, done: Option<u64>) -> Option<Snapshot> {
    let newest = snapshots.wait_for(|snapshot| is_newer(snapshot, done)).await;
    newest.ok().and_then(|snapshot| snapshot.clone())
}

fn is_newer(snapshot: &Option<Snapshot>, done: Option<u64>) -> bool {
    snapshot.as_ref().is_some_and(|snapshot| done.is_none_or(|done| snapshot.step > done))
}
