//! AUDIT.toml: read, checked as a whole, and kept so that later refusals find their line.

mod keys;
mod parse;

use std::fmt;
use std::path::Path;

use umbra_core::document::Document;
use umbra_core::spec::{AuditSpec, SpecDraft, Violation};
use umbra_runtime::files;

use crate::exit::Failure;

pub use keys::{Source, TableFiles, stem};

/// The largest audit file that is read, in bytes.
const LIMIT: u64 = umbra_core::document::MAX_BYTES as u64;

/// A checked audit file.
#[derive(Debug)]
pub struct AuditFile {
    file: String,
    document: Document,
    draft: SpecDraft,
    source: Source,
}

impl AuditFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// All mistakes at once, `FILE:LINE: key: sentence` each.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read_bounded(path, LIMIT)
            .map_err(|error| Failure::usage(format!("{error}; name an audit file such as AUDIT.toml")))?;
        let file = path.display().to_string();
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("{file} is not UTF-8 text: an audit file is TOML")))?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &file, base, &|path| missing(path))
    }

    /// The specification with the data set under its final name.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn spec(&self, dataset: &str) -> Result<AuditSpec, Failure> {
        let draft = SpecDraft { dataset: dataset.to_owned(), ..self.draft.clone() };
        AuditSpec::try_new(&draft).map_err(|wrong| self.refused(wrong.iter()))
    }

    /// Where the data set comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// A refusal of fields, by the core or by a coordinator, with the lines of this file.
    pub fn refused<'v>(&self, violations: impl IntoIterator<Item = &'v Violation>) -> Failure {
        for violation in violations {
            self.document.mistake(&violation.field, violation.message.as_str());
        }
        match self.document.finish() {
            Err(mistakes) => Failure::usage(mistakes.in_file(&self.file).to_string()),
            Ok(()) => Failure::usage(format!("{}: the audit is refused", self.file)),
        }
    }
}

impl fmt::Display for AuditFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
}

/// What is wrong with a file that another file names, if something is.
fn missing(path: &Path) -> Option<String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(format!("{} is not a file", path.display())),
        Err(error) => Some(format!(
            "cannot read {}: {error}; paths are relative to the folder of this file",
            path.display()
        )),
    }
}
