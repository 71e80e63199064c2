//! Terms, one after the other, until the coordinator goes down.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use umbra_runtime::backoff::Backoff;

use super::command::Command;
use super::load::{LoadError, load};
use super::term::{Term, TermEnd};
use crate::shell::Shell;
use crate::store::StoreError;

/// How often the board shows the progress of what runs.
const REFRESH: Duration = Duration::from_millis(250);

/// Why the engine stopped although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another coordinator leads the same store.
    #[error("another coordinator took over the meta store: run one coordinator per store")]
    Deposed,
    /// The store holds what cannot be read.
    #[error(transparent)]
    Damaged(LoadError),
}

/// Leads the store and schedules until the drain begins.
///
/// # Errors
/// [`EngineError`] if another leads or the store is damaged; everything else is tried again.
pub async fn run(shell: Arc<Shell>, mut commands: mpsc::Receiver<Command>) -> Result<(), EngineError> {
    let backoff = Backoff::try_new(Duration::from_millis(100), Duration::from_secs(10))
        .expect("the bounds are in order");
    // Jitter decides nothing but when to try again.
    let mut waits = backoff.start(
        umbra_core::seed::Seed::new(shell.clock.unix_ms()).stream(umbra_core::seed::Purpose::Simulation, &[]),
    );
    while !shell.drain.has_begun() {
        let ended = match begin(&shell).await {
            Ok(mut term) => {
                waits.reset();
                shell.health.ready();
                term_loop(&shell, &mut term, &mut commands).await
            }
            Err(end) => end,
        };
        match ended {
            TermEnd::Drained => break,
            TermEnd::Deposed => return Err(EngineError::Deposed),
            TermEnd::Damaged(error) => return Err(EngineError::Damaged(error)),
            TermEnd::Reload(reason) => {
                shell.health.not_ready("the meta store cannot be used");
                let wait = waits.after_failure();
                tracing::warn!(reason, wait_ms = wait.as_millis() as u64, "drop the term and reload");
                tokio::select! {
                    () = shell.drain.begun() => break,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
    Ok(())
}

async fn begin(shell: &Arc<Shell>) -> Result<Term, TermEnd> {
    let epoch = shell.store.lead(&shell.config.name).await.map_err(unreadable)?;
    let loaded = load(shell.store.as_ref()).await.map_err(|error| match error {
        LoadError::Store(StoreError::Unavailable(reason)) => TermEnd::Reload(reason),
        error => TermEnd::Damaged(error),
    })?;
    tracing::info!(epoch = epoch.0, audits = loaded.facts.len(), "lead");
    Term::begin(shell.clone(), epoch, loaded).await
}

fn unreadable(error: StoreError) -> TermEnd {
    match error {
        StoreError::Unavailable(reason) => TermEnd::Reload(reason),
        error @ StoreError::Corrupt(_) => TermEnd::Damaged(LoadError::Store(error)),
    }
}

async fn term_loop(shell: &Shell, term: &mut Term, commands: &mut mpsc::Receiver<Command>) -> TermEnd {
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let wake = wait(term.wake_in());
        let handled = tokio::select! {
            biased;
            () = shell.drain.begun() => return TermEnd::Drained,
            command = commands.recv() => match command {
                Some(command) => term.handle(command).await,
                None => return TermEnd::Drained,
            },
            () = wake => term.tick().await,
            _ = refresh.tick() => {
                term.refresh();
                Ok(())
            }
        };
        if let Err(end) = handled {
            return end;
        }
    }
}

async fn wait(milliseconds: Option<u64>) {
    match milliseconds {
        None => std::future::pending().await,
        Some(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
    }
}
