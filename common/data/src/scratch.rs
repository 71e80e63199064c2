//! Files without a name, for what is too large for memory: gone when they are closed, however the process
//! ends.

use std::fs::File;
use std::io;

use crate::refusal::ImportError;

/// An empty file in the folder for temporary files (`TMPDIR`), which no other process can open by a name.
pub(crate) fn file() -> Result<File, ImportError> {
    tempfile::tempfile().map_err(failed)
}

/// A failed read or write of such a file.
pub(crate) fn failed(source: io::Error) -> ImportError {
    let path = format!("a scratch file in {}", std::env::temp_dir().display());
    ImportError::Io { path, source }
}
