//! The scratch folder: data sets that were fetched, and results until they are sent.
//!
//! Workers may share the parent. Each takes the first free folder `worker-N` within and holds its lock;
//! a later worker takes over the folder of one that is gone, keeps its data sets (their digests are
//! verified before use) and clears away the rest.

use std::fs;
use std::path::{Path, PathBuf};

use umbra_core::ids::Fence;
use umbra_runtime::FolderLock;
use umbra_runtime::files::{self, FileError};
use umbra_runtime::lock::LockError;

/// The most workers that share one parent.
const MAX_WORKERS: u32 = 1024;
const DATASETS: &str = "datasets";
const RESULTS: &str = "results";

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
        files::create_private_folder(&results)
    }

    /// This worker's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.lock.folder()
    }

    /// The folder for data sets.
    pub(crate) fn datasets(&self) -> PathBuf {
        self.lock.folder().join(DATASETS)
    }

    /// Where a result waits to be sent.
    pub(crate) fn result(&self, fence: Fence) -> PathBuf {
        self.lock.folder().join(RESULTS).join(format!("logits-{fence}"))
    }

    /// Where a pack's weights wait to be sent.
    pub(crate) fn weights(&self, fence: Fence) -> PathBuf {
        self.lock.folder().join(RESULTS).join(format!("weights-{fence}"))
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
        fs::create_dir(first.datasets()).unwrap();
        fs::write(first.datasets().join("set"), b"data").unwrap();
        fs::write(first.result(Fence(7)), b"logits").unwrap();
        drop(first);

        let third = Scratch::take(parent.path()).unwrap();
        assert!(third.datasets().join("set").exists() && !third.result(Fence(7)).exists());
    }
}
