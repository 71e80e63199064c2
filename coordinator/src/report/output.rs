//! Output files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use umbra_core::digest::{Digest, StreamHasher};
use umbra_runtime::files::{FileError, sync_parent};

/// A file of the findings, as it lies in the output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsFile {
    /// Its name within the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
}

/// A file being written beside its place, readable by its owner alone (findings name patients); it takes
/// its place on [`Draft::commit`] and vanishes without.
#[derive(Debug)]
pub(super) struct Draft {
    file: File,
    name: String,
    target: PathBuf,
    temporary: PathBuf,
}

impl Draft {
    /// Starts a file of the folder `dir`.
    pub fn create(dir: &Path, name: &str) -> Result<Self, FileError> {
        // Unique among the processes and threads of this machine; one left by a crash is never reused.
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = dir.join(format!(".{name}.{}-{count}.tmp", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(&temporary).map_err(FileError::io("create", &temporary))?;
        Ok(Self { file, name: name.to_owned(), target: dir.join(name), temporary })
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Wraps an error of writing to [`Draft::file`].
    pub fn write_error(&self, source: std::io::Error) -> FileError {
        FileError::Io { action: "write", path: self.target.clone(), source }
    }

    /// Makes the file durable and puts it in its place.
    pub fn commit(mut self) -> Result<FindingsFile, FileError> {
        self.file.sync_all().map_err(FileError::io("write", &self.target))?;
        let (bytes, digest) = self.digest().map_err(FileError::io("read back", &self.target))?;
        fs::rename(&self.temporary, &self.target).map_err(FileError::io("replace", &self.target))?;
        sync_parent(&self.target)?;
        Ok(FindingsFile { name: std::mem::take(&mut self.name), bytes, digest })
    }

    fn digest(&mut self) -> std::io::Result<(u64, Digest)> {
        self.file.rewind()?;
        let mut hasher = StreamHasher::default();
        let mut buffer = vec![0; 1 << 18];
        let mut bytes = 0;
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok((bytes, hasher.finish())),
                n => {
                    hasher.update(&buffer[..n]);
                    bytes += n as u64;
                }
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a commit there is nothing by this name; after a failure its error is the one to report.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Writes bytes as a file of the folder `dir`.
pub(super) fn write_bytes(dir: &Path, name: &str, bytes: &[u8]) -> Result<FindingsFile, FileError> {
    let draft = Draft::create(dir, name)?;
    draft.file().write_all(bytes).map_err(|source| draft.write_error(source))?;
    draft.commit()
}
