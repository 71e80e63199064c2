//! `umbra audit extend ID --shadows N`.

use umbra_proto::v1;

use super::watch;
use crate::exit::Failure;
use crate::output::{Output, note};
use crate::remote::{ServerArgs, ask};
use crate::view;

/// Arguments of `umbra audit extend`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The old audit stays as it is. The larger one is another audit, the one that a file with so \
                        many shadows in the same blocks names; what the old one has done is not done again, so \
                        let it succeed first.\n\nExamples:\n  umbra audit extend support2-mlp-1a2b3c4d \
                        --shadows 256 --watch"
)]
pub struct Args {
    /// The audit's id
    id: String,
    /// How many shadows the larger audit has: the old ones and more whole blocks
    #[arg(long, value_name = "N")]
    shadows: u32,
    /// Follow the larger audit to its end
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Makes a larger audit of one and prints its id.
///
/// # Errors
/// If there is none, it ended without findings, or it does not grow by whole blocks.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let request = ask(v1::ExtendAuditRequest { id: args.id.clone(), shadows: args.shadows });
    let answer = remote.audits().extend_audit(request).await.map_err(|status| remote.failure(&status))?;
    let audit = remote.given(answer.into_inner().audit)?;
    if args.watch {
        note(&format!("extended to {}", audit.id));
        return watch::follow(&remote, &audit.id, out).await;
    }
    out.result(|| audit.id.clone(), || view::audit(&audit))
}
