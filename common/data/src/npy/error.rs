//! What can be wrong with an NPY file.

use std::io;

/// Why an array cannot be read: one sentence with the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The file cannot be read: check path, rights and disk.
    #[error("{name}: cannot be read: {source}; check the path and its rights")]
    Io {
        /// The file.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not the array it should be.
    #[error("{name}: {what}")]
    Wrong {
        /// The file.
        name: String,
        /// What is wrong, and the remedy.
        what: String,
    },
}
