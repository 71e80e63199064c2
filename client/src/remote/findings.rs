//! Fetching the findings of an audit: resumed after a break, checked against their digests.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use umbra_core::digest::{Digest, StreamHasher};
use umbra_proto::v1;
use umbra_runtime::files::{FileError, sync_parent};

use super::{Remote, ask, fault};
use crate::exit::Failure;
use crate::out_folder::{FileEntry, is_file_name};
use crate::output::plain;

/// Breaks in a row, without a byte between them, before a download is given up.
const BREAKS: u32 = 5;

/// The most files that findings have.
const FILES: usize = 1000;

/// Downloads all files of an audit's findings into a folder. What a break or an earlier attempt left is
/// taken up where it stopped.
///
/// # Errors
/// If the audit has no findings yet, the disk is full, bytes do not fit their digest, or the coordinator
/// is lost.
pub async fn download(remote: &Remote, id: &str, folder: &Path) -> Result<Vec<FileEntry>, Failure> {
    let request = v1::ListFilesRequest { audit_id: id.to_owned() };
    let answer = remote.call(async || remote.findings().list_files(ask(request.clone())).await).await;
    let files = answer.map_err(|status| remote.failure(&status))?.files;
    if files.len() > FILES {
        return Err(Failure::failed(format!("the coordinator names {} files: it is broken", files.len())));
    }
    let mut entries = Vec::with_capacity(files.len());
    for file in &files {
        let part = Part::of(folder, file)?;
        entries.push(part.fetch(remote, id).await?);
    }
    Ok(entries)
}

/// A file on its way.
struct Part {
    name: String,
    sha256: Digest,
    size: u64,
    /// Where it grows; the digest in its name keeps versions apart.
    partial: PathBuf,
    target: PathBuf,
}

impl Part {
    fn of(folder: &Path, file: &v1::FindingsFile) -> Result<Self, Failure> {
        let sha256 = Digest::from_slice(&file.sha256).ok().filter(|_| is_file_name(&file.name));
        let Some(sha256) = sha256 else {
            let name = plain(&file.name.chars().take(80).collect::<String>());
            return Err(Failure::failed(format!("the coordinator names a file \"{name}\": it is broken")));
        };
        let name = file.name.clone();
        let partial = folder.join(format!(".{name}.{}.part", sha256.short()));
        Ok(Self { target: folder.join(&name), name, sha256, size: file.size, partial })
    }

    async fn fetch(self, remote: &Remote, id: &str) -> Result<FileEntry, Failure> {
        let (mut file, mut hasher, mut offset) = self.resume().map_err(disk)?;
        let mut breaks = 0;
        while offset < self.size {
            let before = offset;
            match self.stream(remote, id, &mut file, &mut hasher, &mut offset).await {
                Ok(()) if offset < self.size => breaks += 1,
                Ok(()) => {}
                Err(Broken::Disk(failure)) => return Err(failure),
                Err(Broken::Status(status)) if !fault::is_lost(&status) || breaks >= BREAKS => {
                    return Err(remote.failure(&status));
                }
                Err(Broken::Status(_)) => {
                    breaks += 1;
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
            if offset > before {
                breaks = 0;
            }
            if breaks > BREAKS {
                return Err(Failure::failed(format!(
                    "{} breaks off after {offset} of {} bytes; run the same command again",
                    self.name, self.size
                )));
            }
        }
        self.finish(&file, hasher.finish())
    }

    /// Opens what is there of the file; anything that cannot be a beginning of it is thrown away.
    fn resume(&self) -> Result<(File, StreamHasher, u64), FileError> {
        let path = &self.partial;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(FileError::io("open", path))?;
        if file.metadata().map_err(FileError::io("read", path))?.len() > self.size {
            file.set_len(0).map_err(FileError::io("truncate", path))?;
        }
        let mut hasher = StreamHasher::default();
        let mut buffer = vec![0; 1 << 16];
        let mut offset = 0;
        loop {
            match file.read(&mut buffer).map_err(FileError::io("read", path))? {
                0 => return Ok((file, hasher, offset)),
                read => {
                    hasher.update(&buffer[..read]);
                    offset += read as u64;
                }
            }
        }
    }

    async fn stream(
        &self,
        remote: &Remote,
        id: &str,
        file: &mut File,
        hasher: &mut StreamHasher,
        offset: &mut u64,
    ) -> Result<(), Broken> {
        let name = self.name.clone();
        let request = v1::DownloadFileRequest { audit_id: id.to_owned(), name, offset: *offset };
        let begun = remote.call(async || remote.findings().download_file(request.clone()).await).await;
        let mut chunks = begun.map_err(Broken::Status)?;
        while let Some(answer) = chunks.message().await.map_err(Broken::Status)? {
            let chunk = answer.chunk;
            if *offset + chunk.len() as u64 > self.size {
                // Too long: the digest would not fit, so the rest is not worth the wait.
                *offset = self.size;
                hasher.update(&chunk);
                return Ok(());
            }
            let written = file.write_all(&chunk).map_err(FileError::io("write", &self.partial));
            written.map_err(|error| Broken::Disk(disk(error)))?;
            hasher.update(&chunk);
            *offset += chunk.len() as u64;
        }
        Ok(())
    }

    fn finish(self, file: &File, digest: Digest) -> Result<FileEntry, Failure> {
        if digest != self.sha256 {
            // It would be taken up again otherwise. That it stays is no worse than the mismatch itself.
            let _ = fs::remove_file(&self.partial);
            return Err(Failure::failed(format!(
                "{} arrived damaged (its SHA-256 does not fit); run the same command again",
                self.name
            )));
        }
        file.sync_all().map_err(FileError::io("sync", &self.partial)).map_err(disk)?;
        fs::rename(&self.partial, &self.target)
            .map_err(FileError::io("replace", &self.target))
            .map_err(disk)?;
        sync_parent(&self.target).map_err(disk)?;
        Ok(FileEntry { name: self.name, sha256: self.sha256.to_string(), size: self.size })
    }
}

enum Broken {
    Status(tonic::Status),
    Disk(Failure),
}

fn disk(error: FileError) -> Failure {
    Failure::failed(error.to_string())
}
