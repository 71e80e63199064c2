//! Files that programs write.

use std::io::Write as _;

use bytes::Bytes;
use tempfile::NamedTempFile;
use umbra_data::logits::LogitsReader;
use umbra_data::npy::{Kind, NpyError, NpyFile};
use umbra_data::{Dataset, Schema, import as import_table};

/// Values that are read of one file: enough for every branch.
const MOST: usize = 1 << 16;

/// Bytes as a file. Its name ends like that of a table without a signature, so that no reader is kept out
/// by the name.
fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().expect("there is a folder for them");
    file.write_all(bytes).expect("there is room for one small file");
    file
}

/// An NPY file, read as whatever it says it holds.
pub fn npy(bytes: &[u8]) {
    let file = file(bytes);
    let Ok(npy) = NpyFile::open(file.path()) else { return };
    let dtype = npy.dtype();
    let items: usize = npy.shape().iter().product();
    assert!(items * dtype.size <= bytes.len(), "the array fills the file");
    if dtype.is_text() {
        let _ = npy.for_each_text(|place, _| {
            assert!(place < items);
            Ok::<_, NpyError>(())
        });
    }
    if dtype.is_integer() {
        let _ = npy.for_each_integer(|place, number| {
            assert!(place < items);
            drop(npy.spell(number));
            Ok(())
        });
    }
    let (Some(&first), Some(&second)) = (npy.shape().first(), npy.shape().get(1)) else { return };
    let rest: usize = npy.shape()[2..].iter().product();
    let range = second / 3..second;
    let part = first * range.len() * rest;
    if part > MOST {
        return;
    }
    if dtype.kind == Kind::Float {
        npy.read_floats(range.clone(), &mut Vec::new(), &mut vec![0f64; part]).expect("the array is there");
        npy.read_floats(range.clone(), &mut Vec::new(), &mut vec![0f32; part]).expect("the array is there");
    }
    if dtype.size == 1 {
        npy.read_bytes(range, &mut Vec::new(), &mut vec![0; part]).expect("the array is there");
    }
}

/// A schema, a line `---`, and a Parquet or CSV table: what is imported opens and is sound.
pub fn import(bytes: &[u8]) {
    const LINE: &[u8] = b"\n---\n";
    let Some(at) = bytes.windows(LINE.len()).position(|window| window == LINE) else { return };
    let Ok(text) = std::str::from_utf8(&bytes[..at]) else { return };
    let Ok(schema) = Schema::parse(text, "SCHEMA.toml") else { return };
    let file = file(&bytes[at + LINE.len()..]);
    match import_table(file.path(), &schema) {
        Ok(imported) => {
            let dataset = Dataset::from_bytes(imported.bytes).expect("what was encoded opens");
            dataset.verify().expect("what was encoded is sound");
            assert_eq!(dataset.digest(), imported.digest);
        }
        Err(error) => drop(error.to_string()),
    }
}

/// An encoded data set: if it is sound, all that it holds can be read.
pub fn dataset(bytes: &[u8]) {
    let Ok(dataset) = Dataset::from_bytes(Bytes::copy_from_slice(bytes)) else { return };
    if dataset.verify().is_err() {
        return;
    }
    let shape = dataset.shape();
    assert_eq!(dataset.labels().records() as u64, shape.records);
    assert!(dataset.record_units().iter().all(|&unit| u64::from(unit) < shape.units));
    assert_eq!(dataset.unit_names().count() as u64, shape.units);
    let of_units = (0..shape.units as u32).map(|unit| dataset.unit_records(unit).len());
    assert_eq!(of_units.sum::<usize>() as u64, shape.records);
    for attribute in dataset.attributes() {
        assert!(attribute.values.iter().flatten().all(|&level| (level as usize) < attribute.levels.len()));
    }
}

/// The logits of a pack.
pub fn logits(bytes: &[u8]) {
    let Ok(reader) = LogitsReader::from_bytes(Bytes::copy_from_slice(bytes)) else { return };
    let header = reader.header();
    let (row, records) = (header.row(), header.records);
    let count = records.min((MOST / row) as u64);
    let mut values = vec![0.0; count as usize * row];
    let _ = reader.read(0..count, &mut values);
    let _ = reader.read(records - count..records, &mut values);
}
