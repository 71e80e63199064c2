//! `umbra audit submit AUDIT.toml`.

use std::path::PathBuf;

use umbra_core::digest::Digest;
use umbra_core::spec::{AuditSpec, Placement};
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
                        AUDIT.toml --watch\n  umbra audit submit AUDIT.toml --priority 50 --max-slots 8"
)]
pub struct Args {
    /// The audit file
    file: PathBuf,
    /// Follow the audit to its end
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    urgency: Urgency,
    #[command(flatten)]
    server: ServerArgs,
}

/// What goes before the [placement] of the file.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
struct Urgency {
    /// Audits of a higher priority go first, from -100 to 100
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(
        i64::from(-Placement::MAX_PRIORITY)..=i64::from(Placement::MAX_PRIORITY)))]
    priority: Option<i32>,
    /// The share of slots among audits of one priority, from 1 to 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(
        1..=i64::from(Placement::MAX_WEIGHT)))]
    weight: Option<u32>,
    /// The most slots that the audit uses at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(
        1..=i64::from(Placement::MAX_SLOTS)))]
    max_slots: Option<u32>,
}

impl Urgency {
    /// The specification of the file, with what was given instead.
    fn of(self, spec: AuditSpec) -> Result<AuditSpec, Failure> {
        let mut draft = spec.to_draft();
        let placement = &mut draft.placement;
        placement.priority = self.priority.or(placement.priority);
        placement.weight = self.weight.or(placement.weight);
        placement.max_slots = self.max_slots.or(placement.max_slots);
        AuditSpec::try_new(&draft).map_err(|wrong| Failure::usage(wrong.to_string()))
    }
}

/// Submits an audit and prints its id.
///
/// # Errors
/// If the file or its data set is refused, or the call fails.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let file = AuditFile::read(&args.file)?;
    let (remote, spec, data) = match file.source() {
        Source::Named(name) => {
            let spec = args.urgency.of(file.spec(name)?)?;
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
            let spec = args.urgency.of(file.spec(&name)?)?;
            let remote = args.server.connect().await?;
            upload::upload(&remote, &name, &set).await?;
            (remote, spec, set.digest)
        }
    };
    let audit = create(&remote, &file, &spec, &data).await?;
    // Pack and checkpoints are part of what names it, so they are the same.
    let placed = |spec: Option<&v1::AuditSpec>| spec.and_then(|spec| spec.placement);
    if placed(audit.spec.as_ref()) != placed(Some(&spec_to(&spec))) {
        note(
            "umbra: this audit is there already, and keeps the priority, weight, max_slots and keep_weights it was submitted with",
        );
    }
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
