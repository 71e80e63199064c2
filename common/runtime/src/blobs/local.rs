//! The local folder: taken by one process, cleaned of what a crash left.

use std::fs;
use std::io;
use std::path::Path;

use crate::FolderLock;
use crate::files::{self, FileError};
use object_store::local::LocalFileSystem;

use super::error::{BlobError, OpenBlobsError};
use super::{OBJECTS, STAGING, UPLOADS};

/// Locks, cleans and opens the folder.
pub fn open(folder: &Path) -> Result<(LocalFileSystem, FolderLock), OpenBlobsError> {
    let lock = FolderLock::take(folder)?;
    for name in [OBJECTS, STAGING, UPLOADS] {
        files::create_private_folder(&folder.join(name))?;
    }
    let staging = folder.join(STAGING);
    for entry in read_folder(&staging)? {
        remove(&entry.path())?;
    }
    remove_unfinished(&folder.join(OBJECTS))?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| BlobError::caused(&error))?;
    Ok((store.with_fsync(true).with_automatic_cleanup(true), lock))
}

/// The object store writes a small object as `name#1` beside its place before it links it there. No
/// key has such a name.
fn remove_unfinished(folder: &Path) -> Result<(), FileError> {
    for entry in read_folder(folder)? {
        let path = entry.path();
        // Links are not followed: they were not made by us.
        let kind = entry.file_type().map_err(FileError::io("read", &path))?;
        if kind.is_dir() {
            remove_unfinished(&path)?;
        } else if entry.file_name().to_string_lossy().contains('#') {
            remove(&path)?;
        }
    }
    Ok(())
}

fn read_folder(folder: &Path) -> Result<Vec<fs::DirEntry>, FileError> {
    let entries = fs::read_dir(folder).map_err(FileError::io("read the folder", folder))?;
    entries.collect::<Result<_, _>>().map_err(FileError::io("read the folder", folder))
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => tracing::info!(path = %path.display(), "removed an unfinished write"),
        // A write dropped just before may be cleaning up after itself.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FileError::io("remove", path)(error)),
    }
    Ok(())
}
