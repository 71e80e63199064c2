//! Tables from files to encoded data sets and back.
// A test fails by panicking.
#![allow(clippy::unwrap_used)]

mod formats;
mod hostile;
mod order;
mod outside;
mod refusals;
mod support2;

use std::path::{Path, PathBuf};

use umbra_data::{Dataset, ImportError, Imported, Schema};

/// A file beside the tests.
fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

/// A file of the bundled data.
fn bundled(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

fn schema(text: &str) -> Schema {
    let result = Schema::parse(text, "S.toml");
    result.unwrap_or_else(|mistakes| panic!("{}", mistakes.in_file("S.toml")))
}

/// Imports a CSV text.
fn import_csv(text: &[u8], schema: &Schema) -> Result<Imported, ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    umbra_data::import(&path, schema)
}

fn open(imported: &Imported) -> Dataset {
    let dataset = Dataset::from_bytes(imported.bytes.clone()).unwrap();
    dataset.verify().unwrap();
    dataset
}
