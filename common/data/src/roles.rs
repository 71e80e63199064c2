//! Which column of the table at hand plays which role.

use std::collections::BTreeSet;

use umbra_core::document::closest;

use crate::refusal::Problems;
use crate::schema::{ColumnKind, DatasetKind, Named, Schema};
use crate::table::{Cells, Column, Table, shown};

/// The columns by role.
pub(crate) struct Roles<'t> {
    pub labels: Vec<&'t Column>,
    pub unit: Option<&'t Column>,
    pub groups: Vec<&'t Column>,
    pub features: Vec<Feature<'t>>,
}

/// A column that becomes features.
pub(crate) struct Feature<'t> {
    pub column: &'t Column,
    pub numeric: bool,
}

/// Finds the columns that the schema names, and what the others are. Notes columns that are not there,
/// names that are not unique, and columns whose kind is unclear.
pub(crate) fn resolve<'t>(schema: &Schema, table: &'t Table, problems: &mut Problems) -> Option<Roles<'t>> {
    check_names(schema, table, problems);
    let find = |name: &str| table.columns.iter().find(|column| column.name == name);
    let group_only = |name: &str| schema.group_only.iter().any(|named| named.name == name);
    let is_table = schema.kind() == DatasetKind::Table;
    let mut features = Vec::new();
    for column in table.columns.iter().filter(|_| is_table) {
        let name = column.name.as_str();
        let other =
            schema.labels().any(|label| label == name) || Some(name) == schema.unit() || group_only(name);
        if other || schema.ignores(name) || matches!(column.cells, Cells::Unread) {
            continue;
        }
        let numeric = match schema.kind_of(name) {
            Some(kind) => kind == ColumnKind::Numeric,
            None => infer_numeric(column, problems),
        };
        features.push(Feature { column, numeric });
    }
    if is_table && features.is_empty() && problems.is_empty() {
        problems.whole("no column is left as a feature: ignore fewer columns");
    }
    Some(Roles {
        labels: schema.labels().map(find).collect::<Option<_>>()?,
        unit: schema.unit().and_then(find),
        groups: schema.groups().filter_map(find).collect(),
        features,
    })
}

fn check_names(schema: &Schema, table: &Table, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for column in &table.columns {
        if !names.insert(column.name.as_str()) {
            problems.column(&column.name, "two columns have this name: rename one");
        }
    }
    let mut told = BTreeSet::new();
    for named in schema.all_names() {
        if names.contains(named.name.as_str()) || !told.insert(&named.name) {
            continue;
        }
        unknown_name(named, &names.iter().copied().collect::<Vec<_>>(), schema, problems);
    }
}

/// Notes that a name in the schema is none of these.
pub(crate) fn unknown_name(named: &Named, names: &[&str], schema: &Schema, problems: &mut Problems) {
    let missing = format!("{} has no column {}", problems.file(), shown(&named.name));
    let message = match closest(&named.name, names.iter().copied()) {
        Some(meant) => format!("{missing}; did you mean \"{meant}\"?"),
        None => {
            let first: Vec<_> = names.iter().take(12).copied().collect();
            let more = if names.len() > first.len() { ", ..." } else { "" };
            format!("{missing}; it has {}{more}", first.join(", "))
        }
    };
    problems.schema(&schema.file, named.line, &named.key, message);
}

/// Numbers and booleans are numeric, texts categorical.
fn infer_numeric(column: &Column, problems: &mut Problems) -> bool {
    let Cells::Texts(texts) = &column.cells else { return true };
    if let Some(row) = texts.among_numbers {
        let text = shown(&texts.texts[texts.codes[row as usize - 1] as usize]);
        let cells = if texts.others == 1 { "1 cell".to_owned() } else { format!("{} cells", texts.others) };
        let message = format!(
            "{text} is not a number, but most cells are ({cells} of {}): leave cells empty where they are \
             missing, or declare the column \"categorical\" under [columns]",
            texts.codes.len()
        );
        problems.cell(&column.name, row, message);
    }
    false
}
