//! From data and their schema to an encoded data set.

use std::path::Path;

use bytes::Bytes;
use umbra_core::digest::Digest;
use umbra_core::shape::DataShape;

use crate::arrange::Arranged;
use crate::records::Records;
use crate::refusal::{ImportError, Problems};
use crate::schema::{Schema, Source};
use crate::{array, assemble, encoder, images, roles, table_file, wfdb};

/// A data set that was encoded.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The encoded file: write it with [`crate::write_atomically`], or open it with
    /// [`crate::Dataset::from_bytes`]. Of arrays, images and signals it is mapped from a file without a name
    /// in the folder for temporary files, which is gone when nobody holds the bytes any more.
    pub bytes: Bytes,
    /// The digest of its content: the same for the same records in any order.
    pub digest: Digest,
    /// Records, units, features and classes, and how they lie.
    pub shape: DataShape,
    /// Records of every class; of several labels, the records for which each holds.
    pub class_counts: Vec<u64>,
    /// What a person should look at, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads what a schema describes, checks it and encodes it: a Parquet or CSV table, an NPZ or NPY file, or
/// the manifest of images or WFDB records.
///
/// # Errors
/// [`ImportError::Io`] if a file cannot be read; [`ImportError::Refused`] with every mistake found.
pub fn import(path: impl AsRef<Path>, schema: &Schema) -> Result<Imported, ImportError> {
    let path = path.as_ref();
    let problems = Problems::new(&path.display().to_string());
    match &schema.source {
        Source::Table => table(path, schema, problems),
        Source::Array(keys) => array::import(path, keys, schema, problems),
        Source::Images(keys) => images::import(path, keys, schema, problems),
        Source::Wfdb(keys) => wfdb::import(path, keys, schema, problems),
    }
}

fn table(path: &Path, schema: &Schema, mut problems: Problems) -> Result<Imported, ImportError> {
    let Some(table) = table_file::read(path, schema, &mut problems)? else {
        return Err(problems.into_error());
    };
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
    let mut warnings = Vec::new();
    let arranged = Arranged::of(records);
    let encoded = encoder::encode(&arranged.records, &arranged.order, &mut warnings, &mut problems);
    let Some(encoded) = encoded else { return Err(problems.into_error()) };
    problems.check()?;
    assemble::table(&arranged, encoded, schema, warnings, problems)
}
