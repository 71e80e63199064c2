//! Blobs that a living audit needs no more: checkpoints that a newer one replaces, and whatever attempts at
//! a pack left beside its result. What a crash leaves goes with the audit.

use futures::TryStreamExt as _;
use umbra_core::cluster::Checkpoint;
use umbra_core::ids::PackId;
use umbra_core::lifecycle::PackState;
use umbra_core::places;
use umbra_runtime::blobs::{BlobError, BlobKey, BlobStore};

use super::chronicle::is_own;
use super::term::Term;

impl Term {
    /// The checkpoint a pack would go on from now.
    pub(super) fn checkpoint(&self, pack: &PackId) -> Option<Checkpoint> {
        self.cluster.pack(pack)?.checkpoint.clone()
    }

    /// Removes the checkpoint that was a pack's `before`, if another has taken its place. Whoever was told
    /// to go on from it has done so, or there would be no newer one.
    pub(super) fn drop_superseded(&self, pack: &PackId, before: Option<Checkpoint>) {
        let (Some(before), Some(now)) = (before, self.checkpoint(pack)) else { return };
        let Ok(key) = BlobKey::try_new(before.key.as_str()) else { return };
        // Kept weights of another audit are that one's.
        if before.key == now.key || !is_own(pack, &before.key) {
            return;
        }
        let (blobs, pack) = (self.shell.blobs.clone(), pack.clone());
        self.shell.drain.spawn(format!("drop a checkpoint of {pack}"), async move {
            if let Err(error) = blobs.delete(&key).await {
                tracing::warn!(%pack, %error, "leave a checkpoint behind");
            }
        });
    }

    /// Removes everything of a pack but the result that counts and the weights beside it, once there is one.
    pub(super) fn drop_leftovers(&self, pack: &PackId) {
        let Some(PackState::Done { result, .. }) = self.cluster.pack(pack).map(|record| &record.state) else {
            return;
        };
        let Ok(folder) = BlobKey::try_new(places::pack_blobs(pack)) else { return };
        let (blobs, pack) = (self.shell.blobs.clone(), pack.clone());
        let weights = result.weights.as_ref().map(|weights| weights.key.clone());
        let keep: Vec<_> = weights.into_iter().chain([result.key.clone()]).collect();
        self.shell.drain.spawn(format!("drop leftovers of {pack}"), async move {
            if let Err(error) = remove_below(&blobs, &folder, &keep).await {
                tracing::warn!(%pack, %error, "leave blobs of a pack behind");
            }
        });
    }
}

async fn remove_below(blobs: &BlobStore, folder: &BlobKey, keep: &[String]) -> Result<(), BlobError> {
    let mut below = blobs.list(Some(folder));
    while let Some(info) = below.try_next().await? {
        if !keep.iter().any(|keep| info.key.as_str() == keep) {
            blobs.delete(&info.key).await?;
        }
    }
    Ok(())
}
