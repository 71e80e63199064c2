//! `records.parquet` and `patients.parquet`.

use std::path::Path;

use umbra_stats::{Analysis, Attribute};

use super::error::ReportError;
use super::output::FindingsFile;
use super::parquet::{self, Column, Values};
use super::subject::Rows;

/// One row per record: record, unit, label, the groups, auc, binormal_auc, mean_in, mean_out, sd_in,
/// sd_out, n_in, n_out.
pub(super) fn write_records<'a>(
    dir: &Path,
    rows: &Rows<'a>,
    analysis: &'a Analysis,
) -> Result<FindingsFile, ReportError> {
    let table = &analysis.records;
    let (units, classes) = (rows.unit_names, rows.class_names);
    let head = vec![
        Column::new("record", Values::Row(rows.source_rows)),
        Column::new("unit", Values::Text(Box::new(|row| &units[table.unit[row] as usize]))),
        Column::new("label", Values::Text(Box::new(|row| &classes[table.label[row] as usize]))),
    ];
    let tail = vec![
        Column::new("auc", Values::Number(&table.auc)),
        Column::new("binormal_auc", Values::Number(&table.binormal_auc)),
        Column::new("mean_in", Values::Number(&table.mean_in)),
        Column::new("mean_out", Values::Number(&table.mean_out)),
        Column::new("sd_in", Values::Number(&table.sd_in)),
        Column::new("sd_out", Values::Number(&table.sd_out)),
        Column::new("n_in", Values::Count(&table.n_in)),
        Column::new("n_out", Values::Count(&table.n_out)),
    ];
    let columns = with_groups(head, tail, rows.attributes, &table.unit);
    parquet::write(dir, "records.parquet", table.unit.len(), &columns)
}

/// One row per unit: unit, records, the groups, auc, p, q, detected, auc_lower.
pub(super) fn write_patients<'a>(
    dir: &Path,
    rows: &Rows<'a>,
    analysis: &'a Analysis,
) -> Result<FindingsFile, ReportError> {
    let table = &analysis.patients;
    let units = rows.unit_names;
    let head = vec![
        Column::new("unit", Values::Text(Box::new(|row| &units[table.unit[row] as usize]))),
        Column::new("records", Values::Count(&table.records)),
    ];
    let tail = vec![
        Column::new("auc", Values::Number(&table.auc)),
        Column::new("p", Values::Number(&table.p)),
        Column::new("q", Values::Number(&table.q)),
        Column::new("detected", Values::Flag(&table.detected)),
        Column::new("auc_lower", Values::Number(&table.auc_lower)),
    ];
    let columns = with_groups(head, tail, rows.attributes, &table.unit);
    parquet::write(dir, "patients.parquet", table.unit.len(), &columns)
}

/// Puts the groups between head and tail, named after their attributes; an attribute whose name is taken
/// gets `_group` appended until it is free.
fn with_groups<'a>(
    mut columns: Vec<Column<'a>>,
    tail: Vec<Column<'a>>,
    attributes: &'a [Attribute],
    units: &'a [u32],
) -> Vec<Column<'a>> {
    for attribute in attributes {
        let mut name = attribute.name.clone();
        while columns.iter().chain(&tail).any(|column| column.name == name) {
            name.push_str("_group");
        }
        let level = move |row: usize| {
            let level = attribute.values[units[row] as usize]?;
            Some(attribute.levels[level as usize].as_str())
        };
        columns.push(Column::new(name, Values::OptionalText(Box::new(level))));
    }
    columns.extend(tail);
    columns
}
