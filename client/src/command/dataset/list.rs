//! `umbra dataset list`.

use serde_json::{Value, json};
use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
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
    let mut sets = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ask(v1::ListDatasetsRequest { page_size: 500, page_token });
        let answer =
            remote.datasets().list_datasets(request).await.map_err(|status| remote.failure(&status))?;
        let page = answer.into_inner();
        sets.extend(page.datasets);
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    let json = || json!({ "datasets": sets.iter().map(view::dataset).collect::<Vec<Value>>() });
    out.result(|| view::datasets_text(&sets), json)
}
