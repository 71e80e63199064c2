//! The local folder: taken by one process, cleaned of what a crash left.

use std::fs::{self, File};
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

/// Gives a durable file a second name, if that is free, and makes that durable, with the folders that are made
/// for it. As the object store does, but what changed is synced once and together, not folder by folder.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    let parent = to.parent().unwrap_or(to);
    let mut there = parent;
    loop {
        match fs::hard_link(from, to) {
            Ok(()) => break,
            // A folder is missing; another's delete may take it away again.
            Err(error) if error.kind() == io::ErrorKind::NotFound && from.exists() => {
                let known = parent.ancestors().find(|folder| folder.is_dir()).unwrap_or(parent);
                // The uppermost that was the last to be there, of all attempts.
                if known.as_os_str().len() < there.as_os_str().len() {
                    there = known;
                }
                fs::create_dir_all(parent)?;
            }
            Err(error) => return Err(error),
        }
    }
    // Only unix lets a folder be opened; elsewhere a name is as durable as it gets.
    if cfg!(unix) {
        for folder in parent.ancestors() {
            File::open(folder)?.sync_all()?;
            if folder == there {
                break;
            }
        }
    }
    Ok(())
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
