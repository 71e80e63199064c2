//! A table in memory: columns of typed cells, whatever file they come from.

use std::collections::HashMap;

use crate::layout::MISSING;
use crate::limits::{MAX_LEVELS, MAX_TEXT};
use crate::number;
use crate::refusal::Problems;

/// A table; all columns have as many cells as there are rows.
pub(crate) struct Table {
    pub rows: usize,
    pub columns: Vec<Column>,
}

/// One column.
pub(crate) struct Column {
    pub name: String,
    pub cells: Cells,
}

/// The cells of a column; where `present` is false, the value is a filler.
pub(crate) enum Cells {
    Integers {
        values: Vec<i64>,
        present: Vec<bool>,
    },
    /// Finite numbers; `NaN` where missing.
    Reals(Vec<f64>),
    Booleans {
        values: Vec<bool>,
        present: Vec<bool>,
    },
    Texts(Texts),
    /// The column is not needed, or was refused while it was read.
    Unread,
}

/// Texts, each stored once; [`MISSING`] codes missing ones.
#[derive(Default)]
pub(crate) struct Texts {
    pub codes: Vec<u32>,
    pub texts: Vec<String>,
    /// In a file without types: most cells are numbers, but the first other one is in this row.
    pub among_numbers: Option<u64>,
    /// How many cells of such a column are no numbers.
    pub others: u64,
}

/// Cells as names: codes into names that are sorted and all used; [`MISSING`] where missing.
pub(crate) struct Coded {
    pub codes: Vec<u32>,
    pub names: Vec<String>,
}

/// Collects the texts of a column.
#[derive(Default)]
pub(crate) struct Interner {
    texts: Texts,
    known: HashMap<String, u32>,
}

impl Cells {
    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Integers { values, .. } => values.len(),
            Self::Reals(values) => values.len(),
            Self::Booleans { values, .. } => values.len(),
            Self::Texts(texts) => texts.codes.len(),
            Self::Unread => 0,
        }
    }
}

impl Interner {
    /// Adds a cell; a blank one is missing.
    pub(crate) fn push(&mut self, text: &str) {
        if text.trim().is_empty() {
            return self.push_missing();
        }
        let code = match self.known.get(text) {
            Some(&code) => code,
            None => {
                let code = self.texts.texts.len() as u32;
                self.texts.texts.push(text.to_owned());
                self.known.insert(text.to_owned(), code);
                code
            }
        };
        self.texts.codes.push(code);
    }

    /// Adds a missing cell.
    pub(crate) fn push_missing(&mut self) {
        self.texts.codes.push(MISSING);
    }

    /// All cells.
    pub(crate) fn finish(self) -> Texts {
        self.texts
    }
}

impl Column {
    /// The cells as numbers, `NaN` where missing. Notes the first cell that is no number.
    pub(crate) fn numbers(&self, problems: &mut Problems) -> Vec<f64> {
        let mut numbers = self.exact_numbers(problems);
        number::round_to_single(&mut numbers);
        numbers
    }

    fn exact_numbers(&self, problems: &mut Problems) -> Vec<f64> {
        let filled = |present: &[bool], value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            present.iter().enumerate().map(|(i, &there)| if there { value(i) } else { f64::NAN }).collect()
        };
        match &self.cells {
            Cells::Integers { values, present } => filled(present, &|i| values[i] as f64),
            Cells::Booleans { values, present } => filled(present, &|i| f64::from(u8::from(values[i]))),
            Cells::Reals(values) => values.clone(),
            Cells::Texts(texts) => self.parse_numbers(texts, problems),
            Cells::Unread => Vec::new(),
        }
    }

    fn parse_numbers(&self, texts: &Texts, problems: &mut Problems) -> Vec<f64> {
        let parsed: Vec<Option<f64>> = texts.texts.iter().map(|text| number::parse(text.trim())).collect();
        let (mut first, mut wrong) = (None, 0u64);
        let mut numbers = Vec::with_capacity(texts.codes.len());
        for (i, &code) in texts.codes.iter().enumerate() {
            let value = if code == MISSING { Some(f64::NAN) } else { parsed[code as usize] };
            if value.is_none() {
                first = first.or(Some((i as u64 + 1, code)));
                wrong += 1;
            }
            numbers.push(value.unwrap_or(f64::NAN));
        }
        if let Some((row, code)) = first {
            let text = shown(&texts.texts[code as usize]);
            let message = format!(
                "{text} is not a number{}: mend the cell, leave it empty if it is missing, or declare the \
                 column \"categorical\"",
                and_more(wrong - 1)
            );
            problems.cell(&self.name, row, message);
        }
        numbers
    }

    /// The cells as names. Notes names that are too long.
    pub(crate) fn coded(&self, problems: &mut Problems) -> Coded {
        let mut interner = Interner::default();
        let mut buffer = String::new();
        match &self.cells {
            Cells::Texts(texts) => return self.sorted(&texts.codes, &texts.texts, problems),
            Cells::Unread => {}
            Cells::Integers { values, present } => {
                for (value, &there) in values.iter().zip(present) {
                    use std::fmt::Write as _;
                    buffer.clear();
                    if there && write!(buffer, "{value}").is_ok() {
                        interner.push(&buffer);
                    } else {
                        interner.push_missing();
                    }
                }
            }
            Cells::Booleans { values, present } => {
                for (&value, &there) in values.iter().zip(present) {
                    if there {
                        interner.push(if value { "true" } else { "false" });
                    } else {
                        interner.push_missing();
                    }
                }
            }
            Cells::Reals(values) => {
                for &value in values {
                    if value.is_nan() {
                        interner.push_missing();
                    } else {
                        interner.push(&number::text(value));
                    }
                }
            }
        }
        let Texts { codes, texts, .. } = interner.finish();
        self.sorted(&codes, &texts, problems)
    }

    /// The cells as names of at most [`MAX_LEVELS`] levels. Notes that there are more.
    pub(crate) fn levels(&self, role: &str, remedy: &str, problems: &mut Problems) -> Coded {
        let coded = self.coded(problems);
        if coded.names.len() > MAX_LEVELS {
            let found = coded.names.len();
            let message = format!("{role} has {found} levels, more than {MAX_LEVELS}: {remedy}");
            problems.column(&self.name, message);
        }
        coded
    }

    fn sorted(&self, codes: &[u32], texts: &[String], problems: &mut Problems) -> Coded {
        let mut names = texts.to_vec();
        number::sort_names(&mut names);
        let rank: HashMap<&str, u32> = names.iter().zip(0..).map(|(name, i)| (name.as_str(), i)).collect();
        let ranks: Vec<u32> = texts.iter().map(|text| rank[text.as_str()]).collect();
        let long = |&code: &u32| code != MISSING && texts[code as usize].len() > MAX_TEXT;
        if let Some(row) = codes.iter().position(long) {
            let message = format!("a text longer than {MAX_TEXT} bytes: shorten it, or ignore the column");
            problems.cell(&self.name, row as u64 + 1, message);
        }
        let code = |&code: &u32| if code == MISSING { MISSING } else { ranks[code as usize] };
        Coded { codes: codes.iter().map(code).collect(), names }
    }
}

/// A cell's text for a message: quoted, cut to a length that people read.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("\"{}{more}\"", short.escape_debug())
}

/// How many more rows have the same mistake.
pub(crate) fn and_more(more: u64) -> String {
    match more {
        0 => String::new(),
        1 => " (and 1 more row)".to_owned(),
        _ => format!(" (and {more} more rows)"),
    }
}
