//! What can be wrong with an encoded data set.

use std::io;

/// Why an encoded data set cannot be used, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be read: check path, rights and disk, or try again.
    #[error("{path}: cannot be read: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are something else: import the data first.
    #[error("{name}: not an encoded data set; import the data first (umbra dataset import)")]
    NotADataset {
        /// The file, or what was read.
        name: String,
    },
    /// Written by another version of Umbra: import the data again with this one.
    #[error("{name}: {what} is not known to this version; import the data again")]
    Unsupported {
        /// The file, or what was read.
        name: String,
        /// What is not known.
        what: String,
    },
    /// The bytes are damaged: fetch or import the data set again.
    #[error("{name}: damaged: {what}; fetch or import the data set again")]
    Damaged {
        /// The file, or what was read.
        name: String,
        /// What does not fit.
        what: String,
    },
}

impl DataError {
    /// Names the file that an error is about.
    pub(crate) fn named(self, file: &str) -> Self {
        let name = file.to_owned();
        match self {
            Self::Io { source, .. } => Self::Io { path: name, source },
            Self::NotADataset { .. } => Self::NotADataset { name },
            Self::Unsupported { what, .. } => Self::Unsupported { name, what },
            Self::Damaged { what, .. } => Self::Damaged { name, what },
        }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { name: "the data set".to_owned(), what: what.into() }
    }
}
