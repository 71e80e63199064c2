//! Units: their names, digests and attributes.

use std::collections::HashMap;

use umbra_core::digest::{Digest, FieldHasher};

use crate::labels::UNKNOWN;
use crate::layout::MISSING;
use crate::records::{FeatureData, Records, Target};
use crate::table::Coded;

/// The digest of a unit's name, which membership is drawn from: the SHA-256 of the name's UTF-8 text.
pub fn unit_digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// The units of a table, in canonical order.
pub(crate) struct Units {
    pub names: Vec<String>,
    /// The unit of every row.
    pub of_row: Vec<u32>,
}

/// Names the units: by the unit column, or each record by its content.
pub(crate) fn name_units(records: &Records) -> Units {
    match &records.unit {
        Some(unit) => Units { names: unit.names.clone(), of_row: unit.codes.clone() },
        None => name_by_content(records),
    }
}

/// An attribute of all units.
pub(crate) struct Attribute {
    /// Of every unit the code of its value, or [`MISSING`].
    pub values: Vec<u32>,
    /// Units whose records have several values.
    pub varying: usize,
}

/// The attributes of all units: the value that most of the unit's records have, of equally many the first by name;
/// a missing value counts where there is no other.
pub(crate) fn attributes(records: &Records, units: &Units) -> Vec<Attribute> {
    records.groups.iter().map(|(_, coded)| attribute(coded, units)).collect()
}

fn attribute(coded: &Coded, units: &Units) -> Attribute {
    let mut values = vec![MISSING; units.names.len()];
    let mut varying = vec![false; units.names.len()];
    let rows = || units.of_row.iter().map(|&unit| unit as usize).zip(coded.codes.iter().copied());
    for (unit, code) in rows().filter(|&(_, code)| code != MISSING) {
        let value = &mut values[unit];
        if *value == MISSING {
            *value = code;
        }
        varying[unit] |= *value != code;
    }
    let mut found: Vec<(usize, u32)> =
        rows().filter(|&(unit, code)| code != MISSING && varying[unit]).collect();
    found.sort_unstable();
    for of_unit in found.chunk_by(|a, b| a.0 == b.0) {
        let runs = of_unit.chunk_by(|a, b| a.1 == b.1);
        let name = |code: u32| &coded.names[code as usize];
        let most = runs.max_by(|a, b| a.len().cmp(&b.len()).then_with(|| name(b[0].1).cmp(name(a[0].1))));
        if let Some(&[(unit, code), ..]) = most {
            values[unit] = code;
        }
    }
    Attribute { values, varying: varying.into_iter().filter(|&varying| varying).count() }
}

/// Names every record by the first 96 bits of its content's digest and, among records of the same content,
/// a number: never by its position, so that appended, dropped or shuffled rows leave other names alone.
fn name_by_content(records: &Records) -> Units {
    let digests = content_digests(records);
    let mut rows: Vec<u32> = (0..records.rows as u32).collect();
    rows.sort_by_key(|&row| digests[row as usize]);
    let mut names = Vec::with_capacity(records.rows);
    let mut of_row = vec![0; records.rows];
    let mut occurrences: HashMap<[u8; 12], u32> = HashMap::new();
    for (unit, &row) in rows.iter().enumerate() {
        let digest = digests[row as usize];
        let stem: [u8; 12] = digest.as_bytes()[..12].try_into().expect("a digest has 32 bytes");
        let occurrence = occurrences.entry(stem).or_insert(0);
        *occurrence += 1;
        names.push(format!("{}-{occurrence}", &digest.to_string()[..24]));
        of_row[row as usize] = unit as u32;
    }
    Units { names, of_row }
}

/// A digest of every record's content: label, groups and features with their columns' names, in the order
/// of the names.
fn content_digests(records: &Records) -> Vec<Digest> {
    enum Part<'r> {
        Numbers(&'r [f64]),
        Names(&'r Coded),
        /// One of several labels: all of them, how many a record, which.
        Label(&'r [u8], usize, usize),
        Values(&'r [Digest]),
    }
    let labels: Vec<_> = match &records.target {
        Target::Class(label) => vec![("label".to_owned(), Part::Names(label))],
        Target::Several { names, labels } => {
            let part = |i| Part::Label(labels, names.len(), i);
            names.iter().enumerate().map(|(i, name)| (format!("label {name}"), part(i))).collect()
        }
    };
    let groups = records.groups.iter().map(|(name, coded)| (format!("group {name}"), Part::Names(coded)));
    let features = records.features.iter().map(|feature| {
        let part = match &feature.data {
            FeatureData::Numbers(values) => Part::Numbers(values),
            FeatureData::Levels(coded) => Part::Names(coded),
        };
        (format!("feature {}", feature.name), part)
    });
    let values = records.values.iter().map(|digests| ("values".to_owned(), Part::Values(digests)));
    let mut parts: Vec<_> = labels.into_iter().chain(groups).chain(features).chain(values).collect();
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    let digest = |row: usize| {
        let mut hasher = FieldHasher::new("umbra record");
        for (name, part) in &parts {
            match part {
                Part::Numbers(values) if values[row].is_nan() => {}
                Part::Numbers(values) => hasher.put_f64(name, values[row]),
                Part::Names(coded) if coded.codes[row] == MISSING => {}
                Part::Names(coded) => hasher.put(name, coded.names[coded.codes[row] as usize].as_bytes()),
                Part::Label(labels, count, i) => match labels[row * count + i] {
                    UNKNOWN => {}
                    label => hasher.put(name, &[label]),
                },
                Part::Values(digests) => hasher.put(name, digests[row].as_bytes()),
            }
        }
        hasher.finish()
    };
    (0..records.rows).map(digest).collect()
}
