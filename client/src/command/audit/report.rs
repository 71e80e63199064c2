//! `umbra audit report ID --out DIR`.

use std::path::PathBuf;

use umbra_proto::convert::named_by;

use super::watch;
use crate::exit::Failure;
use crate::headlines::Headlines;
use crate::out_folder::{Identity, Opened, OutFolder};
use crate::output::{Output, note};
use crate::remote::{ServerArgs, findings};
use crate::view;

/// Arguments of `umbra audit report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  umbra audit report support2-mlp-1a2b3c4d --out findings")]
pub struct Args {
    /// The audit's id
    id: String,
    /// The folder for the findings; one that holds another audit is refused
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// Fetches the findings and prints the headlines.
///
/// # Errors
/// If the audit has not succeeded, the folder holds something else, or the call fails.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let audit = remote.audit(&args.id).await?;
    if !crate::remote::watch::has_ended(audit.state()) {
        return Err(Failure::failed(format!(
            "{0} is {1}: wait for it with `umbra audit watch {0}`",
            args.id,
            view::state(audit.state())
        )));
    }
    watch::ended(&audit)?;
    let spec = view::spec(&named_by(remote.given(audit.spec.clone())?), &audit.seed_commitment);
    let identity = Identity { spec, data_digest: audit.data_digest.clone() };
    match OutFolder::open(&args.out, identity)? {
        Opened::Complete => note("umbra: the findings are there already"),
        Opened::Taken(folder) => {
            let files = findings::download(&remote, &args.id, folder.path()).await?;
            folder.complete(files, false)?;
        }
    }
    let headlines = Headlines::read(&args.out)?;
    out.result(|| headlines.text(), || headlines.json(Some(&args.id)))
}
