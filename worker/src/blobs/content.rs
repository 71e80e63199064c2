//! The bytes of a blob that is to be written.

use std::path::PathBuf;

use bytes::Bytes;

/// The bytes of a blob.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// In memory.
    Memory(Bytes),
    /// In a file that does not change.
    File(PathBuf),
}
