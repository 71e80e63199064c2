//! Arrays that numpy saved: an NPZ archive or an NPY file, one record per position on the first axis, with
//! labels, units and groups from arrays beside it or from a table, row for row.

mod axes;
mod columns;
mod npz;
mod records;

use std::path::Path;

use crate::arrange::Arranged;
use crate::assemble;
use crate::import::Imported;
use crate::limits::MAX_RECORDS;
use crate::npy::{NpyError, NpyFile};
use crate::records::Records;
use crate::refusal::{ImportError, Problems};
use crate::schema::{ArrayKeys, Schema};
use crate::spool::Spooled;

use columns::Columns;
use npz::Arrays;
use records::ArrayRecords;

/// Imports the arrays of a file.
pub(crate) fn import(
    path: &Path,
    keys: &ArrayKeys,
    schema: &Schema,
    mut problems: Problems,
) -> Result<Imported, ImportError> {
    let Some(mut arrays) = Arrays::open(path, &mut problems)? else { return Err(problems.into_error()) };
    let Some(parts) = arrays.parts(&keys.data, schema, &mut problems) else {
        return Err(problems.into_error());
    };
    let mut opened = Vec::new();
    for part in &parts {
        opened.extend(arrays.read(part, &mut problems)?);
    }
    problems.check()?;
    let Some(mut source) = ArrayRecords::new(opened, keys, schema, &mut problems) else {
        return Err(problems.into_error());
    };
    let rows = source.records();
    if rows > MAX_RECORDS {
        problems.whole(format!("{rows} records: too many for one data set"));
        return Err(problems.into_error());
    }
    let columns = Columns::collect(&mut arrays, rows as usize, keys, schema, &mut problems)?;
    problems.check()?;
    let mut records = Records::collect(rows as usize, &columns.roles(), &mut problems);
    problems.check()?;
    drop(columns);
    let form = source.form().clone();
    let (spooled, digests) = Spooled::fill(&mut source, form, rows, &mut problems)?;
    records.values = Some(digests);
    problems.check()?;
    let arranged = Arranged::of(records);
    assemble::spooled(&arranged, &spooled, schema, Vec::new(), problems)
}

/// A failed read of an array: a mistake in it is noted, that it cannot be read ends the import.
fn note<T>(result: Result<T, NpyError>, problems: &mut Problems) -> Result<Option<T>, ImportError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(NpyError::Io { name, source }) => Err(ImportError::Io { path: name, source }),
        Err(NpyError::Wrong { name, what }) => {
            problems.whole(format!("{name}: {what}"));
            Ok(None)
        }
    }
}

/// How a shape is written.
fn shape_text(array: &NpyFile) -> String {
    let axes: Vec<_> = array.shape().iter().map(usize::to_string).collect();
    format!("{} of shape ({})", array.dtype(), axes.join(", "))
}
