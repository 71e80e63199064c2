//! Importing a data set: the way to `umbra_data` for all commands.

use std::path::Path;

use bytes::Bytes;
use umbra_core::digest::Digest;
use umbra_core::document::MAX_BYTES;
use umbra_data::{DataShape, Schema};
use umbra_runtime::files;

use crate::audit_file::{TableFiles, stem};
use crate::exit::Failure;
use crate::output::{note, plain};

/// An encoded data set.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The encoded file.
    pub bytes: Bytes,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// The digest of the content: the same for the same rows in any order.
    pub digest: Digest,
    /// Records, units, features and classes, and how they lie.
    pub shape: DataShape,
    /// Records of every class; of several labels, the records for which each holds.
    pub class_counts: Vec<u64>,
    /// What a person should look at.
    pub warnings: Vec<String>,
}

impl Encoded {
    /// The name of a set that was given none: what the file is called, and what is in it.
    pub fn name(&self, path: &Path) -> String {
        format!("{}-{}", stem(path), self.digest.short())
    }

    /// Tells the person what they should look at.
    pub fn note_warnings(&self, path: &Path) {
        for warning in &self.warnings {
            note(&format!("umbra: warning: {}: {}", path.display(), plain(warning)));
        }
    }
}

/// Reads, checks and encodes a data set, away from the async threads.
///
/// # Errors
/// Every mistake of the schema, or of the data, one a line.
pub async fn import(table: &TableFiles) -> Result<Encoded, Failure> {
    let table = table.clone();
    let work = tokio::task::spawn_blocking(move || import_now(&table));
    work.await.map_err(|error| Failure::failed(format!("the import stopped: {error}; please report this")))?
}

fn import_now(table: &TableFiles) -> Result<Encoded, Failure> {
    let schema = read_schema(&table.schema)?;
    let imported =
        umbra_data::import(&table.path, &schema).map_err(|error| Failure::usage(error.to_string()))?;
    let bytes = imported.bytes;
    Ok(Encoded {
        sha256: Digest::of(&bytes),
        bytes,
        digest: imported.digest,
        shape: imported.shape,
        class_counts: imported.class_counts,
        warnings: imported.warnings,
    })
}

/// Reads a schema file.
///
/// # Errors
/// Every mistake in it, one a line.
pub fn read_schema(path: &Path) -> Result<Schema, Failure> {
    let bytes = files::read_bounded(path, MAX_BYTES as u64)
        .map_err(|error| Failure::usage(format!("{error}; name the schema file")))?;
    let file = path.display().to_string();
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{file} is not UTF-8 text: a schema file is TOML")))?;
    Schema::parse(&text, &file).map_err(|mistakes| Failure::usage(mistakes.in_file(&file).to_string()))
}

#[cfg(test)]
mod tests {
    use umbra_core::ids::DatasetName;

    use super::*;

    #[test]
    fn a_file_name_becomes_a_name() {
        for (path, expected) in [
            ("../tests/data/support2.parquet", "support2"),
            ("My Data.v2.csv", "my-data-v2"),
            ("--x--.csv", "x"),
            ("ärzte_1.csv", "rzte-1"),
            ("患者.csv", "table"),
            ("/", "table"),
        ] {
            assert_eq!(stem(Path::new(path)), expected);
        }
        let long = stem(Path::new(&"a".repeat(100)));
        assert!(DatasetName::try_new(format!("{long}-12345678")).is_ok());
    }
}
