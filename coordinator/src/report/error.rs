//! Why there is no report.

use umbra_runtime::files::FileError;

/// Why findings could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file could not be written; a retry helps once the disk has room and rights.
    #[error(transparent)]
    File(#[from] FileError),
    /// The analysis and the facts about the audit do not belong together: a mistake of the caller.
    #[error("the findings do not fit the audit: {0}")]
    Mismatch(String),
    /// A table could not be encoded.
    #[error("cannot write {name}: {source}")]
    Table {
        /// The file.
        name: &'static str,
        /// What the encoder says.
        source: ::parquet::errors::ParquetError,
    },
    /// A JSON file could not be encoded.
    #[error("cannot write {name}: {source}")]
    Json {
        /// The file.
        name: &'static str,
        /// What the encoder says.
        source: serde_json::Error,
    },
    /// The page could not be laid out.
    #[error("cannot lay out report.html: {0}")]
    Page(#[from] askama::Error),
}
