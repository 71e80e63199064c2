//! What columns say of records, by role: labels, unit, attributes, features.

use umbra_core::digest::Digest;

use crate::layout::MISSING;
use crate::refusal::Problems;
use crate::roles::{Feature, Roles};
use crate::several;
use crate::table::{Cells, Coded, Column, and_more, shown};

/// The records of a table, in the order of its rows.
pub(crate) struct Records {
    pub rows: usize,
    pub target: Target,
    pub unit: Option<Coded>,
    pub groups: Vec<(String, Coded)>,
    pub features: Vec<FeatureColumn>,
    /// Of images and signals the digest of every record's numbers.
    pub values: Option<Vec<Digest>>,
}

/// What is learned.
pub(crate) enum Target {
    /// One class a record.
    Class(Coded),
    /// Several labels, `[rows][names]`: 1, 0, or [`UNKNOWN`].
    Several { names: Vec<String>, labels: Vec<u8> },
}

/// One column that becomes features.
pub(crate) struct FeatureColumn {
    pub name: String,
    pub data: FeatureData,
}

/// Its cells.
pub(crate) enum FeatureData {
    /// Finite, or `NaN` where missing.
    Numbers(Vec<f64>),
    Levels(Coded),
}

const IGNORE: &str = "ignore the column, or declare it \"numeric\" under [columns]";

impl Records {
    /// Takes the records from the columns. Notes missing labels and units, too many levels, cells that are
    /// no numbers.
    pub(crate) fn collect(rows: usize, roles: &Roles<'_>, problems: &mut Problems) -> Self {
        let target = match roles.labels[..] {
            [column] => {
                let remedy = "a label has few classes: name another column, or join classes";
                let label = column.levels("the label", remedy, problems);
                check_label(column, &label, problems);
                Target::Class(label)
            }
            _ => several::labels(rows, &roles.labels, problems),
        };
        let unit = roles.unit.map(|column| {
            let unit = column.coded(problems);
            check_unit(column, &unit, problems);
            unit
        });
        let group = |column: &&Column| {
            let remedy = "make bands of it, or take it out of groups";
            (column.name.clone(), column.levels("a group", remedy, problems))
        };
        let groups = roles.groups.iter().map(group).collect();
        let features = roles.features.iter().map(|feature| Self::feature(feature, problems)).collect();
        Self { rows, target, unit, groups, features, values: None }
    }

    fn feature(feature: &Feature<'_>, problems: &mut Problems) -> FeatureColumn {
        let column = feature.column;
        let data = if feature.numeric {
            FeatureData::Numbers(column.numbers(problems))
        } else {
            FeatureData::Levels(column.levels("a categorical column", IGNORE, problems))
        };
        FeatureColumn { name: column.name.clone(), data }
    }
}

fn check_label(column: &Column, label: &Coded, problems: &mut Problems) {
    if let Some((row, more)) = missing(label) {
        let message = format!("the label is missing{}: fill it in, or drop the row", and_more(more));
        problems.cell(&column.name, row, message);
    } else if let [only] = &label.names[..] {
        let message = format!(
            "every row has the label {}: an audit needs at least two classes, name another column",
            shown(only)
        );
        problems.column(&column.name, message);
    }
}

fn check_unit(column: &Column, unit: &Coded, problems: &mut Problems) {
    if let Some((row, more)) = missing(unit) {
        let message = format!(
            "the unit is missing{}: fill it in or drop the row, or leave `unit` out of the schema if every \
             row is its own unit",
            and_more(more)
        );
        problems.cell(&column.name, row, message);
    }
    // From 2^53 on, neighbouring whole numbers are the same floating-point number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Cells::Reals(values) = &column.cells
        && let Some(row) = values.iter().position(|value| value.abs() >= EXACT)
    {
        let message = "an identifier stored as a floating-point number this large is not exact: save the \
                       column as whole numbers or text";
        problems.cell(&column.name, row as u64 + 1, message);
    }
}

/// The first row without a value, and how many more there are.
fn missing(coded: &Coded) -> Option<(u64, u64)> {
    let first = coded.codes.iter().position(|&code| code == MISSING)?;
    let all = coded.codes.iter().filter(|&&code| code == MISSING).count();
    Some((first as u64 + 1, all as u64 - 1))
}
