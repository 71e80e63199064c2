//! `umbra audit cancel ID`.

use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::{ServerArgs, ask};
use crate::view;

/// Arguments of `umbra audit cancel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The audit's id
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Cancels an audit; cancelling one that is cancelled already changes nothing.
///
/// # Errors
/// If there is none, or it has ended.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let request = v1::CancelAuditRequest { id: args.id.clone() };
    let answer = remote.call(async || remote.audits().cancel_audit(ask(request.clone())).await).await;
    let audit = remote.given(answer.map_err(|status| remote.failure(&status))?.audit)?;
    out.result(|| format!("cancelled {}", args.id), || view::audit(&audit))
}
