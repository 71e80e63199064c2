//! `records.parquet` and `patients.parquet`.

use std::path::Path;

use umbra_stats::{Analysis, Attribute, RecordTable};

use super::error::ReportError;
use super::output::FindingsFile;
use super::parquet::{self, Column, GROUP, TableFile, Values};
use super::subject::{Rows, expect};

/// `records.parquet`, one row per record: record, unit, label, the groups, auc, binormal_auc, mean_in,
/// mean_out, sd_in, sd_out, n_in, n_out. It is written while the rows come, a row group at a time.
pub(super) struct RecordsFile<'a> {
    rows: Rows<'a>,
    file: TableFile,
    /// Rows written.
    written: usize,
    /// Rows that wait for their group to be complete.
    waiting: RecordTable,
}

impl<'a> RecordsFile<'a> {
    pub fn create(dir: &Path, rows: Rows<'a>) -> Result<Self, ReportError> {
        let none = RecordTable::default();
        let file = TableFile::create(dir, "records.parquet", &record_columns(&rows, 0, &none))?;
        Ok(Self { rows, file, written: 0, waiting: none })
    }

    /// Takes the rows from record `first` on.
    pub fn take(&mut self, first: usize, table: &RecordTable) -> Result<(), ReportError> {
        let (expected, end) = (self.written + self.waiting.len(), first + table.len());
        let named = self.rows.source_rows.len();
        expect(first == expected && end <= named, || {
            format!("records {first} to {end} where {expected} was next, names of {named}")
        })?;
        let in_range = |what: &str, values: &[u32], end: usize| {
            let wrong = values.iter().find(|&&value| value as usize >= end);
            expect(wrong.is_none(), || format!("a record of {what} {}, names of {end}", wrong.unwrap_or(&0)))
        };
        in_range("unit", &table.unit, self.rows.unit_names.len())?;
        in_range("label", &table.label, self.rows.class_names.len())?;
        let mut next = 0;
        while next < table.len() {
            let end = table.len().min(next + GROUP - self.waiting.len());
            self.waiting.extend(table, next..end);
            next = end;
            if self.waiting.len() == GROUP {
                self.write()?;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), ReportError> {
        let rows = self.waiting.len();
        self.file.group(rows, &record_columns(&self.rows, self.written, &self.waiting))?;
        self.written += rows;
        self.waiting = RecordTable::default();
        Ok(())
    }

    pub fn commit(mut self) -> Result<FindingsFile, ReportError> {
        if !self.waiting.is_empty() {
            self.write()?;
        }
        let (found, named) = (self.written, self.rows.source_rows.len());
        expect(found == named, || format!("{found} records, names of {named}"))?;
        self.file.commit()
    }
}

/// The columns of the rows from record `first` on.
fn record_columns<'a>(rows: &Rows<'a>, first: usize, table: &'a RecordTable) -> Vec<Column<'a>> {
    let (units, classes) = (rows.unit_names, rows.class_names);
    let head = vec![
        Column::new("record", Values::Row(&rows.source_rows[first..first + table.len()])),
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
    with_groups(head, tail, rows.attributes, &table.unit)
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
