//! The folder an audit's findings go to: one audit a folder, one process at a time, never half a result.
//!
//! `audit.json` in it says which audit the folder belongs to and, once they are all there, which files its
//! findings are. `.state` holds what a run needs to go on after an interruption, and the lock.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use umbra_core::digest::{Digest, StreamHasher};
use umbra_runtime::FolderLock;
use umbra_runtime::files::{self, Privacy};
use umbra_runtime::lock::LockError;

use crate::exit::Failure;
use crate::output::plain;

/// The record's file name.
const RECORD: &str = "audit.json";

/// The record's largest size, in bytes.
const LIMIT: u64 = 4 << 20;

/// Which audit a folder belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The specification with the keys of AUDIT.toml, the seed replaced by its commitment.
    pub spec: Value,
    /// The data set's content digest, hexadecimal.
    pub data_digest: String,
}

/// A file of the findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name within the folder.
    pub name: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// The number of its bytes.
    pub size: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    format: u32,
    #[serde(flatten)]
    identity: Identity,
    /// The findings, once they are complete.
    files: Option<Vec<FileEntry>>,
}

const FORMAT: u32 = 1;

/// How a folder was found.
#[derive(Debug)]
pub enum Opened {
    /// The findings of this very audit are in it already.
    Complete,
    /// It is this process's now.
    Taken(OutFolder),
}

/// A folder that this process holds for one audit.
#[derive(Debug)]
pub struct OutFolder {
    path: PathBuf,
    identity: Identity,
    _lock: FolderLock,
}

impl OutFolder {
    /// Opens or creates the folder for an audit.
    ///
    /// # Errors
    /// If it belongs to another audit (naming every field that differs), to another process, holds
    /// something else, or cannot be written.
    pub fn open(path: &Path, identity: Identity) -> Result<Opened, Failure> {
        if is_complete(path, &identity)? {
            return Ok(Opened::Complete);
        }
        refuse_strangers(path)?;
        let lock = lock(path)?;
        // Whoever held the lock may have just finished.
        if is_complete(path, &identity)? {
            return Ok(Opened::Complete);
        }
        let folder = Self { path: path.to_owned(), identity, _lock: lock };
        folder.write(None)?;
        Ok(Opened::Taken(folder))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a run keeps what it needs to go on.
    pub fn state(&self) -> PathBuf {
        self.path.join(".state")
    }

    /// Records that the findings are complete and, unless they are to be kept, removes what was needed to
    /// get there.
    ///
    /// # Errors
    /// If the record cannot be written. Leftovers that cannot be removed are no failure.
    pub fn complete(self, files: Vec<FileEntry>, keep_state: bool) -> Result<(), Failure> {
        self.write(Some(files))?;
        if !keep_state && let Err(error) = fs::remove_dir_all(self.state()) {
            tracing::warn!(folder = %self.state().display(), %error, "leave the state behind");
        }
        Ok(())
    }

    fn write(&self, files: Option<Vec<FileEntry>>) -> Result<(), Failure> {
        let record = Record { format: FORMAT, identity: self.identity.clone(), files };
        let mut text = serde_json::to_vec_pretty(&record).expect("a record is plain data");
        text.push(b'\n');
        let path = self.path.join(RECORD);
        files::write_atomic(&path, &text, Privacy::Public).map_err(|error| Failure::failed(error.to_string()))
    }
}

/// Takes the lock of an output folder.
pub(crate) fn lock(path: &Path) -> Result<FolderLock, Failure> {
    FolderLock::take(&path.join(".state")).map_err(|error| match error {
        LockError::Held { holder, .. } => Failure::failed(format!(
            "{} is in use by {holder}: wait until it ends, or name another folder with --out",
            path.display()
        )),
        LockError::File(error) => Failure::failed(error.to_string()),
    })
}

/// The name of a file in a folder, for people, if there is one: hidden files are what an interrupted start
/// leaves, and a folder that is not there has none.
pub(crate) fn first_visible(path: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') {
            return Ok(Some(plain(&name)));
        }
    }
    Ok(None)
}

/// Whether the folder holds the complete findings of this audit.
fn is_complete(path: &Path, identity: &Identity) -> Result<bool, Failure> {
    let Some(record) = read(path)? else { return Ok(false) };
    let differing = differences(&record.identity, identity);
    if !differing.is_empty() {
        return Err(Failure::usage(format!(
            "{} holds another audit ({}): name another folder with --out",
            path.display(),
            differing.join("; ")
        )));
    }
    Ok(record.files.is_some_and(|files| files.iter().all(|entry| is_whole(path, entry))))
}

fn read(path: &Path) -> Result<Option<Record>, Failure> {
    let path = path.join(RECORD);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read_bounded(&path, LIMIT).map_err(|error| Failure::failed(error.to_string()))?;
    match serde_json::from_slice::<Record>(&bytes) {
        Ok(record) if record.format == FORMAT => Ok(Some(record)),
        _ => Err(Failure::usage(format!(
            "{} was not written by this version of umbra: name another folder with --out",
            path.display()
        ))),
    }
}

/// Refuses a folder with files in it but no record: they are someone else's.
fn refuse_strangers(path: &Path) -> Result<(), Failure> {
    if path.join(RECORD).exists() {
        return Ok(());
    }
    let unreadable =
        |error: io::Error| Failure::usage(format!("cannot use {} as output folder: {error}", path.display()));
    match first_visible(path).map_err(unreadable)? {
        Some(name) => Err(Failure::usage(format!(
            "{} holds other files such as {name}: name a new folder with --out",
            path.display()
        ))),
        None => Ok(()),
    }
}

fn is_whole(folder: &Path, entry: &FileEntry) -> bool {
    if !is_file_name(&entry.name) {
        return false;
    }
    let path = folder.join(&entry.name);
    let digest = || -> std::io::Result<Digest> {
        let mut file = fs::File::open(&path)?;
        let mut hasher = StreamHasher::default();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                read => hasher.update(&buffer[..read]),
            }
        }
    };
    let has_size = fs::metadata(&path).is_ok_and(|metadata| metadata.len() == entry.size);
    has_size && digest().is_ok_and(|digest| digest.to_string() == entry.sha256)
}

/// Whether a name from elsewhere is the name of a plain, visible file and nothing else.
pub fn is_file_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=128).contains(&name.len()) && !name.starts_with('.') && name.chars().all(good) && name != RECORD
}

/// The fields in which two audits differ: "training.epochs is 40 there, 2 here".
fn differences(there: &Identity, here: &Identity) -> Vec<String> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    flatten("", &there.spec, &mut old);
    flatten("", &here.spec, &mut new);
    let absent = "nothing".to_owned();
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut found = Vec::new();
    for key in keys {
        let (there, here) = (old.get(key).unwrap_or(&absent), new.get(key).unwrap_or(&absent));
        if there == here {
            continue;
        }
        found.push(match key.as_str() {
            "seed_commitment" => "seed differs".to_owned(),
            _ => plain(&format!("{key} is {there} there, {here} here")),
        });
    }
    if there.data_digest != here.data_digest {
        found.push("the data set's content differs".to_owned());
    }
    found
}

fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&key, value, into);
            }
        }
        other => {
            into.insert(path.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exit::Exit;

    fn identity(epochs: u32, data: &str) -> Identity {
        let spec = json!({ "name": "a", "seed_commitment": "s", "training": { "epochs": epochs } });
        Identity { spec, data_digest: data.into() }
    }

    fn taken(path: &Path) -> OutFolder {
        match OutFolder::open(path, identity(40, "d")).unwrap() {
            Opened::Taken(folder) => folder,
            Opened::Complete => panic!("nothing is complete yet"),
        }
    }

    fn entry(name: &str, bytes: &[u8]) -> FileEntry {
        FileEntry { name: name.into(), sha256: Digest::of(bytes).to_string(), size: bytes.len() as u64 }
    }

    #[test]
    fn a_complete_folder_says_so_until_a_file_is_changed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("out");
        let folder = taken(&path);
        fs::write(path.join("summary.json"), b"{}").unwrap();
        folder.complete(vec![entry("summary.json", b"{}")], false).unwrap();
        assert!(!path.join(".state").exists());
        assert!(matches!(OutFolder::open(&path, identity(40, "d")).unwrap(), Opened::Complete));
        fs::write(path.join("summary.json"), b"[]").unwrap();
        assert!(matches!(OutFolder::open(&path, identity(40, "d")).unwrap(), Opened::Taken(_)));
    }

    #[test]
    fn another_audit_is_refused_with_the_fields_that_differ() {
        let parent = tempfile::tempdir().unwrap();
        drop(taken(parent.path()));
        let mut other = identity(2, "e");
        other.spec["seed_commitment"] = "t".into();
        other.spec["shadows"] = json!({ "count": 64 });
        let failure = OutFolder::open(parent.path(), other).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        let expected = "holds another audit (seed differs; shadows.count is nothing there, 64 here; \
            training.epochs is 40 there, 2 here; the data set's content differs): name another folder with --out";
        assert!(failure.to_string().ends_with(expected), "{failure}");
    }

    #[test]
    fn a_second_process_and_foreign_files_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("out");
        let held = taken(&path);
        let failure = OutFolder::open(&path, identity(40, "d")).unwrap_err();
        assert_eq!(failure.exit(), Exit::Failed);
        assert!(failure.to_string().contains("is in use by this process"), "{failure}");
        drop(held);
        assert!(matches!(OutFolder::open(&path, identity(40, "d")).unwrap(), Opened::Taken(_)));

        let foreign = parent.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("thesis.txt"), b"").unwrap();
        let failure = OutFolder::open(&foreign, identity(40, "d")).unwrap_err();
        assert!(failure.to_string().contains("holds other files such as thesis.txt"), "{failure}");
        let failure = OutFolder::open(&foreign.join("thesis.txt"), identity(40, "d")).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        fs::write(foreign.join(RECORD), b"[]").unwrap();
        let failure = OutFolder::open(&foreign, identity(40, "d")).unwrap_err();
        assert!(failure.to_string().contains("not written by this version"), "{failure}");
    }

    #[test]
    fn names_from_elsewhere_stay_in_the_folder() {
        for good in ["report.html", "scores-lira-online.npy", "records.parquet"] {
            assert!(is_file_name(good), "{good}");
        }
        for bad in ["", ".", "..", ".state", "a/b", "a\\b", "audit.json", "/etc/passwd", "a\nb"] {
            assert!(!is_file_name(bad), "{bad}");
        }
    }
}
