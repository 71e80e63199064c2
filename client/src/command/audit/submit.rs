//! `umbra audit submit AUDIT.toml`.

use std::path::PathBuf;

use umbra_core::digest::Digest;
use umbra_core::spec::AuditSpec;
use umbra_proto::convert::spec_to;
use umbra_proto::error::violations;
use umbra_proto::v1;

use super::watch;
use crate::audit_file::{AuditFile, Source};
use crate::dataset;
use crate::exit::Failure;
use crate::output::{Output, note};
use crate::remote::{Remote, ServerArgs, ask, request_id, upload};
use crate::view;

/// Arguments of `umbra audit submit`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The same file on the same data is the same audit: submitting it again shows the one \
                        that is there.\n\nExamples:\n  umbra audit submit AUDIT.toml\n  umbra audit submit \
                        AUDIT.toml --watch"
)]
pub struct Args {
    /// The audit file
    file: PathBuf,
    /// Follow the audit to its end
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Submits an audit and prints its id.
///
/// # Errors
/// If the file or its data set is refused, or the call fails.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let file = AuditFile::read(&args.file)?;
    let (remote, spec, data) = match file.source() {
        Source::Named(name) => {
            let spec = file.spec(name)?;
            let remote = args.server.connect().await?;
            let Some(set) = upload::find(&remote, name).await? else {
                let violation = umbra_core::spec::Violation {
                    field: "dataset.name".to_owned(),
                    message: format!(
                        "there is no data set \"{name}\": import it with `umbra dataset import`"
                    ),
                };
                return Err(file.refused(&[violation]));
            };
            let data: Digest = set.digest.parse().map_err(|error| {
                Failure::failed(format!("the coordinator names no digest of data set \"{name}\": {error}"))
            })?;
            (remote, spec, data)
        }
        Source::Table(table) => {
            let set = dataset::import(table).await?;
            set.note_warnings(&table.path);
            let name = set.name(&table.path);
            let spec = file.spec(&name)?;
            let remote = args.server.connect().await?;
            upload::upload(&remote, &name, &set).await?;
            (remote, spec, set.digest)
        }
    };
    let audit = create(&remote, &file, &spec, &data).await?;
    if args.watch {
        note(&format!("submitted {}", audit.id));
        return watch::follow(&remote, &audit.id, out).await;
    }
    if matches!(audit.state(), v1::AuditState::Failed | v1::AuditState::Cancelled) {
        note(&format!(
            "umbra: this audit is there already and {}; to start it anew, delete it first with `umbra audit \
             delete {}`",
            view::state(audit.state()),
            audit.id
        ));
    }
    out.result(|| audit.id.clone(), || view::audit(&audit))
}

/// Creates an audit, or finds the one that is there; a refusal of fields names their lines in the file.
///
/// # Errors
/// If it is refused, or the call fails.
pub async fn create(
    remote: &Remote,
    file: &AuditFile,
    spec: &AuditSpec,
    data: &Digest,
) -> Result<v1::Audit, Failure> {
    let message = v1::CreateAuditRequest { spec: Some(spec_to(spec)), request_id: request_id(spec, data) };
    match remote.call(async || remote.audits().create_audit(ask(message.clone())).await).await {
        Ok(answer) => remote.given(answer.audit),
        Err(status) => match violations(&status) {
            none if none.is_empty() => Err(remote.failure(&status)),
            violations => Err(file.refused(&violations)),
        },
    }
}
