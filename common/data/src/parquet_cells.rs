//! The cells of one flat Parquet column, row group after row group.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::FileReader;

use crate::refusal::Problems;
use crate::table::{Cells, Interner, and_more};

/// Values decoded at a time.
const BATCH: usize = 8192;

/// How stored values are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Boolean,
    Integer32 { unsigned: bool },
    Integer64 { unsigned: bool },
    Single,
    Double,
    Text,
}

/// Reads all cells of column `leaf`. Cells that cannot be used are noted, all of a kind in one mistake.
pub(crate) fn read(
    file: &dyn FileReader,
    leaf: usize,
    source: Source,
    rows: usize,
    name: &str,
    problems: &mut Problems,
) -> Result<Cells> {
    let mut wrong = Wrong::default();
    let cells = match source {
        Source::Boolean => {
            let (mut values, mut present) = (Vec::new(), Vec::new());
            each(file, leaf, |reader, chunk| {
                let ColumnReader::BoolColumnReader(reader) = reader else { return Err(unexpected()) };
                chunk.read(reader, |value| {
                    present.push(value.is_some());
                    values.push(value.unwrap_or_default());
                })
            })?;
            Cells::Booleans { values, present }
        }
        Source::Integer32 { .. } | Source::Integer64 { .. } => {
            let (mut values, mut present) = (Vec::new(), Vec::new());
            let mut push = |value: Option<i64>| {
                present.push(value.is_some());
                values.push(value.unwrap_or_default());
            };
            each(file, leaf, |reader, chunk| match reader {
                ColumnReader::Int32ColumnReader(reader)
                    if source == (Source::Integer32 { unsigned: true }) =>
                {
                    chunk.read(reader, |value| push(value.map(|value| i64::from(value as u32))))
                }
                ColumnReader::Int32ColumnReader(reader) => {
                    chunk.read(reader, |value| push(value.map(i64::from)))
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    let unsigned = source == (Source::Integer64 { unsigned: true });
                    chunk.read(reader, |value| {
                        wrong.next(unsigned && value.is_some_and(|value| value < 0));
                        push(value);
                    })
                }
                _ => Err(unexpected()),
            })?;
            wrong.report(name, "a whole number above 9223372036854775807: save the column as text", problems);
            Cells::Integers { values, present }
        }
        Source::Single | Source::Double => {
            let mut values = Vec::new();
            let mut push = |value: Option<f64>| {
                wrong.next(value.is_some_and(|value| !value.is_finite()));
                // A missing value is NaN here, a stored NaN is a mistake.
                values.push(value.map_or(f64::NAN, |value| value + 0.0));
            };
            each(file, leaf, |reader, chunk| match reader {
                ColumnReader::FloatColumnReader(reader) => chunk.read(reader, |value| {
                    push(value.map(f64::from));
                }),
                ColumnReader::DoubleColumnReader(reader) => chunk.read(reader, &mut push),
                _ => Err(unexpected()),
            })?;
            wrong.report(
                name,
                "NaN or infinity is not a number: leave the cell null if it is missing",
                problems,
            );
            Cells::Reals(values)
        }
        Source::Text => {
            let mut interner = Interner::default();
            each(file, leaf, |reader, chunk| {
                let ColumnReader::ByteArrayColumnReader(reader) = reader else { return Err(unexpected()) };
                chunk.read(reader, |value| {
                    let text = value.as_ref().map(|value| std::str::from_utf8(value.data()));
                    wrong.next(matches!(text, Some(Err(_))));
                    match text {
                        Some(Ok(text)) => interner.push(text),
                        Some(Err(_)) | None => interner.push_missing(),
                    }
                })
            })?;
            wrong.report(
                name,
                "the bytes are not UTF-8 text: save the column as text, or ignore it",
                problems,
            );
            Cells::Texts(interner.finish())
        }
    };
    if cells.len() == rows { Ok(cells) } else { Err(unexpected()) }
}

/// The part of a column that lies in one row group.
struct Chunk {
    rows: usize,
    optional: bool,
}

impl Chunk {
    fn read<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        mut take: impl FnMut(Option<T::T>),
    ) -> Result<()> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < self.rows {
            levels.clear();
            values.clear();
            let batch = BATCH.min(self.rows - done);
            let (read, _, _) = reader.read_records(batch, Some(&mut levels), None, &mut values)?;
            if read == 0 {
                return Err(unexpected());
            }
            done += read;
            if self.optional {
                let mut values = values.drain(..);
                for &level in &levels {
                    let value = if level > 0 { Some(values.next().ok_or_else(unexpected)?) } else { None };
                    take(value);
                }
            } else {
                values.drain(..).for_each(|value| take(Some(value)));
            }
        }
        Ok(())
    }
}

fn each(
    file: &dyn FileReader,
    leaf: usize,
    mut read: impl FnMut(ColumnReader, Chunk) -> Result<()>,
) -> Result<()> {
    let descriptor = file.metadata().file_metadata().schema_descr().column(leaf);
    for index in 0..file.num_row_groups() {
        let group = file.get_row_group(index)?;
        let rows = usize::try_from(group.metadata().num_rows()).map_err(|_| unexpected())?;
        let optional = descriptor.max_def_level() > 0;
        read(group.get_column_reader(leaf)?, Chunk { rows, optional })?;
    }
    Ok(())
}

fn unexpected() -> ParquetError {
    ParquetError::General("fewer or other values than the file says".to_owned())
}

/// Cells that cannot be used: the first row, and how many.
#[derive(Default)]
struct Wrong {
    row: u64,
    first: Option<u64>,
    count: u64,
}

impl Wrong {
    fn next(&mut self, wrong: bool) {
        self.row += 1;
        if wrong {
            self.first = self.first.or(Some(self.row));
            self.count += 1;
        }
    }

    fn report(&self, name: &str, message: &str, problems: &mut Problems) {
        if let Some(row) = self.first {
            problems.cell(name, row, format!("{message}{}", and_more(self.count - 1)));
        }
    }
}
