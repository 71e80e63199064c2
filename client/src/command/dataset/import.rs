//! `umbra dataset import [--kind parquet|csv|array|images|wfdb] FILE --schema FILE.toml [--name N]`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use umbra_core::ids::DatasetName;
use umbra_data::DatasetKind;

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
                        import --kind csv icu.csv --schema icu.schema.toml --name icu-2024\n  umbra dataset import \
                        --kind array pneumoniamnist.npz --schema array.schema.toml\n  umbra dataset import --kind \
                        images manifest.csv --schema images.schema.toml\n  umbra dataset import --kind wfdb \
                        ptbxl_database.csv --schema wfdb.schema.toml\n\ndocs/data.md has a schema for every kind."
)]
pub struct Args {
    /// A table, an NPZ or NPY file, or the manifest of images or WFDB records
    file: PathBuf,
    /// The schema: what the data are, and which column is the label, the patient, a group
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// What the file is [default: what the schema says]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The name to register [default: the file's name and the first digits of its digest]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A table, as Apache Parquet
    Parquet,
    /// A table, as comma-separated values with a header line
    Csv,
    /// Arrays that numpy saved, NPZ or NPY
    Array,
    /// The manifest of PNG and JPEG files
    Images,
    /// The manifest of WFDB records
    Wfdb,
}

/// Imports a data set.
///
/// # Errors
/// Why it was not imported.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    if let Some(name) = &args.name {
        DatasetName::try_new(name.as_str()).map_err(|error| Failure::usage(format!("--name: {error}")))?;
    }
    if let Some(kind) = args.kind {
        check_kind(&args.file, kind)?;
        check_schema(&args.schema, kind)?;
    }
    let table = TableFiles { path: args.file.clone(), schema: args.schema.clone() };
    let set = dataset::import(&table).await?;
    set.note_warnings(&args.file);
    let name = args.name.clone().unwrap_or_else(|| set.name(&args.file));
    let remote = args.server.connect().await?;
    let registered = upload::upload(&remote, &name, &set).await?;
    out.result(|| view::dataset_text(&registered), || view::dataset(&registered))
}

/// Refuses a schema of another kind.
fn check_schema(path: &Path, kind: Kind) -> Result<(), Failure> {
    let said = dataset::read_schema(path)?.kind();
    let wanted = match kind {
        Kind::Parquet | Kind::Csv => DatasetKind::Table,
        Kind::Array => DatasetKind::Array,
        Kind::Images => DatasetKind::Images,
        Kind::Wfdb => DatasetKind::Wfdb,
    };
    if said == wanted {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} says kind = \"{}\", --kind asks for \"{}\": leave --kind out, or name another schema",
        path.display(),
        said.name(),
        wanted.name()
    )))
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
