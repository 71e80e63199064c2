//! Data with files beside them: a schema, lines `---`, and the contents of the files.

use std::fs;
use std::path::Path;

use umbra_data::{Dataset, Schema, import};

const LINE: &[u8] = b"\n---\n";

/// A schema and an NPZ or NPY file.
pub fn array(bytes: &[u8]) {
    read(bytes, ["S.toml", "a.npz"]);
}

/// A schema, a manifest that may name `a.png`, and that file.
pub fn images(bytes: &[u8]) {
    read(bytes, ["S.toml", "m.csv", "a.png"]);
}

/// A schema, a manifest that may name the record `a`, its header and its samples.
pub fn wfdb(bytes: &[u8]) {
    read(bytes, ["S.toml", "m.csv", "a.hea", "a.dat"]);
}

/// Writes the parts as files of these names, and imports the second as the first says: what is imported opens
/// and is sound.
fn read<const N: usize>(bytes: &[u8], names: [&str; N]) {
    let Some(parts) = parts::<N>(bytes) else { return };
    let Ok(text) = std::str::from_utf8(parts[0]) else { return };
    let folder = tempfile::tempdir().expect("there is a folder for them");
    let path = |name: &str| folder.path().join(name);
    let Ok(schema) = Schema::parse(text, &path(names[0]).display().to_string()) else { return };
    for (name, part) in names.iter().zip(parts) {
        fs::write(path(name), part).expect("there is room for small files");
    }
    check(&path(names[1]), &schema);
}

fn check(path: &Path, schema: &Schema) {
    match import(path, schema) {
        Ok(imported) => {
            let dataset = Dataset::from_bytes(imported.bytes).expect("what was encoded opens");
            dataset.verify().expect("what was encoded is sound");
            assert_eq!(dataset.digest(), imported.digest);
            let mut row = vec![0.0; dataset.shape().features as usize];
            dataset.gather(&[dataset.shape().records as u32 - 1], &mut row);
            assert!(row.iter().all(|x| x.is_finite()), "what is gathered is finite");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal says why"),
    }
}

/// The parts between lines; the last is what remains.
fn parts<const N: usize>(bytes: &[u8]) -> Option<[&[u8]; N]> {
    let mut rest = bytes;
    let mut parts = [bytes; N];
    for part in &mut parts[..N - 1] {
        let at = rest.windows(LINE.len()).position(|window| window == LINE)?;
        *part = &rest[..at];
        rest = &rest[at + LINE.len()..];
    }
    parts[N - 1] = rest;
    Some(parts)
}
