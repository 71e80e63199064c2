//! `umbra plan AUDIT.toml`: what the audit will take and what it can show.

use std::path::PathBuf;

use umbra_core::spec::Violation;
use umbra_proto::convert::shape_from;

use crate::audit_file::{AuditFile, Source};
use crate::dataset;
use crate::exit::Failure;
use crate::forecast::Forecast;
use crate::output::Output;
use crate::remote::{ServerArgs, upload};

/// Arguments of `umbra plan`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads the table as `umbra run` does, or asks the coordinator about a data set that was \
                  imported, and computes by the tables of the patient test what so many shadows can show \
                  about so many patients. Nothing is trained.\n\nExamples:\n  umbra plan AUDIT.toml\n  umbra \
                  plan AUDIT.toml --format json"
)]
pub struct Args {
    /// The audit file
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// Prints a plan.
///
/// # Errors
/// If the file or its data set is refused, or the coordinator cannot be asked.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let file = AuditFile::read(&args.file)?;
    let (spec, shape, bytes) = match file.source() {
        Source::Table(table) => {
            let data = dataset::import(table).await?;
            data.note_warnings(&table.path);
            (file.spec(&data.name(&table.path))?, data.shape, data.bytes.len() as u64)
        }
        Source::Named(name) => {
            let spec = file.spec(name)?;
            let remote = args.server.connect().await?;
            let Some(set) = upload::find(&remote, name).await? else {
                let message =
                    format!("there is no data set \"{name}\": import it with `umbra dataset import`");
                return Err(file.refused(&[Violation { field: "dataset.name".to_owned(), message }]));
            };
            (spec, shape_from(set.shape.as_ref()), set.blob.map_or(0, |blob| blob.size))
        }
    };
    if let Err(wrong) = spec.check_shape(&shape) {
        return Err(file.refused(wrong.iter()));
    }
    let forecast = Forecast::of(spec, shape, bytes);
    let forecast = forecast.map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    out.result(|| forecast.text(), || forecast.json())
}
