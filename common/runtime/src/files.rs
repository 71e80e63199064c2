//! Files that are never seen half-written, and reads that are never larger than expected.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file operation that failed: what, where and why.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused an operation.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was attempted, such as "read".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than such a file can be.
    #[error("{path} is larger than {limit} bytes: this cannot be the right file")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound in bytes.
        limit: u64,
    },
    /// The path has no file name or is a folder.
    #[error("{path} is not the name of a file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
}

impl FileError {
    /// Wraps what the system says; fits `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Whom the process's umask lets.
    Public,
    /// The owner alone: tokens, seeds, patient data.
    Private,
}

/// Writes a file so that a reader, even after a crash, finds the old content or the new, never a
/// mixture: temporary file in the same folder, fsync, rename, fsync of the folder.
///
/// # Errors
/// [`FileError`]; the old content is then still there.
pub fn write_atomic(path: &Path, bytes: &[u8], privacy: Privacy) -> Result<(), FileError> {
    let mut file = NewFile::create(path, privacy)?;
    file.write(bytes)?;
    file.finish()
}

/// A file that grows beside its place and is put there once it is whole; dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewFile {
    /// Begins the file that will be at `path`.
    ///
    /// # Errors
    /// [`FileError`] if its folder cannot be written to.
    pub fn create(path: &Path, privacy: Privacy) -> Result<Self, FileError> {
        let name = path.file_name().ok_or_else(|| FileError::NotAFile { path: path.to_owned() })?;
        // Unique among the processes and threads of this machine; one left by a crash is never reused.
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut temporary_name = std::ffi::OsString::from(".");
        temporary_name.push(name);
        temporary_name.push(format!(".{}-{count}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary_name);
        let file = create_new(&temporary, privacy)?;
        Ok(Self { path: path.to_owned(), temporary, file })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`FileError`] if they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(FileError::io("write", &self.temporary))
    }

    /// What was written so far, from its start.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be opened.
    pub fn read(&self) -> Result<File, FileError> {
        File::open(&self.temporary).map_err(FileError::io("open", &self.temporary))
    }

    /// Makes it durable and puts it in its place; what was there before is replaced.
    ///
    /// # Errors
    /// [`FileError`]; the old content is then still there.
    pub fn finish(self) -> Result<(), FileError> {
        self.file.sync_all().map_err(FileError::io("sync", &self.temporary))?;
        fs::rename(&self.temporary, &self.path).map_err(FileError::io("replace", &self.path))?;
        sync_parent(&self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already, once it was put in its place; else the error that led here is the one to report.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// [`FileError`] if it cannot be read, is no regular file, or is larger.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::io("open", path))?;
    let metadata = file.metadata().map_err(FileError::io("read", path))?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Creates a folder and its parents, readable by the owner alone where it is new.
///
/// # Errors
/// [`FileError`] if that is not possible, as when a file is in the way.
pub fn create_private_folder(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(FileError::io("create the folder", path))
}

/// Makes the entries of a file's folder durable.
///
/// # Errors
/// [`FileError`] if the folder cannot be synced.
pub fn sync_parent(path: &Path) -> Result<(), FileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Only unix lets a folder be opened; elsewhere a rename is as durable as it gets.
    if cfg!(unix) {
        let folder = File::open(parent).map_err(FileError::io("open", parent))?;
        folder.sync_all().map_err(FileError::io("sync", parent))?;
    }
    Ok(())
}

fn create_new(path: &Path, privacy: Privacy) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if privacy == Privacy::Private {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = privacy;
    options.open(path).map_err(FileError::io("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pointer");
        write_atomic(&path, b"old", Privacy::Public).unwrap();
        write_atomic(&path, b"new", Privacy::Private).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["pointer"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = write_atomic(&path, b"new", Privacy::Public).unwrap_err();
        assert!(error.to_string().starts_with("cannot replace "), "{error}");
        assert_eq!(names(folder.path()), ["taken"]);
        assert!(write_atomic(&folder.path().join("no/such"), b"x", Privacy::Public).is_err());
        assert!(matches!(
            write_atomic(Path::new("/"), b"x", Privacy::Public),
            Err(FileError::NotAFile { .. })
        ));
    }

    #[test]
    fn reads_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert!(matches!(read_bounded(&path, 4), Err(FileError::TooLarge { limit: 4, .. })));
        assert!(matches!(read_bounded(folder.path(), 4), Err(FileError::NotAFile { .. })));
        assert!(matches!(read_bounded(&folder.path().join("none"), 4), Err(FileError::Io { .. })));
    }
}
