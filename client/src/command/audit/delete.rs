//! `umbra audit delete ID`.

use serde_json::json;
use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::{ServerArgs, ask};

/// Arguments of `umbra audit delete`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The audit's id
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Deletes an audit and its results.
///
/// # Errors
/// If there is none, or it has not ended.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let request = ask(v1::DeleteAuditRequest { id: args.id.clone() });
    remote.audits().delete_audit(request).await.map_err(|status| remote.failure(&status))?;
    out.result(|| format!("deleted {}", args.id), || json!({ "deleted": args.id }))
}
