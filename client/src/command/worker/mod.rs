//! `umbra worker`: the daemon, and commands about workers.

mod drain;
mod list;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use umbra_runtime::blobs::BlobStore;
use umbra_runtime::{Drain, SystemClock};
use umbra_worker::{Outcome, WorkError, work};

use crate::daemon::log::begin_log;
use crate::exit::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::settings::{Flags, WorkerSettings};

/// What to ask about workers.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List a coordinator's connected workers: their slots, devices and packs
    List(list::Args),
    /// Have a worker hand back its packs and end
    Drain(drain::Args),
}

/// Arguments of `umbra worker`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Every setting is a flag, an environment variable or a key of the settings file \
                        (token_file for --token-file); a flag wins over a variable, that over the \
                        file.\n\nExamples:\n  umbra worker --server http://127.0.0.1:7443 --slots 2\n  umbra \
                        worker --config worker.toml --check-config\n  umbra worker list\n  umbra worker drain worker-0a1b2c3d")]
pub struct Args {
    /// What to ask; without it, a worker runs
    #[command(subcommand)]
    pub command: Option<Command>,
    /// A settings file (TOML)
    #[arg(long, value_name = "FILE", env = "UMBRA_CONFIG")]
    config: Option<PathBuf>,
    /// Check the settings and exit
    #[arg(long)]
    check_config: bool,
    #[command(flatten)]
    flags: Flags<WorkerSettings>,
}

/// Asks a coordinator about its workers.
///
/// # Errors
/// Why there is no answer.
pub async fn ask(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::List(args) => list::run(&args, &out).await,
        Command::Drain(args) => drain::run(&args, &out).await,
    }
}

/// Runs a worker until it is told to stop.
///
/// # Errors
/// If it cannot start, or the coordinator refuses it.
pub async fn run(args: &Args, out: Output, drain: Drain) -> Result<(), Failure> {
    let settings = WorkerSettings::read(&args.flags, args.config.as_deref())?;
    if args.check_config {
        return out.result(|| "the settings are right".to_owned(), || json!({ "event": "checked" }));
    }
    begin_log("umbra-worker", out.format(), settings.log.as_deref())?;
    let WorkerSettings { mut config, connector, server, blobs, .. } = settings;
    if let Some((place, access)) = &blobs {
        let store = BlobStore::open(place, access).await;
        config = config.with_blobs(store.map_err(|error| Failure::failed(error.to_string()))?);
    }
    let (worker, slots, grace) = (config.worker().to_string(), config.slots(), config.grace());
    out.result(
        || format!("started: {worker} with {} for {server}", human::count(u64::from(slots), "slot")),
        || json!({ "event": "started", "worker": worker, "slots": slots, "server": server }),
    )?;
    let clock = Arc::new(SystemClock::new());
    let worked = work(config, connector, clock, drain.clone()).await;
    drain.begin();
    let outcome = drain.finished(grace + Duration::from_secs(1)).await;
    match worked {
        Ok(left) if outcome.is_clean() => {
            // Told to stop, it stopped: its packs go on elsewhere once their leases end.
            if let Outcome::GaveUp { .. } = left {
                tracing::warn!("{left}");
            }
            Ok(())
        }
        Ok(_) => Err(Failure::failed(outcome.to_string())),
        Err(error @ WorkError::Unauthenticated(_)) => Err(Failure::new(Exit::Refused, error.to_string())),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}
