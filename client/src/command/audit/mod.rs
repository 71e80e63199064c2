//! `umbra audit ...`.

mod cancel;
mod delete;
mod extend;
mod get;
mod list;
mod report;
mod submit;
mod watch;

use clap::Subcommand;

pub use submit::create;
pub use watch::ended;

use crate::exit::Failure;
use crate::output::Output;

/// What to do with audits.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Submit an audit; a data set given as a table is imported first
    Submit(submit::Args),
    /// Follow an audit to its end
    Watch(watch::Args),
    /// List audits, newest first
    List(list::Args),
    /// Show one audit
    Get(get::Args),
    /// Fetch the findings of an audit that has succeeded
    Report(report::Args),
    /// Make a larger audit of one, by whole blocks of shadows
    Extend(extend::Args),
    /// Cancel an audit that has not ended
    Cancel(cancel::Args),
    /// Delete an audit that has ended, with its results
    Delete(delete::Args),
}

/// Does it.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::Submit(args) => submit::run(&args, &out).await,
        Command::Watch(args) => watch::run(&args, &out).await,
        Command::List(args) => list::run(&args, &out).await,
        Command::Get(args) => get::run(&args, &out).await,
        Command::Report(args) => report::run(&args, &out).await,
        Command::Extend(args) => extend::run(&args, &out).await,
        Command::Cancel(args) => cancel::run(&args, &out).await,
        Command::Delete(args) => delete::run(&args, &out).await,
    }
}
