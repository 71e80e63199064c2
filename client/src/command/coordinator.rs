//! `umbra coordinator`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use umbra_coordinator::Listeners;
use umbra_runtime::Drain;
use umbra_runtime::listen::write_address_file;

use crate::daemon::coordinator::{Parts, start};
use crate::daemon::log::begin_log;
use crate::exit::Failure;
use crate::output::Output;
use crate::settings::{CoordinatorSettings, Flags};

/// Arguments of `umbra coordinator`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Every setting is a flag, an environment variable or a key of the settings file \
                        (token_file for --token-file); a flag wins over a variable, that over the \
                        file.\n\nExamples:\n  umbra coordinator --state /var/lib/umbra\n  umbra coordinator \
                        --config coordinator.toml --check-config")]
pub struct Args {
    /// A settings file (TOML)
    #[arg(long, value_name = "FILE", env = "UMBRA_CONFIG")]
    config: Option<PathBuf>,
    /// Check the settings and exit
    #[arg(long)]
    check_config: bool,
    #[command(flatten)]
    flags: Flags<CoordinatorSettings>,
}

/// Runs a coordinator until it is told to stop.
///
/// # Errors
/// If it cannot start, or a part of it failed.
pub async fn run(args: &Args, out: Output, drain: Drain) -> Result<(), Failure> {
    let settings = CoordinatorSettings::read(&args.flags, args.config.as_deref())?;
    if args.check_config {
        return out.result(|| "the settings are right".to_owned(), || json!({ "event": "checked" }));
    }
    begin_log("umbra-coordinator", out.format(), settings.log.as_deref())?;
    if settings.token.is_none() {
        tracing::warn!("no token is configured: every process of this machine may call");
    }
    let bind = |error: umbra_runtime::listen::ListenError| Failure::failed(error.to_string());
    let grpc = settings.listen.bind().await.map_err(bind)?;
    let http = settings.http.bind().await.map_err(bind)?;
    let unknown = |error: std::io::Error| Failure::failed(format!("cannot tell where it listens: {error}"));
    let (grpc_at, http_at) = (grpc.local_addr().map_err(unknown)?, http.local_addr().map_err(unknown)?);
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let parts = Parts {
        cluster: settings.cluster,
        meta: settings.meta,
        token: settings.token,
        listeners: Listeners { grpc: grpc.into(), http: Some(http), tls: settings.tls },
        address: settings
            .advertise
            .as_ref()
            .map_or_else(|| format!("{scheme}://{grpc_at}"), ToString::to_string),
        blobs: settings.blobs,
        storage: settings.storage,
    };
    start(&settings.state, parts, drain.clone()).await?;
    if let Some(path) = &settings.address_file {
        write_address_file(path, grpc_at).map_err(|error| Failure::failed(error.to_string()))?;
    }
    out.result(
        || format!("ready: gRPC on {grpc_at}, HTTP on {http_at}"),
        || json!({ "event": "ready", "grpc": grpc_at.to_string(), "http": http_at.to_string() }),
    )?;
    let outcome = drain.finished(Duration::from_secs(settings.grace)).await;
    if outcome.is_clean() { Ok(()) } else { Err(Failure::failed(outcome.to_string())) }
}
