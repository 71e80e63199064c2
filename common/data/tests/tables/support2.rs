//! The bundled set, end to end, against pandas and numpy (`reference/support2.py`).

use std::collections::BTreeMap;

use serde::Deserialize;
use umbra_core::digest::Digest;
use umbra_data::{Dataset, Encoding, Schema, import, write_atomically};

use crate::{bundled, reference};

#[derive(Deserialize)]
struct Reference {
    made_with: String,
    records: u64,
    units: u64,
    class_counts: Vec<u64>,
    missing: BTreeMap<String, usize>,
    feature_names: Vec<String>,
    groups: BTreeMap<String, BTreeMap<String, usize>>,
    column_sums_of_squares: Vec<f64>,
    rows: BTreeMap<String, Vec<f64>>,
    labels: BTreeMap<String, u32>,
}

#[test]
fn the_bundled_set_is_encoded_as_numpy_does_it() {
    let expected: Reference =
        serde_json::from_str(&std::fs::read_to_string(reference("support2.json")).unwrap()).unwrap();
    println!("reference made with {}", expected.made_with);
    let text = std::fs::read_to_string(bundled("support2.schema.toml")).unwrap();
    let schema = Schema::parse(&text, "support2.schema.toml").unwrap();
    let imported = import(bundled("support2.parquet"), &schema).unwrap();
    assert!(imported.warnings.is_empty(), "{:?}", imported.warnings);
    assert_eq!(imported.class_counts, expected.class_counts);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    write_atomically(&path, &imported.bytes).unwrap();
    let set = Dataset::open(&path).unwrap();
    set.verify().unwrap();
    let shape = set.shape();
    assert_eq!((shape, set.digest()), (imported.shape, imported.digest));
    assert_eq!((shape.records, shape.units, shape.classes), (expected.records, expected.units, 2));
    assert_eq!(set.class_names(), ["0", "1"]);
    assert_eq!(set.feature_names(), expected.feature_names);
    // The datasheet: 46.8 % died.
    let labels = set.labels().classes().unwrap();
    let died = labels.iter().filter(|&&label| label == 1).count();
    assert_eq!((died as f64 / shape.records as f64 * 1000.0).round(), 468.0);

    let width = shape.features as usize;
    let mut row = vec![0.0; width];
    for (unit, values) in &expected.rows {
        let unit_index = set.unit_names().position(|name| name == unit).unwrap() as u32;
        let records = set.unit_records(unit_index);
        assert_eq!(records.len(), 1);
        set.gather(&[records.start as u32], &mut row);
        for ((&found, &value), name) in row.iter().zip(values).zip(set.feature_names()) {
            assert!(
                (f64::from(found) - value).abs() <= 1e-6 * value.abs().max(1.0),
                "{unit} {name}: {found}"
            );
        }
        assert_eq!(labels[records.start], expected.labels[unit], "{unit}");
        // Rows are numbered from 1, patients of this set from 0.
        assert_eq!(set.source_rows()[records.start], unit.parse::<u64>().unwrap());
    }
    for (i, &expected) in expected.column_sums_of_squares.iter().enumerate() {
        let found: f64 = set.features().chunks_exact(width).map(|row| f64::from(row[i]).powi(2)).sum();
        assert!((found - expected).abs() <= 1e-5 * expected, "{}: {found}", set.feature_names()[i]);
    }
    for (i, name) in set.feature_names().iter().enumerate() {
        if let Some(column) = name.strip_suffix(" missing") {
            let ones = set.features().chunks_exact(width).filter(|row| row[i] == 1.0).count();
            assert_eq!(ones, expected.missing[column], "{name}");
        }
    }
    let columns = &set.description().columns;
    let numeric = |encoding: &Encoding| matches!(encoding, Encoding::Numeric { .. });
    assert_eq!(columns.iter().filter(|column| numeric(&column.encoding)).count(), 23);
    assert_eq!(columns.iter().filter(|column| !numeric(&column.encoding)).count(), 6);
}

#[test]
fn the_bundled_set_has_its_units_and_attributes() {
    let expected: Reference =
        serde_json::from_str(&std::fs::read_to_string(reference("support2.json")).unwrap()).unwrap();
    let text = std::fs::read_to_string(bundled("support2.schema.toml")).unwrap();
    let schema = Schema::parse(&text, "support2.schema.toml").unwrap();
    let imported = import(bundled("support2.parquet"), &schema).unwrap();
    let set = crate::open(&imported);
    let attributes = set.attributes();
    let names: Vec<_> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(names, ["sex", "race", "income", "dzgroup"]);
    for attribute in &attributes {
        let mut counts = BTreeMap::new();
        for value in &attribute.values {
            *counts.entry(attribute.levels[value.unwrap() as usize].clone()).or_insert(0) += 1;
        }
        assert_eq!(counts, expected.groups[&attribute.name], "{}", attribute.name);
    }
    // A unit's digest is the SHA-256 of its name: printf 0 | sha256sum.
    assert_eq!(set.unit_name(0), "0");
    let of_zero = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9";
    assert_eq!(set.unit_digests().next(), of_zero.parse::<Digest>().ok());
    assert_eq!(set.unit_name(9104), "9104");
}
