//! Tables from Parquet files: flat columns of booleans, numbers and texts.

use std::fs::File;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::limits::{MAX_CELLS, MAX_COLUMNS, MAX_RECORDS};
use crate::parquet_cells::{self, Source};
use crate::quiet::no_panic;
use crate::refusal::Problems;
use crate::schema::Schema;
use crate::table::{Cells, Column, Table};

const DAMAGED: &str = "the file is damaged or cut short: fetch or write it again";

/// Reads a table; ignored columns are skipped. `None` if a mistake stops the reading.
pub(crate) fn read(file: File, schema: &Schema, problems: &mut Problems) -> Option<Table> {
    // The decoder is another project's and reads bytes from anywhere: where one of its checks panics, the file
    // is refused like any damaged one. Nothing it touched is used afterwards.
    no_panic(|| read_file(file, schema, problems)).unwrap_or_else(|| {
        problems.whole(DAMAGED);
        None
    })
}

fn read_file(file: File, schema: &Schema, problems: &mut Problems) -> Option<Table> {
    let reader = match SerializedFileReader::new(file) {
        Ok(reader) => reader,
        Err(error) => {
            problems.whole(format!("{DAMAGED} ({})", one_line(&error)));
            return None;
        }
    };
    let rows = check_size(reader.metadata(), problems)?;
    let descriptors = reader.metadata().file_metadata().schema_descr_ptr();
    let index = pandas_index(reader.metadata());
    let mut columns: Vec<Column> = Vec::new();
    for leaf in 0..descriptors.num_columns() {
        let root = descriptors.get_column_root(leaf);
        let name = root.name().to_owned();
        if index.contains(&name) && !schema.names(&name) {
            continue;
        }
        let used = !schema.ignores(&name);
        if !root.is_primitive() {
            // A nested column has a leaf per field.
            if columns.last().is_none_or(|last| last.name != name) {
                if used {
                    problems.column(&name, "a list or structure: flatten it, or ignore the column");
                }
                columns.push(Column { name, cells: Cells::Unread });
            }
            continue;
        }
        let cells = if used { read_column(&reader, leaf, rows, problems) } else { Cells::Unread };
        columns.push(Column { name, cells });
    }
    Some(Table { rows, columns })
}

fn check_size(metadata: &ParquetMetaData, problems: &mut Problems) -> Option<usize> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    let counts: Option<Vec<u64>> =
        metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).ok()).collect();
    let rows = counts.and_then(|counts| counts.into_iter().try_fold(0u64, u64::checked_add));
    let Some(rows) = rows.filter(|&rows| i64::try_from(rows) == Ok(metadata.file_metadata().num_rows()))
    else {
        problems.whole(DAMAGED);
        return None;
    };
    if columns > MAX_COLUMNS {
        problems.whole(format!("{columns} columns, more than {MAX_COLUMNS}: it is not a table of this kind"));
        return None;
    }
    if rows > MAX_RECORDS || rows.saturating_mul(columns as u64) > MAX_CELLS {
        problems.whole(format!("{rows} rows and {columns} columns: too many for one data set"));
        return None;
    }
    usize::try_from(rows).ok()
}

fn read_column(
    reader: &SerializedFileReader<File>,
    leaf: usize,
    rows: usize,
    problems: &mut Problems,
) -> Cells {
    let descriptor = reader.metadata().file_metadata().schema_descr().column(leaf);
    let name = descriptor.name().to_owned();
    let source = match source(&descriptor) {
        Ok(source) => source,
        Err(what) => {
            problems.column(&name, what);
            return Cells::Unread;
        }
    };
    for group in reader.metadata().row_groups() {
        if let Err(message) = check_chunk(group.column(leaf)) {
            problems.column(&name, message);
            return Cells::Unread;
        }
    }
    match parquet_cells::read(reader, leaf, source, rows, &name, problems) {
        Ok(cells) => cells,
        Err(error) => {
            problems.column(&name, format!("{DAMAGED} ({})", one_line(&error)));
            Cells::Unread
        }
    }
}

/// How the values of a column are to be understood, or why they cannot be.
fn source(column: &ColumnDescriptor) -> Result<Source, String> {
    if column.self_type().get_basic_info().repetition() == Repetition::REPEATED {
        return Err("a list: flatten it, or ignore the column".to_owned());
    }
    let time =
        || Err("dates and times are not numbers: turn them into days or hours, or ignore it".to_owned());
    let decimal = || Err("decimal numbers of fixed point: save it as double, or ignore it".to_owned());
    match column.logical_type_ref() {
        Some(LogicalType::Date | LogicalType::Time(_) | LogicalType::Timestamp(_)) => return time(),
        Some(LogicalType::Decimal(_)) => return decimal(),
        Some(LogicalType::Float16) => {
            return Err("half-precision numbers: save it as float, or ignore it".to_owned());
        }
        _ => {}
    }
    let unsigned = match column.converted_type() {
        ConvertedType::DATE
        | ConvertedType::TIME_MILLIS
        | ConvertedType::TIME_MICROS
        | ConvertedType::TIMESTAMP_MILLIS
        | ConvertedType::TIMESTAMP_MICROS
        | ConvertedType::INTERVAL => return time(),
        ConvertedType::DECIMAL => return decimal(),
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64 => {
            true
        }
        _ => false,
    };
    match column.physical_type() {
        Physical::BOOLEAN => Ok(Source::Boolean),
        Physical::INT32 => Ok(Source::Integer32 { unsigned }),
        Physical::INT64 => Ok(Source::Integer64 { unsigned }),
        Physical::FLOAT => Ok(Source::Single),
        Physical::DOUBLE => Ok(Source::Double),
        Physical::BYTE_ARRAY => Ok(Source::Text),
        Physical::INT96 => time(),
        Physical::FIXED_LEN_BYTE_ARRAY => {
            Err("binary values: save it as text, or ignore the column".to_owned())
        }
    }
}

/// Checks what the decoder takes for granted.
fn check_chunk(chunk: &ColumnChunkMetaData) -> Result<(), String> {
    let offsets =
        [Some(chunk.data_page_offset()), chunk.dictionary_page_offset(), Some(chunk.compressed_size())];
    if offsets.into_iter().flatten().any(|offset| offset < 0) || chunk.num_values() < 0 {
        return Err(DAMAGED.to_owned());
    }
    match chunk.compression() {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) => Ok(()),
        other => {
            let name = format!("{other:?}");
            let name = name.split(['(', ' ']).next().unwrap_or_default();
            Err(format!("compressed with {name}, which is not read: write the file with snappy or zstd"))
        }
    }
}

/// The columns that pandas added for its index.
fn pandas_index(metadata: &ParquetMetaData) -> Vec<String> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let pandas = pairs.into_iter().flatten().find(|pair| pair.key == "pandas");
    let described = pandas.and_then(|pair| pair.value.as_deref());
    let parsed = described.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let names =
        parsed.as_ref().and_then(|value| value.get("index_columns")).and_then(|names| names.as_array());
    // A range is not a column but an object.
    names.into_iter().flatten().filter_map(|name| name.as_str()).map(str::to_owned).collect()
}

fn one_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(160).collect()
}
