//! The one way in.

use std::sync::Arc;

use tokio::sync::mpsc;
use umbra_runtime::{Clock, Drain};

use crate::blobs::{identity, waits};
use crate::config::Config;
use crate::connector::Connector;
use crate::error::{Outcome, WorkError};
use crate::scratch::Scratch;
use crate::session::Session;
use crate::slot::Crew;

/// Works for a coordinator until `drain` begins, then hands everything back and leaves.
///
/// While the coordinator is away, training goes on; reports, checkpoints and results wait and are sent
/// when it is back. Packs are tasks of `drain`; this function returns only after they have ended. It does
/// not wait for the drain's other tasks: that is the caller's, who may also run this as one of them.
///
/// # Errors
/// [`WorkError`] if the worker cannot begin, or the coordinator refuses it for good. A grace time that
/// runs out is no error but [`Outcome::GaveUp`].
pub async fn work(
    config: Config,
    connector: Connector,
    clock: Arc<dyn Clock>,
    drain: Drain,
) -> Result<Outcome, WorkError> {
    let scratch = Arc::new(Scratch::take(config.scratch())?);
    tracing::info!(
        worker = %config.worker(),
        slots = config.slots(),
        scratch = %scratch.folder().display(),
        coordinator = %connector.address(),
        "start a worker"
    );
    let store_id = match config.blobs() {
        Some(store) => match identity(store, waits(config.jitter().clone()), &drain).await? {
            Some(id) => id,
            None => return Ok(Outcome::Left),
        },
        None => String::new(),
    };
    let (notes, mailbox) = mpsc::unbounded_channel();
    let crew = Crew::start(&config, &connector, scratch, drain.clone(), notes)?;
    Session::new(config, store_id, connector.client(), clock, drain, crew, mailbox).run().await
}
