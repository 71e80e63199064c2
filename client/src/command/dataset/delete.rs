//! `umbra dataset delete NAME`.

use serde_json::json;
use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::{ServerArgs, ask};

/// Arguments of `umbra dataset delete`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data set's name
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Deletes a data set.
///
/// # Errors
/// If there is none, or an audit names it.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let request = ask(v1::DeleteDatasetRequest { name: args.name.clone() });
    remote.datasets().delete_dataset(request).await.map_err(|status| remote.failure(&status))?;
    out.result(|| format!("deleted {}", args.name), || json!({ "deleted": args.name }))
}
