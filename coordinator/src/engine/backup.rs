//! The store at one moment: between two steps, since this task alone writes.

use bytes::Bytes;
use umbra_proto::store::v1::BackupHead;

use super::term::{Term, TermEnd};
use crate::backup::{TakeError, take};
use crate::store::StoreError;

impl Term {
    /// Everything the store holds now, as the chunks of a backup file. What workers say meanwhile waits, and no lease
    /// runs out for it: the scheduler's time stands still, too.
    pub(super) async fn backup(&mut self) -> Result<Result<Vec<Bytes>, TakeError>, TermEnd> {
        let shell = &self.shell;
        let started = shell.clock.now();
        let head = BackupHead {
            release: shell.config.version.clone(),
            coordinator: shell.config.name.clone(),
            unix_milliseconds: i64::try_from(shell.clock.unix_ms()).unwrap_or(i64::MAX),
        };
        let taken = take(shell.store.as_ref(), self.epoch, head).await;
        let spent_ms = shell.clock.now().0.saturating_sub(started.0);
        match &taken {
            Ok(chunks) => {
                let bytes = chunks.iter().map(Bytes::len).sum::<usize>();
                tracing::info!(bytes, spent_ms, "back up the meta store");
            }
            Err(error @ TakeError::Store(StoreError::Corrupt(_))) => {
                tracing::error!(%error, "cannot back up the meta store");
            }
            Err(error) => tracing::warn!(%error, "cannot back up the meta store"),
        }
        // Only one that leads may go on.
        if taken == Err(TakeError::Deposed) {
            return Err(TermEnd::Deposed);
        }
        Ok(taken)
    }
}
