//! The folder that findings appear in, all of them or none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use umbra_runtime::FolderLock;
use umbra_runtime::files::{self, FileError};

use crate::exit::Failure;
use crate::out_folder::{first_visible, lock};

/// Says, where it is, that all the others are there.
const LAST: &str = "summary.json";

/// An output folder that this process holds. Findings are written to a hidden folder in it and moved once
/// they are complete; dropped without [`Place::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Whether the folder was there before.
    is_old: bool,
    _lock: FolderLock,
}

impl Place {
    /// Takes a folder that does not exist, or has nothing visible in it.
    ///
    /// # Errors
    /// If it holds files, belongs to another process, or cannot be written.
    pub fn take(path: &Path) -> Result<Self, Failure> {
        refuse_used(path)?;
        let is_old = path.exists();
        let lock = lock(path)?;
        let place = Self { path: path.to_owned(), is_old, _lock: lock };
        // Whoever held the lock may have just finished.
        refuse_used(path)?;
        let draft = place.draft();
        // What a killed process left.
        match fs::remove_dir_all(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(FileError::io("empty", &draft)(error)));
            }
            _ => {}
        }
        files::create_private_folder(&draft).map_err(failed)?;
        Ok(place)
    }

    /// The folder that findings are written to.
    pub fn draft(&self) -> PathBuf {
        self.path.join(".state").join("findings")
    }

    /// Moves the findings to where they are looked for.
    ///
    /// # Errors
    /// If a file cannot be moved.
    pub fn publish(self, names: &[String]) -> Result<(), Failure> {
        let (last, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| *name == LAST);
        for name in others.into_iter().chain(last) {
            let target = self.path.join(name);
            fs::rename(self.draft().join(name), &target)
                .map_err(FileError::io("write", &target))
                .and_then(|()| files::sync_parent(&target))
                .map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever still writes finds no folder, and what it wrote meanwhile is removed by the second go.
        for _ in 0..3 {
            if fs::remove_dir_all(self.path.join(".state")).is_ok() {
                break;
            }
        }
        if !self.is_old {
            // It stays where findings are in it.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Refuses a folder with visible files in it, and what is no folder.
fn refuse_used(path: &Path) -> Result<(), Failure> {
    let unusable = |error: io::Error| {
        Failure::usage(format!(
            "cannot use {} as output folder: {error}; name another with --out",
            path.display()
        ))
    };
    match first_visible(path).map_err(unusable)? {
        Some(name) => Err(Failure::usage(format!(
            "{} holds files such as {name} already: name a new folder with --out",
            path.display()
        ))),
        None => Ok(()),
    }
}

fn failed(error: FileError) -> Failure {
    Failure::failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(path: &Path) -> Vec<String> {
        let names =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn findings_appear_together_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("out");
        let place = Place::take(&path).unwrap();
        fs::write(place.draft().join("summary.json"), b"{}").unwrap();
        drop(place);
        assert!(!path.exists(), "nothing of an interrupted run stays");

        fs::create_dir(&path).unwrap();
        let place = Place::take(&path).unwrap();
        fs::write(place.draft().join("summary.json"), b"{}").unwrap();
        place.publish(&["summary.json".to_owned()]).unwrap();
        assert_eq!(visible(&path), ["summary.json"]);
        let failure = Place::take(&path).unwrap_err();
        assert!(failure.to_string().contains("holds files such as summary.json already"), "{failure}");
    }

    #[test]
    fn one_process_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("out");
        let held = Place::take(&path).unwrap();
        assert!(Place::take(&path).unwrap_err().to_string().contains("is in use by"));
        drop(held);
        drop(Place::take(&path).unwrap());
        fs::write(&path, b"a file").unwrap();
        assert!(Place::take(&path).unwrap_err().to_string().contains("cannot use"));
    }
}
