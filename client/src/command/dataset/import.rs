//! `umbra dataset import [--kind parquet|csv] FILE --schema FILE.toml [--name N]`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use umbra_core::ids::DatasetName;

use crate::audit_file::TableFiles;
use crate::dataset;
use crate::exit::Failure;
use crate::output::Output;
use crate::remote::{ServerArgs, upload};
use crate::view;

/// Arguments of `umbra dataset import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  umbra dataset import icu.parquet --schema icu.schema.toml\n  umbra dataset \
                        import --kind csv icu.csv --schema icu.schema.toml --name icu-2024"
)]
pub struct Args {
    /// The table
    file: PathBuf,
    /// The schema: which column is the label, the patient, a group
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// What the table is [default: seen from the file]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The name to register [default: the file's name and the first digits of its digest]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Files that hold tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Apache Parquet
    Parquet,
    /// Comma-separated values with a header line
    Csv,
}

/// Imports a table.
///
/// # Errors
/// Why it was not imported.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    if let Some(name) = &args.name {
        DatasetName::try_new(name.as_str()).map_err(|error| Failure::usage(format!("--name: {error}")))?;
    }
    if let Some(kind) = args.kind {
        check_kind(&args.file, kind)?;
    }
    let table = TableFiles { path: args.file.clone(), schema: args.schema.clone() };
    let set = dataset::import(&table).await?;
    set.note_warnings(&args.file);
    let name = args.name.clone().unwrap_or_else(|| set.name(&args.file));
    let remote = args.server.connect().await?;
    let registered = upload::upload(&remote, &name, &set).await?;
    out.result(|| view::dataset_text(&registered), || view::dataset(&registered))
}

/// Refuses a file that is visibly of the other kind.
fn check_kind(path: &Path, kind: Kind) -> Result<(), Failure> {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read(&mut start));
    let read = read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let is_parquet = start[..read] == *b"PAR1";
    match kind {
        Kind::Parquet if !is_parquet => {
            Err(Failure::usage(format!("{} is not a Parquet file: leave --kind out", path.display())))
        }
        Kind::Csv if is_parquet => {
            Err(Failure::usage(format!("{} is a Parquet file: use --kind parquet", path.display())))
        }
        _ => Ok(()),
    }
}
