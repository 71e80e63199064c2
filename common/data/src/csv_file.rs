//! Tables from CSV files: comma-separated, a header, quotes where needed, UTF-8; an empty cell is missing.

use std::fs::File;

use csv::{ByteRecord, ReaderBuilder};

use crate::limits::{MAX_CELLS, MAX_COLUMNS, MAX_RECORDS};
use crate::number;
use crate::refusal::Problems;
use crate::schema::Schema;
use crate::table::{Cells, Column, Interner, Table};

/// Reads a table; ignored columns are skipped. `None` if a mistake stops the reading.
pub(crate) fn read(file: File, schema: &Schema, problems: &mut Problems) -> Option<Table> {
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(file);
    let mut record = ByteRecord::new();
    if !next(&mut reader, &mut record, 0, problems)? {
        problems.whole("the file is empty: the first line must name the columns");
        return None;
    }
    let names = header(&record, problems)?;
    let mut columns: Vec<Option<Arena>> = names
        .iter()
        .map(|name| name.as_deref().filter(|name| !schema.ignores(name)).map(|_| Arena::default()))
        .collect();
    let mut rows = 0u64;
    while next(&mut reader, &mut record, rows + 1, problems)? {
        rows += 1;
        if rows > MAX_RECORDS || rows * names.len() as u64 > MAX_CELLS {
            problems.whole(format!("more than {} rows: too many for one data set", rows - 1));
            return None;
        }
        if record.len() != names.len() {
            let message = format!(
                "{} fields where the header names {}: check commas and quotes",
                record.len(),
                names.len()
            );
            problems.row(rows, message);
        }
        for (i, column) in columns.iter_mut().enumerate() {
            let Some(column) = column else { continue };
            match std::str::from_utf8(record.get(i).unwrap_or_default()) {
                Ok(text) => column.push(text),
                Err(_) => {
                    column.push("");
                    let name = names[i].as_deref().unwrap_or_default();
                    problems.cell(name, rows, "the text is not UTF-8: save the file as UTF-8");
                }
            }
        }
    }
    let typed = names.into_iter().zip(columns).filter_map(|(name, arena)| {
        let cells = arena.map_or(Cells::Unread, |arena| arena.typed());
        Some(Column { name: name?, cells })
    });
    let columns = typed.collect();
    Some(Table { rows: usize::try_from(rows).ok()?, columns })
}

/// Reads the next record; `None` if the file cannot be read on.
fn next(
    reader: &mut csv::Reader<File>,
    record: &mut ByteRecord,
    row: u64,
    problems: &mut Problems,
) -> Option<bool> {
    match reader.read_byte_record(record) {
        Ok(more) => Some(more),
        Err(error) => {
            problems.row(row, format!("the file cannot be read on: {error}"));
            None
        }
    }
}

/// The columns' names; `None` for the index that pandas writes as an unnamed first column.
fn header(record: &ByteRecord, problems: &mut Problems) -> Option<Vec<Option<String>>> {
    if record.len() > MAX_COLUMNS {
        let found = record.len();
        problems.whole(format!("{found} columns, more than {MAX_COLUMNS}: it is not a table of this kind"));
        return None;
    }
    let mut names = Vec::new();
    for (i, field) in record.iter().enumerate() {
        let Ok(name) = std::str::from_utf8(field) else {
            problems.whole(format!("the name of column {} is not UTF-8: save the file as UTF-8", i + 1));
            return None;
        };
        let name = name.trim();
        if name.is_empty() && i > 0 {
            problems.whole(format!("column {} has no name: name it in the first line", i + 1));
        }
        names.push((!name.is_empty()).then(|| name.to_owned()));
    }
    if let [Some(only)] = &names[..]
        && only.contains([';', '\t', '|'])
    {
        problems.whole("the first line has no comma: save the file with commas between the columns");
        return None;
    }
    Some(names)
}

/// The texts of a column, one after the other, until its type is known.
#[derive(Default)]
struct Arena {
    text: String,
    ends: Vec<usize>,
    integers: u64,
    reals: u64,
    booleans: u64,
    codes: u64,
    others: u64,
    first_other: Option<u64>,
}

impl Arena {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
        let text = text.trim();
        if text.is_empty() {
        } else if number::parse_integer(text).is_some() {
            self.integers += 1;
        } else if number::is_code(text) {
            self.codes += 1;
        } else if number::parse(text).is_some() {
            self.reals += 1;
        } else {
            self.booleans += u64::from(boolean(text).is_some());
            self.others += 1;
            self.first_other = self.first_other.or(Some(self.ends.len() as u64));
        }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.text[std::mem::replace(&mut start, end)..end])
    }

    /// Numbers if all cells are numbers and none is a code with leading zeros; booleans if all are; else
    /// texts.
    fn typed(self) -> Cells {
        let numbers = self.integers + self.reals;
        let trimmed = || self.texts().map(str::trim);
        if self.codes + self.others == 0 && self.reals == 0 && numbers > 0 {
            let values = || trimmed().map(number::parse_integer);
            return Cells::Integers {
                values: values().map(Option::unwrap_or_default).collect(),
                present: values().map(|value| value.is_some()).collect(),
            };
        }
        if self.codes + self.others == 0 {
            return Cells::Reals(trimmed().map(|text| number::parse(text).unwrap_or(f64::NAN)).collect());
        }
        if self.others == self.booleans && numbers + self.codes == 0 {
            let values = || trimmed().map(boolean);
            return Cells::Booleans {
                values: values().map(Option::unwrap_or_default).collect(),
                present: values().map(|value| value.is_some()).collect(),
            };
        }
        let mut interner = Interner::default();
        self.texts().for_each(|text| interner.push(text));
        let mut texts = interner.finish();
        if numbers > self.others && self.codes == 0 {
            texts.among_numbers = self.first_other;
            texts.others = self.others;
        }
        Cells::Texts(texts)
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}
