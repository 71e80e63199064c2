//! The scratch folder: data sets that were fetched, and results until they are sent.
//!
//! Workers may share the parent. Each takes the first free folder `worker-N` within and holds its lock;
//! a later worker takes over the folder of one that is gone, keeps its data sets (their digests are
//! verified before use) and clears away the rest.

use std::fs;
use std::path::{Path, PathBuf};

use umbra_core::digest::Digest;
use umbra_core::ids::Fence;
use umbra_runtime::FolderLock;
use umbra_runtime::files::{self, FileError};
use umbra_runtime::lock::LockError;

/// The most workers that share one parent.
const MAX_WORKERS: u32 = 1024;
const DATASETS: &str = "datasets";
const RESULTS: &str = "results";
const PART: &str = "part";

/// This worker's folder; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    lock: FolderLock,
}

/// A scratch folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// Every folder within is taken.
    #[error("{MAX_WORKERS} workers use the scratch folder {parent}: give this one another")]
    Crowded {
        /// The shared parent.
        parent: PathBuf,
    },
    /// The system refuses.
    #[error("the scratch folder cannot be used: {0}")]
    File(#[from] FileError),
}

impl Scratch {
    /// Takes a folder below `parent` and clears what a worker that is gone left unfinished there.
    pub(crate) fn take(parent: &Path) -> Result<Self, ScratchError> {
        for number in 0..MAX_WORKERS {
            match FolderLock::take(&parent.join(format!("worker-{number}"))) {
                Ok(lock) => {
                    let scratch = Self { lock };
                    scratch.clear()?;
                    return Ok(scratch);
                }
                Err(LockError::Held { .. }) => {}
                Err(LockError::File(error)) => return Err(error.into()),
            }
        }
        Err(ScratchError::Crowded { parent: parent.to_owned() })
    }

    fn clear(&self) -> Result<(), FileError> {
        let results = self.lock.folder().join(RESULTS);
        if results.exists() {
            fs::remove_dir_all(&results).map_err(FileError::io("clear", &results))?;
        }
        files::create_private_folder(&results)?;
        files::create_private_folder(&self.datasets())?;
        for (path, _) in self.files(|path| path.extension().is_some_and(|extension| extension == PART))? {
            fs::remove_file(&path).map_err(FileError::io("remove", &path))?;
        }
        Ok(())
    }

    /// This worker's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.lock.folder()
    }

    /// Where a data set lies once it is whole.
    pub(crate) fn dataset(&self, digest: &Digest) -> PathBuf {
        self.datasets().join(digest.to_string())
    }

    /// Where a data set grows.
    pub(crate) fn partial(&self, digest: &Digest) -> PathBuf {
        self.datasets().join(format!("{digest}.{PART}"))
    }

    /// Where a result waits to be sent.
    pub(crate) fn result(&self, fence: Fence) -> PathBuf {
        self.lock.folder().join(RESULTS).join(format!("logits-{fence}"))
    }

    /// Makes room for `wanted` more bytes of data sets within `limit`: those not `in_use` go, least
    /// recently written first. False if that is not enough.
    pub(crate) fn make_room(
        &self,
        wanted: u64,
        limit: u64,
        in_use: impl Fn(&Path) -> bool,
    ) -> Result<bool, FileError> {
        let mut files = self.files(|_| true)?;
        files.sort_by_key(|(_, metadata)| metadata.modified().ok());
        let mut total: u64 = files.iter().map(|(_, metadata)| metadata.len()).sum();
        for (path, metadata) in files {
            if total.saturating_add(wanted) <= limit {
                break;
            }
            if !in_use(&path) {
                fs::remove_file(&path).map_err(FileError::io("remove", &path))?;
                total -= metadata.len();
            }
        }
        Ok(total.saturating_add(wanted) <= limit)
    }

    fn datasets(&self) -> PathBuf {
        self.lock.folder().join(DATASETS)
    }

    fn files(&self, wanted: impl Fn(&Path) -> bool) -> Result<Vec<(PathBuf, fs::Metadata)>, FileError> {
        let folder = self.datasets();
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(FileError::io("list", &folder))? {
            let entry = entry.map_err(FileError::io("list", &folder))?;
            let path = entry.path();
            let metadata = entry.metadata().map_err(FileError::io("look at", &path))?;
            if metadata.is_file() && wanted(&path) {
                files.push((path, metadata));
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_parent_and_take_over_from_the_gone() {
        let parent = tempfile::tempdir().unwrap();
        let first = Scratch::take(parent.path()).unwrap();
        let second = Scratch::take(parent.path()).unwrap();
        assert_ne!(first.folder(), second.folder());
        let digest = Digest::of(b"data");
        fs::write(first.dataset(&digest), b"data").unwrap();
        fs::write(first.partial(&digest), b"da").unwrap();
        fs::write(first.result(Fence(7)), b"logits").unwrap();
        drop(first);

        let third = Scratch::take(parent.path()).unwrap();
        assert!(third.dataset(&digest).exists());
        assert!(!third.partial(&digest).exists() && !third.result(Fence(7)).exists());
    }

    #[test]
    fn room_is_made_of_what_is_not_in_use() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::take(parent.path()).unwrap();
        let paths = [b"a", b"b", b"c"].map(|name| scratch.dataset(&Digest::of(name)));
        paths.iter().for_each(|path| fs::write(path, [0; 100]).unwrap());
        let busy = paths[0].clone();
        assert!(scratch.make_room(100, 400, |_| false).unwrap());
        assert!(paths.iter().all(|path| path.exists()));
        assert!(scratch.make_room(100, 200, |path| path == busy).unwrap());
        assert!(busy.exists() && !paths[1].exists() && !paths[2].exists());
        assert!(!scratch.make_room(150, 200, |path| path == busy).unwrap());
    }
}
