//! `umbra worker drain ID`.

use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::Output;
use crate::remote::{ServerArgs, ask};
use crate::workers;

/// Arguments of `umbra worker drain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The worker checkpoints what it trains and hands it back, takes no more packs, and ends with \
                        exit code 0; others go on from the checkpoints.\n\nExamples:\n  umbra worker drain \
                        worker-0a1b2c3d"
)]
pub struct Args {
    /// The worker's id, as `umbra worker list` shows it
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Has a worker hand back its packs and end; one that drains already goes on draining.
///
/// # Errors
/// If no such worker is connected, or the call fails.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    let request = v1::DrainWorkerRequest { id: args.id.clone() };
    let answer = remote.call(async || remote.cluster().drain_worker(ask(request.clone())).await).await;
    let worker = remote.given(answer.map_err(|status| remote.failure(&status))?.worker)?;
    out.result(|| format!("draining {}", args.id), || workers::worker(&worker))
}
