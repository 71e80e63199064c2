//! Arrays, images and signals from files to encoded data sets.
// A test fails by panicking.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod arrays;
mod files;
mod gathers;
mod hostile_arrays;
mod hostile_files;
mod outside;
mod real;

use std::path::Path;

use umbra_data::{Dataset, ImportError, Imported, Schema};

/// Imports a file with a schema that lies beside it.
fn import(path: &Path, schema: &str) -> Result<Imported, ImportError> {
    let beside = path.with_file_name("S.toml");
    let schema = Schema::parse(schema, &beside.display().to_string());
    umbra_data::import(path, &schema.unwrap_or_else(|mistakes| panic!("{}", mistakes.in_file("S.toml"))))
}

/// The refusals of an import, without the folder's name.
fn refused(path: &Path, schema: &str) -> String {
    let error = import(path, schema).map(|set| set.shape).unwrap_err().to_string();
    error.replace(&format!("{}/", path.parent().unwrap().display()), "")
}

fn open(imported: &Imported) -> Dataset {
    let dataset = Dataset::from_bytes(imported.bytes.clone()).unwrap();
    dataset.verify().unwrap();
    dataset
}
