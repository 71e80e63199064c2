//! Deleting audits: records in a few steps, then the blobs nobody else names.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use tokio::sync::oneshot;
use umbra_core::cluster::{Event, Existing, PackResult};
use umbra_core::ids::{AuditId, PackIndex};
use umbra_core::lifecycle::AuditState;
use umbra_core::places;
use umbra_runtime::blobs::BlobKey;

use super::command::Command;
use super::term::{Term, TermEnd};
use crate::shell::Shell;
use crate::store::{Epoch, Txn};

/// A deletion that is not over: its records are going, or its blobs.
#[derive(Default)]
pub(super) struct Deletion {
    /// Results that other audits made and this one used.
    borrowed: Vec<String>,
    /// Who waits for the end.
    replies: Vec<oneshot::Sender<Option<AuditState>>>,
}

impl Term {
    /// Deletes an audit that has ended; answers once its records and blobs are gone.
    pub(super) async fn delete(
        &mut self,
        audit: AuditId,
        reply: oneshot::Sender<Option<AuditState>>,
    ) -> Result<(), TermEnd> {
        let before = self.cluster.audit(&audit).map(|status| status.state);
        if let (None, Some(deletion)) = (before, self.deletions.get_mut(&audit)) {
            deletion.replies.push(reply);
            return Ok(());
        }
        if !before.is_some_and(AuditState::is_terminal) {
            let _ = reply.send(before);
            return Ok(());
        }
        let own = format!("{}/", places::audit_blobs(&audit));
        let results = self.cluster.results(&audit).map(|(_, result)| result.key.clone());
        let borrowed = results.filter(|key| !key.starts_with(&own)).collect();
        let deletion = self.deletions.entry(audit.clone());
        deletion.or_insert(Deletion { borrowed, replies: Vec::new() }).replies.push(reply);
        self.step(Event::DeleteAsked { audit }).await
    }

    /// The records of an audit are gone: forgets it and deletes its blobs in the background. Until that
    /// is over no audit of the same id is taken, whose blobs would lie in the same folder.
    pub(super) fn deleted(&mut self, audit: &AuditId) {
        self.audits.remove(audit);
        self.shell.board.remove(audit);
        // A deletion that a restart goes on with was asked for before.
        let deletion = self.deletions.entry(audit.clone()).or_default();
        let borrowed = std::mem::take(&mut deletion.borrowed).into_iter();
        let named = self.named();
        let orphans = borrowed.filter(|key| !named.contains(key) && !self.owner_lives(key)).collect();
        let (shell, id, epoch) = (self.shell.clone(), audit.clone(), self.epoch);
        self.shell.drain.spawn(format!("delete blobs of {id}"), async move {
            sweep(&shell, epoch, &id, orphans, &named).await;
            // The engine may be gone: the next one knows nothing of this deletion.
            let _ = shell.engine.tell(Command::Swept { audit: id }).await;
        });
    }

    /// The blobs of a deleted audit are gone.
    pub(super) fn swept(&mut self, audit: &AuditId) {
        let deletion = self.deletions.remove(audit);
        for reply in deletion.into_iter().flat_map(|deletion| deletion.replies) {
            let _ = reply.send(None);
        }
    }

    /// Whether an audit is going: neither it nor another of its id can be used now.
    pub(super) fn is_going(&self, audit: &AuditId) -> bool {
        let records = self.cluster.audit(audit).is_some_and(|status| status.deleting);
        records || self.deletions.contains_key(audit)
    }

    /// Of what exists, that which no deletion takes away.
    pub(super) fn lasting(&self, existing: Vec<(PackIndex, Existing)>) -> Vec<(PackIndex, Existing)> {
        if existing.is_empty() {
            return existing;
        }
        let named = self.named();
        let lasts = |key: &str| self.owner_lives(key) || named.contains(key);
        existing.into_iter().filter(|(_, existing)| lasts(existing.key())).collect()
    }

    /// The keys of all results, and of all weights and checkpoints, that audits count on.
    pub(super) fn named(&self) -> BTreeSet<String> {
        let staying = || self.audits.iter().filter(|(id, _)| !self.deletions.contains_key(*id));
        let counted = staying().flat_map(|(id, _)| self.cluster.results(id));
        let weights = |result: &PackResult| result.weights.as_ref().map(|weights| weights.key.clone());
        let counted = counted.flat_map(|(_, result)| [Some(result.key.clone()), weights(result)]).flatten();
        let begun = staying().flat_map(|(id, _)| self.cluster.checkpoints(id));
        let begun = begun.map(|checkpoint| checkpoint.key.clone());
        // The scheduler takes over a few at a time.
        let reused = staying().flat_map(|(_, entry)| entry.reused.iter().cloned());
        counted.chain(begun).chain(reused).collect()
    }

    /// Whether the audit that made a blob is here to stay.
    fn owner_lives(&self, key: &str) -> bool {
        let owner = key.split('/').nth(1).and_then(|id| AuditId::try_new(id).ok());
        owner.is_some_and(|id| self.audits.contains_key(&id) && !self.deletions.contains_key(&id))
    }
}

/// Blobs of a deleted audit that are looked at before it is made sure that the term goes on.
const SWEPT_AT_ONCE: usize = 1000;

/// Deletes what an audit left, but for what others name. What a crash leaves is named by nobody.
async fn sweep(
    shell: &Arc<Shell>,
    epoch: Epoch,
    audit: &AuditId,
    orphans: Vec<String>,
    named: &BTreeSet<String>,
) {
    if let Err(error) = sweep_all(shell, epoch, audit, orphans, named).await {
        tracing::warn!(%audit, error, "leave blobs of a deleted audit behind");
    }
}

async fn sweep_all(
    shell: &Shell,
    epoch: Epoch,
    audit: &AuditId,
    orphans: Vec<String>,
    named: &BTreeSet<String>,
) -> Result<(), String> {
    if let Ok(folder) = BlobKey::try_new(places::audit_blobs(audit)) {
        let mut below = shell.blobs.list(Some(&folder)).try_chunks(SWEPT_AT_ONCE);
        while let Some(found) = below.try_next().await.map_err(|error| error.to_string())? {
            let keys = found.into_iter().map(|info| info.key);
            delete(shell, epoch, keys.filter(|key| !named.contains(key.as_str()))).await?;
        }
    }
    delete(shell, epoch, orphans.into_iter().filter_map(|key| BlobKey::try_new(key).ok())).await
}

/// Deletes blobs that were found before, if this term goes on. Only in a later one can an audit of the same id be
/// taken, and the keys of its blobs differ: they carry later fences and epochs.
async fn delete(shell: &Shell, epoch: Epoch, keys: impl Iterator<Item = BlobKey>) -> Result<(), String> {
    shell.store.commit(Txn::new(epoch)).await.map_err(|error| error.to_string())?;
    for key in keys {
        shell.blobs.delete(&key).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
