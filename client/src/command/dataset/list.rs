//! `umbra dataset list`.

use serde_json::{Value, json};
use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::pages::listed;
use crate::remote::{ServerArgs, ask};
use crate::view;

/// Arguments of `umbra dataset list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Lists the data sets.
///
/// # Errors
/// If the call fails.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let sets = listed(usize::MAX, async |page_size, page_token| {
        let request = v1::ListDatasetsRequest { page_size, page_token };
        let page = remote.call(async || remote.datasets().list_datasets(ask(request.clone())).await).await;
        let page = page.map_err(|status| remote.failure(&status))?;
        Ok((page.datasets, page.next_page_token))
    })
    .await?;
    let json = || json!({ "datasets": sets.iter().map(view::dataset).collect::<Vec<Value>>() });
    out.result(|| view::datasets_text(&sets), json)
}
