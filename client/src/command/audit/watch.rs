//! `umbra audit watch ID`.

use umbra_proto::v1;

use crate::exit::Failure;
use crate::output::{Format, Output, plain};
use crate::progress::Progress;
use crate::remote::{Remote, ServerArgs, watch};

/// Arguments of `umbra audit watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  umbra audit watch support2-mlp-1a2b3c4d\n  umbra audit watch \
                        support2-mlp-1a2b3c4d --format json | jq .progress.shadows_done")]
pub struct Args {
    /// The audit's id
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Follows an audit to its end.
///
/// # Errors
/// If there is none, it fails or is cancelled, or the coordinator stays away.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let remote = args.server.connect().await?;
    follow(&remote, &args.id, out).await
}

/// Follows an audit, shows how far it is, and says how it ended.
///
/// # Errors
/// If it fails or is cancelled, or the coordinator stays away.
pub async fn follow(remote: &Remote, id: &str, out: &Output) -> Result<(), Failure> {
    let mut progress = Progress::start(out);
    let audit = watch::follow(remote, id, &mut progress).await;
    progress.finish();
    let audit = audit?;
    ended(&audit)?;
    if out.format() == Format::Text {
        let text =
            || format!("{0} succeeded; fetch its findings with `umbra audit report {0} --out DIR`", audit.id);
        out.result(text, || serde_json::Value::Null)?;
    }
    Ok(())
}

/// That an audit has succeeded, or why not.
///
/// # Errors
/// If it failed or was cancelled.
pub fn ended(audit: &v1::Audit) -> Result<(), Failure> {
    match audit.state() {
        v1::AuditState::Succeeded => Ok(()),
        v1::AuditState::Cancelled => Err(Failure::failed(format!("{} was cancelled", plain(&audit.id)))),
        _ => {
            let fault = audit.fault.as_ref().map_or("no reason was given", |fault| &fault.message);
            Err(Failure::failed(format!("{} failed: {}", plain(&audit.id), plain(fault))))
        }
    }
}
