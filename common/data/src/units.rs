//! Units: their names, digests and attributes.

use std::collections::HashMap;

use umbra_core::digest::{Digest, FieldHasher};

use crate::labels::UNKNOWN;
use crate::layout::MISSING;
use crate::records::{FeatureData, Records, Target};
use crate::refusal::Problems;
use crate::table::{Coded, shown};

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

/// The attributes of all units, `[groups][units]`: the value of the unit's records, which must be one
/// where it is not missing.
pub(crate) fn attributes(records: &Records, units: &Units, problems: &mut Problems) -> Vec<Vec<u32>> {
    let groups = records.groups.iter().map(|(name, coded)| attribute(name, coded, units, problems));
    groups.collect()
}

fn attribute(name: &str, coded: &Coded, units: &Units, problems: &mut Problems) -> Vec<u32> {
    let mut values = vec![MISSING; units.names.len()];
    let mut first_rows = vec![0usize; units.names.len()];
    let (mut conflict, mut more) = (None, 0u64);
    for (row, (&unit, &code)) in units.of_row.iter().zip(&coded.codes).enumerate() {
        let unit = unit as usize;
        if code == MISSING || values[unit] == code {
            continue;
        }
        if values[unit] == MISSING {
            (values[unit], first_rows[unit]) = (code, row);
        } else if conflict.is_none() {
            conflict = Some((row, unit, code));
        } else {
            more += 1;
        }
    }
    if let Some((row, unit, code)) = conflict {
        let rows = match more {
            0 => String::new(),
            1 => " (and 1 more row like it)".to_owned(),
            _ => format!(" (and {more} more rows like it)"),
        };
        let message = format!(
            "unit {} is {} here but {} in row {}{rows}: make the group one per unit, or take it out of groups",
            shown(&units.names[unit]),
            shown(&coded.names[code as usize]),
            shown(&coded.names[values[unit] as usize]),
            first_rows[unit] + 1
        );
        problems.cell(name, row as u64 + 1, message);
    }
    values
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
