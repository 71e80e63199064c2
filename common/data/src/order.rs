//! The canonical order of records: by unit, then by content; never by position.

use std::cmp::Ordering;

use crate::records::{FeatureData, Records, Target};
use crate::units::Units;

/// The rows in canonical order. Rows that compare equal have equal contents, so that any order of the file
/// gives the same sequence of contents.
pub(crate) fn canonical(records: &Records, units: &Units) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..records.rows as u32).collect();
    rows.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        units.of_row[a].cmp(&units.of_row[b]).then_with(|| content(records, a, b))
    });
    rows
}

/// Compares what is encoded of two records: labels and features, missing numbers last.
fn content(records: &Records, a: usize, b: usize) -> Ordering {
    let mut order = match &records.target {
        Target::Class(label) => label.codes[a].cmp(&label.codes[b]),
        Target::Several { names, labels } => {
            let of = |row: usize| &labels[row * names.len()..][..names.len()];
            of(a).cmp(of(b))
        }
    };
    for feature in &records.features {
        order = order.then_with(|| match &feature.data {
            // Missing ones are all the same NaN, and -0.0 does not occur.
            FeatureData::Numbers(values) => values[a].total_cmp(&values[b]),
            FeatureData::Levels(coded) => coded.codes[a].cmp(&coded.codes[b]),
        });
        if order.is_ne() {
            break;
        }
    }
    // The numbers of images and signals by their digest.
    order.then_with(|| records.values.as_ref().map_or(Ordering::Equal, |digests| digests[a].cmp(&digests[b])))
}
