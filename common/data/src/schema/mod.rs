//! The schema file: what the data are, and which column is what.

mod check;
mod parse;
mod pieces;
#[cfg(test)]
mod tests;

use umbra_core::document::Mistakes;

pub(crate) use pieces::{ArrayKeys, AxisOrder, ImageKeys, Normalize, Source, WfdbKeys};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    /// A table, one record per row.
    Table,
    /// Arrays that numpy saved, one record per position on the first axis.
    Array,
    /// PNG and JPEG files with a manifest, one record per row of it.
    Images,
    /// WFDB records with a manifest, one record per row of it.
    Wfdb,
}

/// How a column becomes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A number, standardised.
    Numeric,
    /// A level, one-hot.
    Categorical,
    /// Not used.
    Ignore,
}

/// A checked schema: every column has one role. Whether the columns exist is seen at import.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub(crate) file: String,
    pub(crate) source: Source,
    pub(crate) labels: Vec<Named>,
    pub(crate) unit: Option<Named>,
    pub(crate) groups: Vec<Named>,
    pub(crate) group_only: Vec<Named>,
    pub(crate) ignore: Vec<Named>,
    pub(crate) columns: Vec<(Named, ColumnKind)>,
}

/// A column's name and where the schema says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub name: String,
    pub key: String,
    pub line: u32,
}

impl DatasetKind {
    /// The word for it in a schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Array => "array",
            Self::Images => "images",
            Self::Wfdb => "wfdb",
        }
    }
}

impl Schema {
    /// Reads a schema from its text; `file` is its path, which later messages name and which paths inside are
    /// relative to.
    ///
    /// # Errors
    /// All mistakes at once: not TOML, unknown keys, no label, columns with two roles, values out of range.
    pub fn parse(text: &str, file: &str) -> Result<Self, Mistakes> {
        parse::parse(text, file)
    }

    /// What the file holds.
    pub fn kind(&self) -> DatasetKind {
        match self.source {
            Source::Table => DatasetKind::Table,
            Source::Array(_) => DatasetKind::Array,
            Source::Images(_) => DatasetKind::Images,
            Source::Wfdb(_) => DatasetKind::Wfdb,
        }
    }

    /// The columns of the labels; one where it names a class.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|label| label.name.as_str())
    }

    /// The column that names units; `None` where every record is its own unit.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_ref().map(|unit| unit.name.as_str())
    }

    /// The columns that are attributes of units.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.name.as_str())
    }

    /// Whether the column is not to be read.
    pub(crate) fn ignores(&self, column: &str) -> bool {
        match self.kind() {
            DatasetKind::Table => {
                self.ignore.iter().any(|named| named.name == column)
                    || self.kind_of(column) == Some(ColumnKind::Ignore)
            }
            // Beside arrays, images and signals only what the schema names is of interest.
            _ => !self.names(column),
        }
    }

    /// Whether the schema speaks of the column.
    pub(crate) fn names(&self, column: &str) -> bool {
        self.all_names().any(|named| named.name == column)
    }

    /// The kind that the schema gives a column.
    pub(crate) fn kind_of(&self, column: &str) -> Option<ColumnKind> {
        self.columns.iter().find(|(named, _)| named.name == column).map(|(_, kind)| *kind)
    }

    /// Every name in the schema, in the order of its roles.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = &Named> {
        self.source
            .path()
            .into_iter()
            .chain(&self.labels)
            .chain(&self.unit)
            .chain(&self.groups)
            .chain(&self.ignore)
            .chain(self.columns.iter().map(|(named, _)| named))
    }
}
