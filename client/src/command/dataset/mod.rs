//! `umbra dataset ...`.

mod delete;
mod import;
mod inspect;
mod list;

use clap::Subcommand;

use crate::exit::Failure;
use crate::output::Output;

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import a table, arrays, images or ECGs: check and encode it here, and register it with a coordinator
    Import(import::Args),
    /// Show a registered data set, or check a file without a coordinator
    Inspect(inspect::Args),
    /// List the registered data sets
    List(list::Args),
    /// Delete a data set that no audit names
    Delete(delete::Args),
}

/// Does it.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::Import(args) => import::run(&args, &out).await,
        Command::Inspect(args) => inspect::run(&args, &out).await,
        Command::List(args) => list::run(&args, &out).await,
        Command::Delete(args) => delete::run(&args, &out).await,
    }
}
