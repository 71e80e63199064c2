//! `records.parquet` and `patients.parquet`, written while their rows are made.

use std::path::Path;

use umbra_runtime::files::create_private_folder;
use umbra_stats::{Attribute, PatientTable, RecordTable, Sink, SourceError};

use super::error::ReportError;
use super::exposed::MostExposed;
use super::output::FindingsFile;
use super::parquet::{Column, TableFile, Values};
use super::subject::Rows;
use super::summary::EXTRAPOLATED_KEYS;

/// Takes the rows of both tables as they come and writes them; keeps what the other files need of them.
/// Memory: one row group of each table.
///
/// The files appear on [`TableFiles::finish`]; without it nothing stays behind.
pub struct TableFiles<'a> {
    rows: Rows<'a>,
    records: TableFile,
    patients: TableFile,
    /// Records and units that have come.
    came: (usize, usize),
    gathered: Gathered,
}

/// What remains of rows that went by.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// The most exposed patients.
    pub(super) exposed: MostExposed,
}

impl<'a> TableFiles<'a> {
    /// Begins both tables in the folder `dir`, which is created if need be.
    ///
    /// # Errors
    /// If the files cannot be created, or the names contradict each other.
    pub fn create(dir: &Path, rows: Rows<'a>) -> Result<Self, ReportError> {
        rows.check()?;
        create_private_folder(dir)?;
        let (no_record, no_patient) = (RecordTable::default(), PatientTable::default());
        Ok(Self {
            rows,
            records: TableFile::create(dir, "records.parquet", &record_columns(&rows, 0, &no_record))?,
            patients: TableFile::create(dir, "patients.parquet", &patient_columns(&rows, &no_patient))?,
            came: (0, 0),
            gathered: Gathered::default(),
        })
    }

    /// Makes the tables durable and puts them in their places.
    ///
    /// # Errors
    /// If a file cannot be written, or rows are missing.
    pub fn finish(self) -> Result<(Vec<FindingsFile>, Gathered), ReportError> {
        let expected = (self.rows.source_rows.count(), self.rows.unit_names.count());
        if self.came != expected {
            let (came, expected) = (self.came, expected);
            return Err(ReportError::Mismatch(format!(
                "rows of {} records and {} units, names of {} and {}",
                came.0, came.1, expected.0, expected.1
            )));
        }
        Ok((vec![self.records.finish()?, self.patients.finish()?], self.gathered))
    }

    fn take_records(&mut self, first: usize, table: &RecordTable) -> Result<(), ReportError> {
        let count = table.unit.len();
        let end = next(first, count, self.came.0, self.rows.source_rows.count(), "record")?;
        self.rows.check_units(&table.unit)?;
        self.rows.check_classes(&table.label)?;
        self.records.push(count, &record_columns(&self.rows, first, table))?;
        self.came.0 = end;
        Ok(())
    }

    fn take_patients(&mut self, first: usize, table: &PatientTable) -> Result<(), ReportError> {
        let count = table.unit.len();
        let end = next(first, count, self.came.1, self.rows.unit_names.count(), "unit")?;
        self.rows.check_units(&table.unit)?;
        self.patients.push(count, &patient_columns(&self.rows, table))?;
        self.gathered.exposed.take(table);
        self.came.1 = end;
        Ok(())
    }
}

impl Sink for TableFiles<'_> {
    fn records(&mut self, first: usize, rows: &RecordTable) -> Result<(), SourceError> {
        self.take_records(first, rows).map_err(SourceError::new)
    }

    fn patients(&mut self, first: usize, rows: &PatientTable) -> Result<(), SourceError> {
        self.take_patients(first, rows).map_err(SourceError::new)
    }
}

/// Checks that rows follow those before them and that there are names for them; their end.
fn next(first: usize, count: usize, came: usize, names: usize, what: &str) -> Result<usize, ReportError> {
    let end = first.checked_add(count).filter(|&end| first == came && end <= names);
    end.ok_or_else(|| {
        ReportError::Mismatch(format!("{count} rows from {what} {first} on, after {came} of {names}"))
    })
}

/// One row per record: record, unit, label, the groups, the figures.
fn record_columns<'t>(rows: &Rows<'t>, first: usize, table: &'t RecordTable) -> Vec<Column<'t>> {
    let Rows { source_rows, unit_names, labels, attributes } = *rows;
    let head = vec![
        Column::new("record", Values::Row(Box::new(move |row| source_rows.of(first + row)))),
        Column::new("unit", Values::Text(Box::new(move |row| unit_names.name(table.unit[row] as usize)))),
        Column::new("label", Values::Text(Box::new(move |row| labels.of(first + row, table.label[row])))),
    ];
    let mut tail = vec![
        Column::new("auc", Values::Number(&table.auc)),
        Column::new("binormal_auc", Values::Number(&table.binormal_auc)),
        Column::new("mean_in", Values::Number(&table.mean_in)),
        Column::new("mean_out", Values::Number(&table.mean_out)),
        Column::new("sd_in", Values::Number(&table.sd_in)),
        Column::new("sd_out", Values::Number(&table.sd_out)),
        Column::new("n_in", Values::Count(&table.n_in)),
        Column::new("n_out", Values::Count(&table.n_out)),
    ];
    for (fpr, rates) in EXTRAPOLATED_KEYS.into_iter().zip(&table.extrapolated_tpr) {
        tail.push(Column::new(format!("extrapolated_tpr_{fpr}"), Values::Number(rates)));
    }
    with_groups(head, tail, attributes, &table.unit)
}

/// One row per unit: unit, records, the groups, the figures.
fn patient_columns<'t>(rows: &Rows<'t>, table: &'t PatientTable) -> Vec<Column<'t>> {
    let Rows { unit_names, attributes, .. } = *rows;
    let head = vec![
        Column::new("unit", Values::Text(Box::new(move |row| unit_names.name(table.unit[row] as usize)))),
        Column::new("records", Values::Count(&table.records)),
    ];
    let tail = vec![
        Column::new("auc", Values::Number(&table.auc)),
        Column::new("binormal_auc", Values::Number(&table.binormal_auc)),
        Column::new("p", Values::Number(&table.p)),
        Column::new("q", Values::Number(&table.q)),
        Column::new("detected", Values::Flag(&table.detected)),
        Column::new("auc_lower", Values::Number(&table.auc_lower)),
        Column::new("e", Values::Number(&table.e)),
        Column::new("epsilon_lower", Values::Number(&table.epsilon_lower)),
    ];
    with_groups(head, tail, attributes, &table.unit)
}

/// Puts the groups between head and tail, named after their attributes; an attribute whose name is taken
/// gets `_group` appended until it is free.
fn with_groups<'t>(
    mut columns: Vec<Column<'t>>,
    tail: Vec<Column<'t>>,
    attributes: &'t [Attribute],
    units: &'t [u32],
) -> Vec<Column<'t>> {
    for attribute in attributes {
        let mut name = attribute.name.clone();
        while columns.iter().chain(&tail).any(|column| column.name == name) {
            name.push_str("_group");
        }
        let level = move |row: usize| {
            let level = attribute.values.get(units[row] as usize)?;
            Some(attribute.levels[level as usize].as_str())
        };
        columns.push(Column::new(name, Values::OptionalText(Box::new(level))));
    }
    columns.extend(tail);
    columns
}
