//! From a table and its schema to an encoded data set.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use umbra_core::digest::Digest;
use umbra_core::shape::DataShape;

use crate::description::Description;
use crate::layout::{self, Layout, Sections, Shape};
use crate::limits::{MAX_DESCRIPTION, MAX_FILE_BYTES};
use crate::mmap::stored;
use crate::records::Records;
use crate::refusal::{ImportError, Problems};
use crate::schema::{DatasetKind, Schema};
use crate::table::Table;
use crate::text::TextList;
use crate::units::{self, unit_digest};
use crate::{csv_file, duplicates, encoder, order, parquet_file, roles};

/// A table that was encoded.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The encoded file: write it with [`crate::write_atomically`], or open it with
    /// [`crate::Dataset::from_bytes`].
    pub bytes: Vec<u8>,
    /// The digest of its content: the same for the same rows in any order.
    pub digest: Digest,
    /// Records, units, features and classes.
    pub shape: DataShape,
    /// Records of every class.
    pub class_counts: Vec<u64>,
    /// What a person should look at, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads a Parquet or CSV table as a schema says, checks it and encodes it.
///
/// # Errors
/// [`ImportError::Io`] if the file cannot be read; [`ImportError::Refused`] with every mistake found.
pub fn import(path: impl AsRef<Path>, schema: &Schema) -> Result<Imported, ImportError> {
    let path = path.as_ref();
    let mut problems = Problems::new(&path.display().to_string());
    let table = match schema.kind() {
        DatasetKind::Table => read_table(path, schema, &mut problems)?,
    };
    let Some(table) = table else { return Err(problems.into_error()) };
    if table.rows == 0 && problems.is_empty() {
        problems.whole("the table has no rows");
    }
    let Some(roles) = roles::resolve(schema, &table, &mut problems) else {
        return Err(problems.into_error());
    };
    // A column that could not be read is noted already; nothing more can be said of records then.
    problems.check()?;
    let records = Records::collect(table.rows, &roles, &mut problems);
    problems.check()?;
    drop(roles);
    drop(table);
    encode(&records, schema, problems)
}

fn read_table(path: &Path, schema: &Schema, problems: &mut Problems) -> Result<Option<Table>, ImportError> {
    let failed = |source: io::Error| ImportError::Io { path: path.display().to_string(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        problems.whole("this is not a file: name a Parquet or CSV file");
        return Ok(None);
    }
    if metadata.len() > MAX_FILE_BYTES {
        problems.whole(format!("longer than {MAX_FILE_BYTES} bytes: split the data set"));
        return Ok(None);
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let table = match (&start[..], extension.as_str()) {
        (b"PAR1", _) => parquet_file::read(file, schema, problems),
        (b"PARE", _) => {
            problems.whole("the Parquet file is encrypted: write it without encryption");
            None
        }
        ([], _) => {
            problems.whole("the file is empty");
            None
        }
        ([0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] | b"PK\x03\x04", _) => {
            problems.whole("the file is compressed: unpack it first");
            None
        }
        (_, "parquet" | "pq") => {
            problems.whole("not a Parquet file: it does not begin with PAR1");
            None
        }
        (_, "csv") => csv_file::read(file, schema, problems),
        _ => {
            problems.whole("neither a Parquet file nor named .csv: save the table as one of them");
            None
        }
    };
    Ok(table)
}

fn encode(records: &Records, schema: &Schema, mut problems: Problems) -> Result<Imported, ImportError> {
    let mut warnings = Vec::new();
    let units = units::name_units(records);
    let attributes = units::attributes(records, &units, &mut problems);
    let order = order::canonical(records, &units);
    let Some(encoded) = encoder::encode(records, &order, &mut warnings, &mut problems) else {
        return Err(problems.into_error());
    };
    problems.check()?;
    let by_order = |values: &[u32]| -> Vec<u32> { order.iter().map(|&row| values[row as usize]).collect() };
    let labels = by_order(&records.label.codes);
    let record_units = by_order(&units.of_row);
    let twins = duplicates::across_units(&encoded.features, encoded.width, &labels, &record_units);
    if twins > 0 {
        warnings.push(format!(
            "{twins} records have exactly the features and label of a record of another unit: perhaps the \
             same patient under two names; check the unit column"
        ));
    }
    let shape = Shape {
        records: records.rows as u64,
        units: units.names.len() as u64,
        features: encoded.width as u32,
        classes: records.label.names.len() as u32,
        attributes: attributes.len() as u32,
    };
    let description = Description {
        label: schema.label().to_owned(),
        unit: schema.unit().map(str::to_owned),
        class_names: records.label.names.clone(),
        feature_names: encoded.names,
        attributes: records.groups.iter().map(|(name, coded)| (name.clone(), coded.names.clone())).collect(),
        columns: encoded.columns,
    };
    let description = serde_json::to_vec(&description).expect("names and finite numbers are always JSON");
    if description.len() as u64 > MAX_DESCRIPTION {
        problems.whole("the names of columns and levels are too long for one data set: ignore columns");
        return Err(problems.into_error());
    }
    let attributes = attributes.concat();
    let digests: Vec<u8> = units.names.iter().flat_map(|name| *unit_digest(name).as_bytes()).collect();
    let source_rows: Vec<u64> = order.iter().map(|&row| u64::from(row)).collect();
    let sections = Sections {
        features: stored(&encoded.features),
        labels: stored(&labels),
        record_units: stored(&record_units),
        unit_names: &TextList::write(units.names.iter().map(String::as_str)),
        unit_digests: &digests,
        attributes: stored(&attributes),
        source_rows: stored(&source_rows),
        description: &description,
    };
    let bytes = layout::write(&shape, &sections);
    let layout = Layout::check(&bytes).expect("what was just written within the limits can be read");
    let mut class_counts = vec![0; shape.classes as usize];
    labels.iter().for_each(|&label| class_counts[label as usize] += 1);
    Ok(Imported { digest: layout.digest, shape: shape.public(), class_counts, warnings, bytes })
}
