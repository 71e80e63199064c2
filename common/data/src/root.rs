//! The folder that records lie in: nothing outside of it is read, whatever a manifest or a header says.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use crate::table::shown;

/// A folder without links in its path.
#[derive(Debug, Clone)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// The folder of a manifest, or one inside of it.
    pub(crate) fn new(manifest: &Path, folder: Option<&str>) -> Result<Self, String> {
        let beside = match manifest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let inside = folder.map_or(Ok(PathBuf::new()), plain)?;
        let path = beside.join(inside);
        let found = path.canonicalize();
        let found = found.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        if found.is_dir() { Ok(Self(found)) } else { Err(format!("{} is no folder", path.display())) }
    }

    /// Reads a file of at most `most` bytes, the first `wanted` of it where that is enough; `text` is a path
    /// from this folder. Or says why not.
    pub(crate) fn read(&self, text: &str, most: u64, wanted: Option<u64>) -> Result<Vec<u8>, String> {
        let path = self.0.join(plain(text)?);
        let failed = |error: std::io::Error| format!("{} cannot be read: {error}", shown(text));
        // Links are followed first, so that what they lead to is what is judged.
        let found = path.canonicalize().map_err(failed)?;
        if !found.starts_with(&self.0) {
            return Err(format!(
                "{} leads out of the folder of the records: copy the file into it",
                shown(text)
            ));
        }
        // Asked before it is opened: opening a pipe would wait for its other end.
        let metadata = std::fs::metadata(&found).map_err(failed)?;
        if !metadata.is_file() {
            return Err(format!("{} is no file", shown(text)));
        }
        if wanted.is_none() && metadata.len() > most {
            return Err(format!("{} has {} bytes, more than {most}", shown(text), metadata.len()));
        }
        let mut bytes = Vec::new();
        let limit = wanted.unwrap_or(most).min(most);
        File::open(&found).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
        Ok(bytes)
    }
}

/// A path that goes down only.
fn plain(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let down = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if text.is_empty() || text.contains('\0') || !path.components().all(down) {
        return Err(format!(
            "{} is no path inside the folder of the records: write it from there, without \"..\"",
            shown(text)
        ));
    }
    Ok(path.to_owned())
}
