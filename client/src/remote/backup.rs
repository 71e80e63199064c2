//! Fetching a backup of the meta store.

use std::io::BufReader;
use std::path::Path;

use umbra_coordinator::backup::Reader;
use umbra_proto::v1;
use umbra_runtime::files::{FileError, NewFile, Privacy};

use super::Remote;
use crate::exit::Failure;

/// What was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// Entries of the backup.
    pub entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes a backup to `path`, which appears there once all of it is there and was read back whole.
///
/// # Errors
/// If the coordinator is lost, what came is no whole backup, or the file cannot be written.
pub async fn fetch(remote: &Remote, path: &Path) -> Result<Fetched, Failure> {
    // It holds the seeds of every audit.
    let mut file = NewFile::create(path, Privacy::Private).map_err(disk)?;
    let asked = remote.call(async || remote.cluster().backup(v1::BackupRequest {}).await).await;
    let mut chunks = asked.map_err(|status| remote.failure(&status))?;
    let mut bytes = 0;
    while let Some(answer) = chunks.message().await.map_err(|status| remote.failure(&status))? {
        file.write(&answer.chunk).map_err(disk)?;
        bytes += answer.chunk.len() as u64;
    }
    let unusable = |error: umbra_coordinator::backup::BackupError| {
        Failure::failed(format!("what {} sent is of no use: {error}", remote.server()))
    };
    let mut reader = Reader::open(BufReader::new(file.read().map_err(disk)?)).map_err(unusable)?;
    let mut entries = 0;
    while reader.next_entry().map_err(unusable)?.is_some() {
        entries += 1;
    }
    file.finish().map_err(disk)?;
    Ok(Fetched { entries, bytes })
}

fn disk(error: FileError) -> Failure {
    Failure::failed(error.to_string())
}
