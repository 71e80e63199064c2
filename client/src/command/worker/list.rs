//! `umbra worker list`.

use serde_json::{Value, json};
use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::pages::listed;
use crate::remote::{ServerArgs, ask};
use crate::workers;

/// Arguments of `umbra worker list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  umbra worker list\n  umbra worker list --server https://host:7443 \
                        --tls-ca ca.pem --token-file token\n  umbra worker list --format json")]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Lists connected workers, a row a slot.
///
/// # Errors
/// If the call fails.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let all = listed(usize::MAX, async |page_size, page_token| {
        let request = v1::ListWorkersRequest { page_size, page_token };
        let page = remote.call(async || remote.cluster().list_workers(ask(request.clone())).await).await;
        let page = page.map_err(|status| remote.failure(&status))?;
        Ok((page.workers, page.next_page_token))
    })
    .await?;
    let json = || json!({ "workers": all.iter().map(workers::worker).collect::<Vec<Value>>() });
    out.result(|| workers::text(&all), json)
}
