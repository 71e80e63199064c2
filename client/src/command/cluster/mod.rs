//! `umbra cluster ...`.

mod status;

use clap::Subcommand;

use crate::exit::Failure;
use crate::output::Output;

/// What to ask of a cluster.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show its coordinators, who leads, and what its workers do
    Status(status::Args),
}

/// Asks it.
///
/// # Errors
/// Why there is no answer.
pub async fn run(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::Status(args) => status::run(&args, &out).await,
    }
}
