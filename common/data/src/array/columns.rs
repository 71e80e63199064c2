//! Labels, units and groups beside the records: columns of a table, row for row, and arrays of the archive.

use std::path::Path;

use super::npz::Arrays;
use super::{note, shape_text};
use crate::expand::expand;
use crate::npy::{Kind, NpyFile};
use crate::refusal::{ImportError, Problems};
use crate::roles::{Roles, unknown_name};
use crate::schema::{ArrayKeys, Named, Schema};
use crate::table::{Cells, Column, Interner};
use crate::table_file;

/// The columns by role.
#[derive(Default)]
pub(super) struct Columns {
    labels: Vec<Column>,
    unit: Option<Column>,
    groups: Vec<Column>,
}

impl Columns {
    /// Finds all columns that the schema names, in the table of attributes or among the arrays. Notes what is
    /// missing or has other rows than the records.
    pub(super) fn collect(
        arrays: &mut Arrays,
        rows: usize,
        keys: &ArrayKeys,
        schema: &Schema,
        problems: &mut Problems,
    ) -> Result<Self, ImportError> {
        let mut table = Vec::new();
        if let Some(named) = &keys.attributes {
            match attributes(named, rows, schema, problems)? {
                Some(columns) => table = columns,
                None => return Ok(Self::default()),
            }
        }
        let mut columns = Self::default();
        let mut find = |named: &Named, problems: &mut Problems| -> Result<Vec<Column>, ImportError> {
            if let Some(at) = table.iter().position(|column| column.name == named.name) {
                return Ok(vec![table.swap_remove(at)]);
            }
            let parts = arrays.find(&named.name);
            if parts.is_empty() {
                let names: Vec<&str> = table
                    .iter()
                    .map(|c| c.name.as_str())
                    .chain(arrays.names().iter().map(String::as_str))
                    .collect();
                unknown_name(named, &names, schema, problems);
                return Ok(Vec::new());
            }
            let mut opened = Vec::new();
            for part in &parts {
                opened.extend(arrays.read(part, problems)?);
            }
            if opened.len() < parts.len() {
                return Ok(Vec::new());
            }
            read(&opened, &named.name, rows, problems)
        };
        for label in &schema.labels {
            columns.labels.extend(find(label, problems)?);
        }
        for group in &schema.groups {
            columns.groups.extend(single(find(group, problems)?, group, problems));
        }
        if let Some(unit) = &schema.unit {
            columns.unit = single(find(unit, problems)?, unit, problems);
        }
        Ok(columns)
    }

    /// The columns by role.
    pub(super) fn roles(&self) -> Roles<'_> {
        Roles {
            labels: self.labels.iter().collect(),
            unit: self.unit.as_ref(),
            groups: self.groups.iter().collect(),
            features: Vec::new(),
        }
    }
}

/// The table beside the arrays, which lies where the schema says, seen from the schema.
fn attributes(
    named: &Named,
    rows: usize,
    schema: &Schema,
    problems: &mut Problems,
) -> Result<Option<Vec<Column>>, ImportError> {
    let beside = Path::new(&schema.file).parent().unwrap_or(Path::new(""));
    let path = match expand(&named.name) {
        Ok(path) => beside.join(path),
        Err(message) => {
            problems.schema(&schema.file, named.line, &named.key, message);
            return Ok(None);
        }
    };
    let before = problems.of_file(&path.display().to_string());
    let table = table_file::read(&path, schema, problems)?;
    let columns = match table {
        Some(table) if table.rows == rows => Some(table.columns),
        Some(table) => {
            let message = format!("{} rows for {rows} records: one row a record, in their order", table.rows);
            problems.whole(message);
            None
        }
        None => None,
    };
    problems.of_file(&before);
    Ok(columns)
}

/// One column where there must be one.
fn single(columns: Vec<Column>, named: &Named, problems: &mut Problems) -> Option<Column> {
    let count = columns.len();
    if count > 1 {
        problems.whole(format!("array \"{}\" has {count} columns: {} takes one", named.name, named.key));
    }
    columns.into_iter().next()
}

/// The columns of arrays `[rows]` or `[rows][columns]`, one after the other.
fn read(
    parts: &[NpyFile],
    name: &str,
    rows: usize,
    problems: &mut Problems,
) -> Result<Vec<Column>, ImportError> {
    let width = |array: &NpyFile| match array.shape() {
        [_] => Some(1),
        [_, width] if (1..=1000).contains(width) => Some(*width),
        _ => None,
    };
    let Some(width) = width(&parts[0]).filter(|first| parts.iter().all(|part| width(part) == Some(*first)))
    else {
        let message = "one number or text a record is wanted, or one row of them";
        problems.whole(format!("{}, {}: {message}", parts[0].name(), shape_text(&parts[0])));
        return Ok(Vec::new());
    };
    let found: usize = parts.iter().map(|part| part.shape()[0]).sum();
    if found != rows {
        problems.whole(format!("{}: {found} rows for {rows} records: one row a record", parts[0].name()));
        return Ok(Vec::new());
    }
    let kind = |array: &NpyFile| (array.dtype().is_text(), array.dtype().kind == Kind::Float);
    if parts.iter().any(|part| kind(part) != kind(&parts[0])) {
        problems.whole(format!("{}: numbers here, but not in every split", parts[0].name()));
        return Ok(Vec::new());
    }
    let mut cells = Vec::new();
    for part in parts {
        let Some(part) = note(items(part), problems)? else { return Ok(Vec::new()) };
        cells.push(part);
    }
    let columns = (0..width).map(|i| Column {
        name: if width == 1 { name.to_owned() } else { format!("{name}[{i}]") },
        cells: joined(&cells, i, width),
    });
    Ok(columns.collect())
}

/// The items of an array in C order.
enum Items {
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Texts(Vec<String>),
}

fn items(array: &NpyFile) -> Result<Items, crate::npy::NpyError> {
    let count = array.shape().iter().product();
    let dtype = array.dtype();
    if dtype.is_text() {
        let mut texts = vec![String::new(); count];
        array.for_each_text(|place, text| {
            texts[place] = text.to_owned();
            Ok(())
        })?;
        return Ok(Items::Texts(texts));
    }
    if dtype.is_integer() {
        let mut numbers = vec![0; count];
        array.for_each_integer(|place, number| {
            if dtype.kind == Kind::Unsigned && number < 0 {
                return Err(array.wrong(format!(
                    "{} is above 9223372036854775807: save it as text",
                    array.spell(number)
                )));
            }
            numbers[place] = number;
            Ok(())
        })?;
        return Ok(Items::Integers(numbers));
    }
    let mut numbers = vec![0.0; count];
    array.for_each_real(|place, number| {
        if number.is_infinite() {
            return Err(array.wrong("infinity is not a number: save NaN where it is missing"));
        }
        numbers[place] = number + 0.0;
        Ok(())
    })?;
    Ok(Items::Reals(numbers))
}

/// Column `i` of parts of `width` columns.
fn joined(parts: &[Items], i: usize, width: usize) -> Cells {
    let mut integers = Vec::new();
    let mut reals = Vec::new();
    let mut texts = Interner::default();
    for part in parts {
        match part {
            Items::Integers(values) => integers.extend(values.iter().skip(i).step_by(width)),
            Items::Reals(values) => reals.extend(values.iter().skip(i).step_by(width)),
            Items::Texts(values) => values.iter().skip(i).step_by(width).for_each(|text| texts.push(text)),
        }
    }
    match parts.first() {
        Some(Items::Reals(_)) => Cells::Reals(reals),
        Some(Items::Texts(_)) => Cells::Texts(texts.finish()),
        _ => Cells::Integers { present: vec![true; integers.len()], values: integers },
    }
}
