//! A Parquet table that grows row by row. Its bytes depend on the rows alone: fixed creator, no time stamps,
//! row groups of a fixed size however the rows come.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical, ZstdLevel};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};
use umbra_runtime::files::FileError;

use super::error::ReportError;
use super::output::{Draft, FindingsFile};

/// Rows per row group: bounds the memory of writer and reader.
const GROUP: usize = 1 << 16;

/// A column: its name and where the values of some rows are.
pub(super) struct Column<'a> {
    pub name: String,
    pub values: Values<'a>,
}

/// The values of a column, row by row.
pub(super) enum Values<'a> {
    /// Text, always there.
    Text(Box<dyn Fn(usize) -> Cow<'a, str> + 'a>),
    /// Text or null.
    OptionalText(Box<dyn Fn(usize) -> Option<&'a str> + 'a>),
    /// A number; NaN is null.
    Number(&'a [f64]),
    /// A small count.
    Count(&'a [u32]),
    /// A row of a file.
    Row(Box<dyn Fn(usize) -> u64 + 'a>),
    /// Yes or no.
    Flag(&'a [bool]),
}

impl<'a> Column<'a> {
    pub fn new(name: impl Into<String>, values: Values<'a>) -> Self {
        Self { name: name.into(), values }
    }

    fn schema(&self) -> Result<TypePtr, ParquetError> {
        let (physical, repetition) = match &self.values {
            Values::Text(_) => (Physical::BYTE_ARRAY, Repetition::REQUIRED),
            Values::OptionalText(_) => (Physical::BYTE_ARRAY, Repetition::OPTIONAL),
            Values::Number(_) => (Physical::DOUBLE, Repetition::OPTIONAL),
            Values::Count(_) => (Physical::INT32, Repetition::REQUIRED),
            Values::Row(_) => (Physical::INT64, Repetition::REQUIRED),
            Values::Flag(_) => (Physical::BOOLEAN, Repetition::REQUIRED),
        };
        let mut builder = Type::primitive_type_builder(&self.name, physical).with_repetition(repetition);
        if physical == Physical::BYTE_ARRAY {
            builder =
                builder.with_converted_type(ConvertedType::UTF8).with_logical_type(Some(LogicalType::String));
        }
        builder.build().map(Arc::new)
    }
}

/// Values of a column that wait for their row group to be full; where some may be null, those that are
/// there, and a definition level for each.
enum Waiting {
    Text(Vec<ByteArray>),
    OptionalText(Vec<ByteArray>, Vec<i16>),
    Number(Vec<f64>, Vec<i16>),
    Count(Vec<i32>),
    Row(Vec<i64>),
    Flag(Vec<bool>),
}

impl Waiting {
    fn like(values: &Values<'_>) -> Self {
        match values {
            Values::Text(_) => Self::Text(Vec::new()),
            Values::OptionalText(_) => Self::OptionalText(Vec::new(), Vec::new()),
            Values::Number(_) => Self::Number(Vec::new(), Vec::new()),
            Values::Count(_) => Self::Count(Vec::new()),
            Values::Row(_) => Self::Row(Vec::new()),
            Values::Flag(_) => Self::Flag(Vec::new()),
        }
    }

    fn take(&mut self, values: &Values<'_>, rows: Range<usize>) {
        match (self, values) {
            (Self::Text(waiting), Values::Text(text)) => {
                waiting.extend(rows.map(|row| ByteArray::from(&*text(row))));
            }
            (Self::OptionalText(waiting, levels), Values::OptionalText(text)) => {
                optional(rows.map(|row| text(row).map(ByteArray::from)), waiting, levels);
            }
            (Self::Number(waiting, levels), Values::Number(numbers)) => {
                let there = numbers[rows].iter().map(|&number| (!number.is_nan()).then_some(number));
                optional(there, waiting, levels);
            }
            (Self::Count(waiting), Values::Count(counts)) => {
                waiting.extend(counts[rows].iter().map(|&count| i32::try_from(count).unwrap_or(i32::MAX)));
            }
            (Self::Row(waiting), Values::Row(number)) => {
                waiting.extend(rows.map(|row| i64::try_from(number(row)).unwrap_or(i64::MAX)));
            }
            (Self::Flag(waiting), Values::Flag(flags)) => waiting.extend_from_slice(&flags[rows]),
            _ => unreachable!("a table's columns are the same for all of its rows"),
        }
    }

    fn write(&mut self, out: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Text(values) => {
                out.typed::<ByteArrayType>().write_batch(values, None, None)?;
                values.clear();
            }
            Self::OptionalText(values, levels) => {
                out.typed::<ByteArrayType>().write_batch(values, Some(levels), None)?;
                values.clear();
                levels.clear();
            }
            Self::Number(values, levels) => {
                out.typed::<DoubleType>().write_batch(values, Some(levels), None)?;
                values.clear();
                levels.clear();
            }
            Self::Count(values) => {
                out.typed::<Int32Type>().write_batch(values, None, None)?;
                values.clear();
            }
            Self::Row(values) => {
                out.typed::<Int64Type>().write_batch(values, None, None)?;
                values.clear();
            }
            Self::Flag(values) => {
                out.typed::<BoolType>().write_batch(values, None, None)?;
                values.clear();
            }
        }
        Ok(())
    }
}

fn optional<T>(values: impl Iterator<Item = Option<T>>, there: &mut Vec<T>, levels: &mut Vec<i16>) {
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
}

/// A table being written; it appears on [`TableFile::finish`] and leaves nothing behind without.
pub(super) struct TableFile {
    name: &'static str,
    draft: Draft,
    writer: SerializedFileWriter<BufWriter<File>>,
    waiting: Vec<Waiting>,
    /// Rows that wait.
    count: usize,
}

impl TableFile {
    /// Begins a table in the folder `dir` with columns like these.
    pub fn create(dir: &Path, name: &'static str, columns: &[Column<'_>]) -> Result<Self, ReportError> {
        let draft = Draft::create(dir, name)?;
        let file = draft.file().try_clone().map_err(FileError::io("open", &dir.join(name)))?;
        let writer = begin(file, columns).map_err(|source| ReportError::Table { name, source })?;
        let waiting = columns.iter().map(|column| Waiting::like(&column.values)).collect();
        Ok(Self { name, draft, writer, waiting, count: 0 })
    }

    /// Adds rows; `columns` are those it was created with.
    pub fn push(&mut self, rows: usize, columns: &[Column<'_>]) -> Result<(), ReportError> {
        let mut start = 0;
        while start < rows {
            let end = rows.min(start + GROUP - self.count);
            for (waiting, column) in self.waiting.iter_mut().zip(columns) {
                waiting.take(&column.values, start..end);
            }
            self.count += end - start;
            start = end;
            if self.count == GROUP {
                self.write_group()?;
            }
        }
        Ok(())
    }

    /// Makes the table durable and puts it in its place.
    pub fn finish(mut self) -> Result<FindingsFile, ReportError> {
        if self.count > 0 {
            self.write_group()?;
        }
        let name = self.name;
        let ended = self.writer.into_inner().and_then(|out| {
            out.into_inner().map_err(|error| ParquetError::External(error.into_error().into()))
        });
        ended.map_err(|source| ReportError::Table { name, source })?;
        Ok(self.draft.commit()?)
    }

    fn write_group(&mut self) -> Result<(), ReportError> {
        self.count = 0;
        let mut write = || -> Result<(), ParquetError> {
            let mut group = self.writer.next_row_group()?;
            for waiting in &mut self.waiting {
                let mut out = group.next_column()?.expect("the schema has one leaf a column");
                waiting.write(&mut out)?;
                out.close()?;
            }
            group.close().map(drop)
        };
        write().map_err(|source| ReportError::Table { name: self.name, source })
    }
}

fn begin(file: File, columns: &[Column<'_>]) -> Result<SerializedFileWriter<BufWriter<File>>, ParquetError> {
    let fields = columns.iter().map(Column::schema).collect::<Result<_, _>>()?;
    let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
    let properties = WriterProperties::builder()
        .set_created_by("umbra".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .build();
    SerializedFileWriter::new(BufWriter::with_capacity(1 << 18, file), schema, Arc::new(properties))
}
