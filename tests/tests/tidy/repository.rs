//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file.
pub struct File {
    /// Its path from the root, with slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl File {
    /// Its lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether it holds tests only.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The path from the root without its extension's kind: whether it ends so.
    pub fn is_kind(&self, kinds: &[&str]) -> bool {
        kinds.iter().any(|kind| self.path.ends_with(&format!(".{kind}")))
    }
}

/// Folders at the top that hold the project; whatever else lies there is somebody's own.
const ROOMS: [&str; 10] =
    [".cargo", ".ci", "client", "common", "coordinator", "deploy", "docs", "proto", "tests", "worker"];

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository")
}

/// All text files of the repository.
pub fn files() -> Vec<File> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root()).expect("the root can be listed") {
        let path = entry.expect("the root can be listed").path();
        let is_room = ROOMS.iter().any(|room| path.ends_with(room));
        if path.is_file() || is_room {
            collect(&path, &mut paths);
        }
    }
    paths.sort();
    // What is not UTF-8 is data.
    let texts = paths.into_iter().filter_map(|path| Some((fs::read_to_string(&path).ok()?, path)));
    let read: Vec<File> = texts
        .map(|(text, path)| {
            let path = path.strip_prefix(root()).expect("it lies below the root");
            File { path: path.display().to_string().replace('\\', "/"), text }
        })
        .collect();
    assert!(read.len() > 200, "only {} files were found", read.len());
    read
}

/// The Rust sources.
pub fn sources() -> Vec<File> {
    files().into_iter().filter(|file| file.is_kind(&["rs"])).collect()
}

fn collect(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_file() {
        into.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).expect("a folder can be listed") {
        let path = entry.expect("a folder can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !["target", "node_modules", "__pycache__"].contains(&name.as_str()) {
            collect(&path, into);
        }
    }
}

/// Asserts that there is nothing to complain of.
pub fn assert_tidy(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}
