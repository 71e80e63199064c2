//! `umbra audit get ID`.

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::ServerArgs;
use crate::view;

/// Arguments of `umbra audit get`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The audit's id
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Shows an audit.
///
/// # Errors
/// If there is none.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let audit = args.server.connect().await?.audit(&args.id).await?;
    out.result(|| view::audit_text(&audit), || view::audit(&audit))
}
