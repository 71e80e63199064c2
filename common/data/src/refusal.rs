//! Why a data set is refused: every mistake in one sentence that names file, column, row and remedy.

use std::fmt;
use std::io;

/// The most refusals that are listed; more are counted.
const LISTED: usize = 50;

/// One mistake in a data set or its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file that holds the mistake: the data, a manifest or the schema.
    pub file: String,
    /// The line, in a schema.
    pub line: Option<u32>,
    /// The column of the table, or the key of the schema.
    pub column: Option<String>,
    /// The data row of the table, from 1 (a header is not counted).
    pub row: Option<u64>,
    /// What is wrong and what to do.
    pub message: String,
}

/// All mistakes of a data set, at least one; of very many, the first are listed and the others counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    listed: Vec<Refusal>,
    more: usize,
}

/// Why a data set was not imported, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read: check path, rights and disk, or try again.
    #[error("{path}: cannot be read: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The data or their schema must be mended.
    #[error("{0}")]
    Refused(Refusals),
}

/// Collects the mistakes of one data set.
pub(crate) struct Problems {
    file: String,
    refusals: Refusals,
}

impl Refusals {
    /// The mistakes that are listed.
    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.listed.iter()
    }

    /// All mistakes, listed or not.
    pub fn count(&self) -> usize {
        self.listed.len() + self.more
    }
}

impl Problems {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), refusals: Refusals::default() }
    }

    /// The file that mistakes are noted of.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Notes the mistakes that follow under another file; gives the one before.
    pub(crate) fn of_file(&mut self, file: &str) -> String {
        std::mem::replace(&mut self.file, file.to_owned())
    }

    /// Notes a mistake of the file as a whole.
    pub(crate) fn whole(&mut self, message: impl Into<String>) {
        self.push(None, None, message.into());
    }

    /// Notes a mistake of a column.
    pub(crate) fn column(&mut self, column: &str, message: impl Into<String>) {
        self.push(Some(column), None, message.into());
    }

    /// Notes a mistake of a row.
    pub(crate) fn row(&mut self, row: u64, message: impl Into<String>) {
        self.push(None, Some(row), message.into());
    }

    /// Notes a mistake of one cell.
    pub(crate) fn cell(&mut self, column: &str, row: u64, message: impl Into<String>) {
        self.push(Some(column), Some(row), message.into());
    }

    /// Notes a mistake in the schema.
    pub(crate) fn schema(&mut self, file: &str, line: u32, key: &str, message: impl Into<String>) {
        self.refusals.add(Refusal {
            file: file.to_owned(),
            line: Some(line),
            column: Some(key.to_owned()),
            row: None,
            message: message.into(),
        });
    }

    fn push(&mut self, column: Option<&str>, row: Option<u64>, message: String) {
        let column = column.map(str::to_owned);
        self.refusals.add(Refusal { file: self.file.clone(), line: None, column, row, message });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.refusals.listed.is_empty()
    }

    /// Fails if there was a mistake.
    pub(crate) fn check(&mut self) -> Result<(), ImportError> {
        if self.is_empty() { Ok(()) } else { Err(ImportError::Refused(std::mem::take(&mut self.refusals))) }
    }

    /// The error, after a mistake that stopped the import.
    pub(crate) fn into_error(self) -> ImportError {
        ImportError::Refused(self.refusals)
    }
}

impl Refusals {
    fn add(&mut self, refusal: Refusal) {
        if self.listed.len() < LISTED { self.listed.push(refusal) } else { self.more += 1 }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match (self.line, &self.column, self.row) {
            (Some(line), Some(key), _) => write!(f, ":{line}: {key}")?,
            (_, Some(column), Some(row)) => write!(f, ": column \"{column}\", row {row}")?,
            (_, Some(column), None) => write!(f, ": column \"{column}\"")?,
            (_, None, Some(row)) => write!(f, ": row {row}")?,
            (_, None, None) => {}
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, refusal) in self.listed.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{refusal}")?;
        }
        if self.more > 0 { write!(f, "\nand {} more", self.more) } else { Ok(()) }
    }
}

impl std::error::Error for Refusals {}
