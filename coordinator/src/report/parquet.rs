//! A column-by-column Parquet writer whose bytes depend on the values alone: fixed creator, no time stamps.

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

use super::error::ReportError;
use super::output::{Draft, FindingsFile};

/// Rows per row group: bounds the memory of writer and reader.
pub(super) const GROUP: usize = 1 << 17;

/// A column: its name and where its values are.
pub(super) struct Column<'a> {
    pub name: String,
    pub values: Values<'a>,
}

/// The values of a column, row by row.
pub(super) enum Values<'a> {
    /// Text, always there.
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// Text or null.
    OptionalText(Box<dyn Fn(usize) -> Option<&'a str> + 'a>),
    /// A number; NaN is null.
    Number(&'a [f64]),
    /// A small count.
    Count(&'a [u32]),
    /// A row of a file.
    Row(&'a [u64]),
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

    fn write(&self, rows: Range<usize>, out: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match &self.values {
            Values::Text(text) => {
                let values: Vec<_> = rows.map(|row| ByteArray::from(text(row))).collect();
                out.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            Values::OptionalText(text) => {
                let (values, levels) = optional(rows.map(|row| text(row).map(ByteArray::from)));
                out.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
            }
            Values::Number(numbers) => {
                let (values, levels) =
                    optional(numbers[rows].iter().map(|&number| (!number.is_nan()).then_some(number)));
                out.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
            }
            Values::Count(counts) => {
                let values: Vec<_> =
                    counts[rows].iter().map(|&count| i32::try_from(count).unwrap_or(i32::MAX)).collect();
                out.typed::<Int32Type>().write_batch(&values, None, None)?;
            }
            Values::Row(numbers) => {
                let values: Vec<_> =
                    numbers[rows].iter().map(|&row| i64::try_from(row).unwrap_or(i64::MAX)).collect();
                out.typed::<Int64Type>().write_batch(&values, None, None)?;
            }
            Values::Flag(flags) => {
                out.typed::<BoolType>().write_batch(&flags[rows], None, None)?;
            }
        }
        Ok(())
    }
}

/// Splits values into those that are there and a definition level for each.
fn optional<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let mut there = Vec::new();
    let levels = values
        .map(|value| match value {
            Some(value) => {
                there.push(value);
                1
            }
            None => 0,
        })
        .collect();
    (there, levels)
}

/// A table being written, row group by row group.
pub(super) struct TableFile {
    name: &'static str,
    draft: Draft,
    writer: SerializedFileWriter<BufWriter<File>>,
}

impl TableFile {
    /// A table of the columns in the folder `dir`; their values are not looked at.
    pub fn create(dir: &Path, name: &'static str, columns: &[Column<'_>]) -> Result<Self, ReportError> {
        let draft = Draft::create(dir, name)?;
        let file = draft.file().try_clone().map_err(|source| draft.write_error(source))?;
        let writer = writer(file, columns).map_err(|source| ReportError::Table { name, source })?;
        Ok(Self { name, draft, writer })
    }

    /// Writes a row group: the first `rows` rows of the columns.
    pub fn group(&mut self, rows: usize, columns: &[Column<'_>]) -> Result<(), ReportError> {
        let name = self.name;
        write_group(&mut self.writer, 0..rows, columns).map_err(|source| ReportError::Table { name, source })
    }

    /// Ends the table and puts it in its place.
    pub fn commit(self) -> Result<FindingsFile, ReportError> {
        let Self { name, draft, writer } = self;
        finish(writer).map_err(|source| ReportError::Table { name, source })?;
        Ok(draft.commit()?)
    }
}

/// Writes a table of `rows` rows.
pub(super) fn write(
    dir: &Path,
    name: &'static str,
    rows: usize,
    columns: &[Column<'_>],
) -> Result<FindingsFile, ReportError> {
    let mut table = TableFile::create(dir, name, columns)?;
    for start in (0..rows).step_by(GROUP) {
        write_group(&mut table.writer, start..rows.min(start + GROUP), columns)
            .map_err(|source| ReportError::Table { name, source })?;
    }
    table.commit()
}

fn writer(file: File, columns: &[Column<'_>]) -> Result<SerializedFileWriter<BufWriter<File>>, ParquetError> {
    let fields = columns.iter().map(Column::schema).collect::<Result<_, _>>()?;
    let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
    let properties = WriterProperties::builder()
        .set_created_by("umbra".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .build();
    SerializedFileWriter::new(BufWriter::with_capacity(1 << 18, file), schema, Arc::new(properties))
}

fn write_group(
    writer: &mut SerializedFileWriter<BufWriter<File>>,
    rows: Range<usize>,
    columns: &[Column<'_>],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for column in columns {
        let mut out = group.next_column()?.expect("the schema has one leaf a column");
        column.write(rows.clone(), &mut out)?;
        out.close()?;
    }
    group.close()?;
    Ok(())
}

fn finish(writer: SerializedFileWriter<BufWriter<File>>) -> Result<(), ParquetError> {
    let out = writer.into_inner()?;
    out.into_inner().map_err(|error| ParquetError::External(error.into_error().into()))?;
    Ok(())
}
