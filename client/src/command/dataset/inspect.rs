//! `umbra dataset inspect NAME` and `umbra dataset inspect FILE --schema FILE.toml`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use umbra_data::{Channel, Dataset, Description, EncodedColumn, Encoding, Form, Targets};
use umbra_proto::convert::shape_to;

use crate::audit_file::TableFiles;
use crate::dataset::{self, Encoded};
use crate::exit::Failure;
use crate::human;
use crate::output::{Output, pairs, plain, table};
use crate::remote::{ServerArgs, upload};
use crate::view;

/// Arguments of `umbra dataset inspect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  umbra dataset inspect icu.parquet --schema icu.schema.toml\n  umbra dataset \
                        inspect icu-2024"
)]
pub struct Args {
    /// A registered data set's name or, with --schema, a file as `umbra dataset import` takes it
    target: String,
    /// Check the file with this schema here, without a coordinator
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Shows a data set.
///
/// # Errors
/// If there is none, or the file is refused.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    if let Some(schema) = &args.schema {
        let table = TableFiles { path: PathBuf::from(&args.target), schema: schema.clone() };
        let set = dataset::import(&table).await?;
        return show(&table.path, &set, out);
    }
    let remote = args.server.connect().await?;
    let Some(set) = upload::find(&remote, &args.target).await? else {
        let remedy = if Path::new(&args.target).exists() {
            "to check a file, add --schema"
        } else {
            "see `umbra dataset list`"
        };
        let name: String = args.target.chars().take(80).collect();
        return Err(Failure::failed(format!("there is no data set \"{name}\": {remedy}")));
    };
    out.result(|| view::dataset_text(&set), || view::dataset(&set))
}

fn show(path: &Path, set: &Encoded, out: &Output) -> Result<(), Failure> {
    let opened =
        Dataset::from_bytes(set.bytes.clone()).map_err(|error| Failure::failed(error.to_string()))?;
    let description = opened.description();
    let shape = set.shape;
    let text = || {
        let names = description.class_names.iter().zip(&set.class_counts);
        let classes = names.map(|(name, &count)| format!("{} ({})", plain(name), human::thousands(count)));
        let classes = classes.collect::<Vec<_>>().join(", ");
        let attributes: Vec<_> = description.attributes.iter().map(|(name, _)| plain(name)).collect();
        let mut rows = vec![
            ("file", path.display().to_string()),
            ("shape", view::shape_text(&shape_to(&shape))),
            ("stored as", opened.values().number().name().to_owned()),
        ];
        match shape.targets {
            Targets::Class => rows.extend([("label", plain(&description.label)), ("classes", classes)]),
            Targets::Labels => rows.push(("labels", classes)),
        }
        rows.extend([
            ("unit", description.unit.as_deref().map_or("each record its own".to_owned(), plain)),
            ("groups", attributes.join(", ")),
            ("digest", set.digest.to_string()),
            ("encoded", human::bytes(set.bytes.len() as u64)),
        ]);
        rows.extend(set.warnings.iter().map(|warning| ("warning", plain(warning))));
        let parts = if shape.form == Form::Table { columns(description) } else { channels(description) };
        format!("{}\n\n{parts}", pairs(&rows))
    };
    let json = || {
        json!({
            "path": path.display().to_string(),
            "digest": set.digest.to_string(),
            "sha256": set.sha256.to_string(),
            "bytes": set.bytes.len(),
            "records": set.shape.records,
            "units": set.shape.units,
            "shape": view::shape(&shape_to(&shape)),
            "stored_as": opened.values().number().name(),
            "class_counts": set.class_counts,
            "warnings": set.warnings,
            "description": serde_json::to_value(description).unwrap_or(Value::Null),
        })
    };
    out.result(text, json)
}

/// The columns of a table.
fn columns(description: &Description) -> String {
    let row = |column: &EncodedColumn| {
        vec![plain(&column.name), column.encoding.width().to_string(), encoding_text(&column.encoding)]
    };
    let rows: Vec<Vec<String>> = description.columns.iter().map(row).collect();
    table(&["COLUMN", "FEATURES", "ENCODED AS"], &rows)
}

/// The channels of images or signals.
fn channels(description: &Description) -> String {
    let row = |channel: &Channel| {
        vec![plain(&channel.name), format!("{:.4}", channel.mean), format!("{:.4}", channel.sd)]
    };
    let rows: Vec<Vec<String>> = description.channels.iter().map(row).collect();
    table(&["CHANNEL", "MEAN", "SD"], &rows)
}

fn encoding_text(encoding: &Encoding) -> String {
    match encoding {
        Encoding::Numeric { median, mean, sd, indicator } => {
            let missing = if *indicator { format!("; missing as {median}, marked") } else { String::new() };
            format!("number, mean {mean:.4}, sd {sd:.4}{missing}")
        }
        Encoding::IndicatorOnly => "whether it is missing".to_owned(),
        Encoding::OneHot { levels, missing } => {
            let missing = if *missing { " and missing" } else { "" };
            format!("{}{missing}", human::count(levels.len() as u64, "level"))
        }
    }
}
