//! Opening the file: created whole, checked, and refused in words.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Builder, Database, DatabaseError, ReadableDatabase as _};
use umbra_runtime::files::{self, FileError};

use super::tables::{NAMES, NUMBERS, SCHEMA, VALUES};

/// The layout this version writes and reads.
pub const SCHEMA_VERSION: u64 = 1;

/// Bytes of pages kept in memory; the store is small.
const CACHE_BYTES: usize = 64 << 20;

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has it open.
    #[error(
        "the meta store {path} is in use by another coordinator: stop that first, or use another data folder"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer version of Umbra.
    #[error(
        "the meta store {path} has layout {found} and this version of Umbra reads up to {supported}: use a newer \
         version, or another data folder"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u64,
        /// The newest layout this version reads.
        supported: u64,
    },
    /// Some other file.
    #[error("{path} is not a meta store of Umbra ({reason}): use another data folder, or move the file away")]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A store whose content is not what was written.
    #[error(
        "the meta store {path} is damaged ({reason}): restore it from a copy, or move it away to start anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file or its folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The opening itself crashed.
    #[error("opening the meta store failed: {0}")]
    Crashed(String),
}

/// Opens the store, creating it if it is missing.
pub fn open(path: &Path) -> Result<Database, OpenError> {
    create_if_missing(path)?;
    let database = refuse_panics(path, || builder().open(path))?;
    check_schema(path, &database)?;
    remove_leftovers(path);
    Ok(database)
}

/// Writes the schema record and the tables of an empty database.
pub fn initialise(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(NUMBERS)?.insert(SCHEMA, SCHEMA_VERSION)?;
    write.open_table(VALUES)?;
    write.open_table(NAMES)?;
    Ok(write.commit()?)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    // Without the check a file changed by others is trusted; it reads the whole, small file.
    builder.set_check_integrity_on_open(true);
    builder
}

/// A file that is created in place and cut short by a crash would be refused for ever, so it is made
/// beside its place and linked there when it is whole. Of two processes that do this at once, one
/// link succeeds.
fn create_if_missing(path: &Path) -> Result<(), OpenError> {
    if path.try_exists().map_err(FileError::io("look for", path))? {
        return Ok(());
    }
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let unique = format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let new = path.with_file_name(format!("{}{unique}.new", leftover_prefix(path)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(&new).map_err(FileError::io("create", &new))?;
    let made = refuse_panics(path, || {
        let database = builder().create(&new)?;
        initialise(&database).map_err(to_database_error)?;
        database.close()
    });
    let linked = made.and_then(|()| match fs::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(FileError::io("create", path)(error).into())
        }
        _ => Ok(files::sync_parent(path)?),
    });
    // Left behind, it is removed by the next opening.
    let _ = fs::remove_file(&new);
    linked
}

fn leftover_prefix(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes what creations cut short have left. Only the holder of the store does this, and a creator
/// whose file vanishes finds the store in use.
fn remove_leftovers(path: &Path) {
    let prefix = leftover_prefix(path);
    let Some(Ok(entries)) = path.parent().map(fs::read_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(".new") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn check_schema(path: &Path, database: &Database) -> Result<(), OpenError> {
    let not_a_store =
        |reason: &str| OpenError::NotAStore { path: path.to_owned(), reason: reason.to_owned() };
    let read = database.begin_read().map_err(|error| refusal(path, error.into()))?;
    let numbers = match read.open_table(NUMBERS) {
        Ok(numbers) => numbers,
        Err(redb::TableError::Storage(error)) => return Err(refusal(path, error.into())),
        Err(_) => return Err(not_a_store("it is another program's database")),
    };
    let schema = numbers.get(SCHEMA).map_err(|error| refusal(path, error.into()))?;
    match schema.map(|stored| stored.value()) {
        Some(SCHEMA_VERSION) => Ok(()),
        Some(found) if found > SCHEMA_VERSION => {
            Err(OpenError::Newer { path: path.to_owned(), found, supported: SCHEMA_VERSION })
        }
        _ => Err(not_a_store("it has no schema record")),
    }
}

/// Runs an opening; redb panics on some kinds of damage.
fn refuse_panics<R>(path: &Path, work: impl FnOnce() -> Result<R, DatabaseError>) -> Result<R, OpenError> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| refusal(path, error.into())),
        Err(_) => Err(OpenError::Damaged { path: path.to_owned(), reason: "its pages make no sense".into() }),
    }
}

fn refusal(path: &Path, error: redb::Error) -> OpenError {
    let path = path.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => OpenError::InUse { path },
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            OpenError::NotAStore { path, reason: error.to_string() }
        }
        redb::Error::Io(error) => FileError::io("open", &path)(error).into(),
        error => OpenError::Damaged { path, reason: error.to_string() },
    }
}

fn to_database_error(error: redb::Error) -> DatabaseError {
    match error {
        redb::Error::Io(error) => error.into(),
        error => DatabaseError::Storage(redb::StorageError::Corrupted(error.to_string())),
    }
}
