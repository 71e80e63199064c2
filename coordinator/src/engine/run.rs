//! Terms, one after the other, until the coordinator goes down; between them it follows another one, where there
//! are several.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use umbra_runtime::backoff::Backoff;

use super::command::Command;
use super::load::{LoadError, load};
use super::term::{Term, TermEnd};
use crate::shell::Shell;
use crate::standing::Standing;
use crate::store::{Epoch, StoreError};

/// How often the board shows the progress of what runs.
const REFRESH: Duration = Duration::from_millis(250);

/// How often a coordinator that follows looks who leads.
const LOOK: Duration = Duration::from_millis(500);

/// Why the engine stopped although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another coordinator leads a store that only one may use.
    #[error("another coordinator took over the meta store: run one coordinator per store")]
    Deposed,
    /// The store holds what cannot be read.
    #[error(transparent)]
    Damaged(LoadError),
}

/// Leads the store, or follows whoever does, and schedules until the drain begins.
///
/// # Errors
/// [`EngineError`] if another leads a store that is not to be shared, or the store is damaged; everything else is
/// tried again.
pub async fn run(shell: Arc<Shell>, mut commands: mpsc::Receiver<Command>) -> Result<(), EngineError> {
    let backoff = Backoff::try_new(Duration::from_millis(100), Duration::from_secs(3))
        .expect("the bounds are in order");
    // Jitter decides nothing but when to try again.
    let mut waits = backoff.start(
        umbra_core::seed::Seed::new(shell.clock.unix_ms()).stream(umbra_core::seed::Purpose::Simulation, &[]),
    );
    let is_shared = shell.store.is_shared();
    while !shell.drain.has_begun() {
        let ended = match take_over(&shell, &mut commands).await {
            Ok((epoch, mut term)) => {
                waits.reset();
                post(&shell, epoch);
                let ended = term_loop(&shell, epoch, &mut term, &mut commands).await;
                metrics::gauge!("umbra_leader").set(0.0);
                ended
            }
            Err(end) => end,
        };
        if is_shared {
            // What others do from now on is not seen here.
            shell.post.take(Standing::Starting);
            shell.board.clear();
        }
        match ended {
            TermEnd::Drained => break,
            TermEnd::Deposed if is_shared => tracing::warn!("another coordinator leads, or may: follow it"),
            TermEnd::Deposed => return Err(EngineError::Deposed),
            TermEnd::Damaged(error) => {
                shell.store.resign().await;
                return Err(EngineError::Damaged(error));
            }
            TermEnd::Reload(reason) => {
                shell.health.not_ready("the meta store cannot be used");
                let wait = waits.after_failure();
                tracing::warn!(reason, wait_ms = wait.as_millis() as u64, "drop the term and reload");
                tokio::select! {
                    biased;
                    () = shell.drain.begun() => break,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
    // Another one need not wait for a lease to end.
    shell.store.resign().await;
    Ok(())
}

/// Waits for the lead and reads what the store holds.
async fn take_over(
    shell: &Arc<Shell>,
    commands: &mut mpsc::Receiver<Command>,
) -> Result<(Epoch, Term), TermEnd> {
    let epoch = lead(shell, commands).await?;
    let loaded = load(shell.store.as_ref()).await.map_err(|error| match error {
        LoadError::Store(StoreError::Unavailable(reason)) => TermEnd::Reload(reason),
        error => TermEnd::Damaged(error),
    })?;
    tracing::info!(epoch = epoch.0, audits = loaded.facts.len(), "lead");
    Ok((epoch, Term::begin(shell.clone(), epoch, loaded).await?))
}

/// Waits for the lead. Meanwhile it shows who has it, and whoever asks the engine gets no answer.
async fn lead(shell: &Shell, commands: &mut mpsc::Receiver<Command>) -> Result<Epoch, TermEnd> {
    let bid = shell.store.lead(&shell.config.name);
    let mut bid = std::pin::pin!(bid);
    let mut look = std::pin::pin!(look(shell));
    loop {
        tokio::select! {
            biased;
            () = shell.drain.begun() => return Err(TermEnd::Drained),
            epoch = &mut bid => return epoch.map_err(unreadable),
            () = &mut look => {}
            command = commands.recv() => if command.is_none() {
                return Err(TermEnd::Drained);
            },
        }
    }
}

/// Shows who leads, for ever, where it may be another.
async fn look(shell: &Shell) {
    if !shell.store.is_shared() {
        std::future::pending::<()>().await;
    }
    let mut interval = tokio::time::interval(LOOK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        metrics::gauge!("umbra_leader").set(0.0);
        match shell.store.leader().await {
            Ok(leader) => {
                // A term of its own that is not over yet leads nobody.
                let other = leader.map(|leader| leader.name).filter(|name| *name != shell.config.name);
                shell.health.ready();
                shell.post.take(Standing::Following(other));
            }
            Err(error) => {
                shell.health.not_ready("the meta store cannot be used");
                shell.post.take(Standing::Starting);
                tracing::warn!(%error, "cannot see who leads");
            }
        }
    }
}

/// Says that this coordinator leads, from now on.
fn post(shell: &Shell, epoch: Epoch) {
    metrics::gauge!("umbra_leader").set(1.0);
    metrics::counter!("umbra_leader_changes_total").increment(1);
    shell.post.take(Standing::Leading { epoch: epoch.0, since: shell.clock.unix_ms() });
    shell.health.ready();
}

fn unreadable(error: StoreError) -> TermEnd {
    match error {
        StoreError::Unavailable(reason) => TermEnd::Reload(reason),
        error @ StoreError::Corrupt(_) => TermEnd::Damaged(LoadError::Store(error)),
    }
}

async fn term_loop(
    shell: &Shell,
    epoch: Epoch,
    term: &mut Term,
    commands: &mut mpsc::Receiver<Command>,
) -> TermEnd {
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut lost = std::pin::pin!(shell.store.lost(epoch));
    loop {
        let wake = wait(term.wake_in());
        let handled = tokio::select! {
            biased;
            () = shell.drain.begun() => return TermEnd::Drained,
            () = &mut lost => return TermEnd::Deposed,
            command = commands.recv() => match command {
                Some(command) => term.handle(command).await,
                None => return TermEnd::Drained,
            },
            () = wake => term.tick().await,
            _ = refresh.tick() => {
                // A gauge that nobody sets for a minute is dropped.
                metrics::gauge!("umbra_leader").set(1.0);
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
