//! `umbra cluster backup --out FILE`.

use std::path::PathBuf;

use serde_json::json;

use crate::exit::Failure;
use crate::human;
use crate::output::Output;
use crate::remote::{ServerArgs, backup};

/// Arguments of `umbra cluster backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file holds the seeds of all audits: keep it as safe as the data. Back the blob store up \
                        after it, not before.\n\nExamples:\n  umbra cluster backup --out umbra-meta.backup"
)]
pub struct Args {
    /// The file to write; one that is there is replaced once the new one is whole
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// Writes what the cluster's leader knows to a file.
///
/// # Errors
/// If no coordinator leads, or the file cannot be written.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let fetched = backup::fetch(&remote, &args.out).await?;
    let path = args.out.display();
    out.result(
        || format!("backed up {} to {path}", human::count(fetched.entries, "record")),
        || json!({ "out": path.to_string(), "entries": fetched.entries, "bytes": fetched.bytes }),
    )
}
