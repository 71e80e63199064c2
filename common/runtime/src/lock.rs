//! One process a folder: a lock that goes with the process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::files::{self, FileError};

/// The lock file's name within the folder.
const NAME: &str = "lock";

/// An exclusive hold on a folder, released when it is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    // The lock belongs to the open file; the file stays, since removing it would race with the next.
    _file: File,
    folder: PathBuf,
}

/// A folder that could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or another part of this one, has it.
    #[error("the folder {folder} is in use by {holder}: stop that first, or use another folder")]
    Held {
        /// The folder.
        folder: PathBuf,
        /// "process 1234", as far as is known.
        holder: String,
    },
    /// The folder or the lock file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl FolderLock {
    /// Takes a folder, creating it if it is missing.
    ///
    /// # Errors
    /// [`LockError::Held`] naming the holder's process, or what the system says.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        files::create_private_folder(folder)?;
        let path = folder.join(NAME);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(FileError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { folder: folder.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(FileError::io("lock", &path)(error).into()),
        }
        // The number is for the sentence above only, so it need not be durable.
        let note = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        note.map_err(FileError::io("write", &path))?;
        Ok(Self { _file: file, folder: folder.to_owned() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(32).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) if pid == std::process::id() => format!("this process ({pid})"),
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_who_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new/data");
        let first = FolderLock::take(&folder).unwrap();
        let error = FolderLock::take(&folder).unwrap_err();
        let pid = std::process::id();
        assert!(error.to_string().contains(&format!("in use by this process ({pid})")), "{error}");
        drop(first);
        assert_eq!(FolderLock::take(&folder).unwrap().folder(), folder);
    }

    #[test]
    fn a_file_in_the_way_is_an_error_in_words() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        std::fs::write(&path, b"").unwrap();
        let error = FolderLock::take(&path).unwrap_err();
        assert!(error.to_string().starts_with("cannot create the folder "), "{error}");
    }
}
