//! `umbra audit list`.

use serde_json::{Value, json};
use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::pages::listed;
use crate::remote::{ServerArgs, ask};
use crate::view;

/// Arguments of `umbra audit list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  umbra audit list\n  umbra audit list --state running --limit 10")]
pub struct Args {
    /// Only audits in this state
    #[arg(long, value_parser = view::state_words())]
    state: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    server: ServerArgs,
}

/// Lists audits.
///
/// # Errors
/// If the call fails.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let state = args.state.as_deref().and_then(view::state_of).unwrap_or_default();
    let audits = listed(args.limit as usize, async |page_size, page_token| {
        let request = v1::ListAuditsRequest { page_size, page_token, state: state.into() };
        let page = remote.call(async || remote.audits().list_audits(ask(request.clone())).await).await;
        let page = page.map_err(|status| remote.failure(&status))?;
        Ok((page.audits, page.next_page_token))
    })
    .await?;
    let json = || json!({ "audits": audits.iter().map(view::audit).collect::<Vec<Value>>() });
    out.result(|| view::audits_text(&audits), json)
}
