//! `umbra cluster ...`.

mod backup;
mod restore;
mod status;

use clap::Subcommand;

use crate::exit::Failure;
use crate::output::Output;

/// What to do with a cluster.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show its coordinators, who leads, and what its workers do
    Status(status::Args),
    /// Write its meta store to a file, as it is at one moment
    Backup(backup::Args),
    /// Put a backup into a new meta store, while no coordinator runs
    Restore(restore::Args),
}

/// Does it.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::Status(args) => status::run(&args, &out).await,
        Command::Backup(args) => backup::run(&args, &out).await,
        Command::Restore(args) => restore::run(&args, &out).await,
    }
}
