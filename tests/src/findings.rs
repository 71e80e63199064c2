//! The findings of an audit as digests, to be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use umbra_core::digest::Digest;

/// The files that any two runs of an audit must agree on, byte for byte.
pub const FILES: [&str; 7] = [
    "membership.npy",
    "patients.parquet",
    "records.parquet",
    "report.html",
    "scores-global.npy",
    "scores-lira-online.npy",
    "summary.json",
];

/// Tells when, where and by whom, and may differ; or is the folder's own record.
const ASIDE: [&str; 2] = ["audit.json", "run.json"];

/// SHA-256 of every file of the findings but `run.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(BTreeMap<String, Digest>);

impl Findings {
    /// Reads a folder of findings.
    ///
    /// # Panics
    /// If a file is missing, there is one too many, or the folder cannot be read.
    pub fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).expect("the findings can be listed") {
            let name = entry.expect("the findings can be listed").file_name();
            let name = name.into_string().expect("findings have plain names");
            if !name.starts_with('.') && !ASIDE.contains(&name.as_str()) {
                let bytes = fs::read(folder.join(&name)).expect("findings can be read");
                files.insert(name, Digest::of(&bytes));
            }
        }
        assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), FILES, "in {}", folder.display());
        Self(files)
    }

    /// Asserts that all files are the same bytes in both.
    ///
    /// # Panics
    /// If they are not, naming those that differ.
    pub fn assert_same(&self, other: &Self, what: &str) {
        let differ: Vec<_> = self.0.iter().filter(|(name, digest)| other.0[*name] != **digest).collect();
        assert!(differ.is_empty(), "{what}: these differ: {differ:?}");
    }

    /// The digest of one file.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn digest(&self, name: &str) -> Digest {
        self.0[name]
    }
}
