//! Files that nobody else sees and nobody has to clean up: they have no name, and their room is free again
//! when they are dropped or the process ends, however it ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A nameless file in a folder, written and read by offset, by several threads at once.
#[derive(Debug)]
pub struct ScratchFile {
    file: File,
    folder: PathBuf,
    what: String,
    /// Bytes written so far, for the message when room runs out.
    written: AtomicU64,
}

/// A scratch file that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The folder has no room left.
    #[error(
        "there is no room left in {folder} for {what}, after {written} bytes of it: free some, or choose a \
         folder with more room for scratch files"
    )]
    Full {
        /// The folder.
        folder: PathBuf,
        /// What the file holds.
        what: String,
        /// Bytes that it took before.
        written: u64,
    },
    /// The system refused an operation.
    #[error("cannot {action} a scratch file for {what} in {folder}: {source}")]
    Io {
        /// What was attempted, such as "read".
        action: &'static str,
        /// The folder.
        folder: PathBuf,
        /// What the file holds.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

impl ScratchFile {
    /// A new, empty file in `folder`, which must exist; `what` it holds is named in errors.
    ///
    /// # Errors
    /// [`ScratchError`] if none can be made there.
    pub fn create(folder: &Path, what: &str) -> Result<Self, ScratchError> {
        let file =
            tempfile::tempfile_in(folder).map_err(|source| failed("create", folder, what, 0, source))?;
        Ok(Self { file, folder: folder.to_owned(), what: what.to_owned(), written: AtomicU64::new(0) })
    }

    /// Keeps `bytes` from `offset` on.
    ///
    /// # Errors
    /// [`ScratchError::Full`] where there is no room, or what the system says.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), ScratchError> {
        write_all(&self.file, offset, bytes).map_err(|source| self.failed("write", source))?;
        self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Fills `bytes` with what was written from `offset` on; zeros in gaps that never were.
    ///
    /// # Errors
    /// [`ScratchError`] past the end of the file, or what the system says.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ScratchError> {
        read_exact(&self.file, offset, bytes).map_err(|source| self.failed("read", source))
    }

    /// Maps the file.
    pub(crate) fn map<M>(&self, map: impl FnOnce(&File) -> io::Result<M>) -> Result<M, ScratchError> {
        map(&self.file).map_err(|source| self.failed("map", source))
    }

    fn failed(&self, action: &'static str, source: io::Error) -> ScratchError {
        failed(action, &self.folder, &self.what, self.written.load(Ordering::Relaxed), source)
    }
}

fn failed(action: &'static str, folder: &Path, what: &str, written: u64, source: io::Error) -> ScratchError {
    let (folder, what) = (folder.to_owned(), what.to_owned());
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ScratchError::Full { folder, what, written }
        }
        _ => ScratchError::Io { action, folder, what, source },
    }
}

#[cfg(unix)]
fn write_all(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_exact(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

// Elsewhere a handle has one position, so one thread at a time.
#[cfg(not(unix))]
static POSITION: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(not(unix))]
fn write_all(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek as _, Write as _};
    let _alone = POSITION.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    file.seek(io::SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

#[cfg(not(unix))]
fn read_exact(mut file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    use std::io::{Read as _, Seek as _};
    let _alone = POSITION.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_no_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = ScratchFile::create(folder.path(), "rows").unwrap();
        std::thread::scope(|scope| {
            for row in 0..8u8 {
                let file = &file;
                scope.spawn(move || file.write_at(u64::from(row) * 1000, &[row; 1000]).unwrap());
            }
        });
        let mut found = [0; 1000];
        for row in (0..8u8).rev() {
            file.read_at(u64::from(row) * 1000, &mut found).unwrap();
            assert_eq!(found, [row; 1000]);
        }
        let error = file.read_at(7500, &mut found).unwrap_err().to_string();
        assert!(error.starts_with("cannot read a scratch file for rows in "), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        let error = ScratchFile::create(&missing, "rows").unwrap_err().to_string();
        assert!(error.contains("cannot create a scratch file for rows in "), "{error}");
        assert!(error.contains(missing.to_str().unwrap()), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named_with_a_remedy() {
        // A device on which every write finds the disk full.
        let full = File::options().read(true).write(true).open("/dev/full").unwrap();
        let file = ScratchFile {
            file: full,
            folder: "scratch-folder".into(),
            what: "scores".into(),
            written: AtomicU64::new(42),
        };
        let error = file.write_at(0, &[0; 10]).unwrap_err().to_string();
        assert!(error.contains("no room left in scratch-folder for scores, after 42 bytes"), "{error}");
        assert!(error.contains("choose a folder with more room"), "{error}");
    }
}
