//! Uploads that can be resumed: bytes gathered in a file of this machine until they are whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::files::{self, FileError};
use bytes::Bytes;
use umbra_core::digest::{Digest, StreamHasher};

use super::error::{BlobError, OpenBlobsError};
use super::hashed::Hashed;
use super::key::{BlobKey, UploadId};
use super::read::digest_file;
use super::room::{Receiving, Room};
use super::{BlobStore, Stored, UPLOADS};
use crate::turns::{Turns, blocking};

/// Bytes that are written and then hashed before the next ones.
const PIECE: usize = 256 << 10;

/// The uploads of a blob store.
///
/// They outlive the process. An append is not durable by itself: after a power cut bytes may be wrong,
/// which the digest finds when the upload is committed, and it starts over. A commit waits for the disk, and
/// for little if [`Uploads::settle`] has waited before.
pub struct Uploads {
    blobs: BlobStore,
    folder: PathBuf,
    limit: u64,
    room: Room,
    /// One caller at a time for each upload.
    turns: Turns<UploadId>,
    /// One who waits for the disk at a time for each upload, while others add to it.
    syncing: Turns<UploadId>,
    /// What was hashed on the way in.
    hashed: Arc<Hashed>,
}

impl Uploads {
    /// The uploads into `blobs`, of at most `limit` bytes each, kept in the store's own folder if it is
    /// local, else in `folder`.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub async fn open(blobs: BlobStore, folder: &Path, limit: u64) -> Result<Self, OpenBlobsError> {
        let own = blobs.inner.local.as_ref().map(|local| local.folder.join(UPLOADS));
        let folder = own.unwrap_or_else(|| folder.to_owned());
        let made = folder.clone();
        let room = blocking(move || {
            files::create_private_folder(&made)?;
            Room::open(&made, u64::MAX).map_err(FileError::io("look through", &made))
        });
        let (turns, syncing, hashed) = Default::default();
        Ok(Self { blobs, limit, room: room.await?, folder, turns, syncing, hashed })
    }

    /// With room for so many bytes in all.
    #[must_use]
    pub fn within(mut self, total: u64) -> Self {
        self.room.set_limit(total);
        self
    }

    /// Reserves room for an upload of `size` bytes while it is received. What nobody has sent to for ten
    /// minutes makes way: it begins again from its first byte.
    ///
    /// # Errors
    /// [`BlobError::NoRoom`], or what the file system says.
    pub fn receive(&self, id: &UploadId, size: u64) -> Result<Receiving<'_>, BlobError> {
        self.room.take(id, size)
    }

    /// How many bytes are there: where to go on. An upload that was never begun has none.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn length(&self, id: &UploadId) -> Result<u64, BlobError> {
        let path = self.path(id);
        blocking(move || length(&path)).await.map_err(|error| BlobError::io(&error))
    }

    /// Adds bytes at `offset`, which must be the present length; gives the new length. They are hashed on the
    /// way. Dropping the future does not stop what has begun: the next caller waits for it.
    ///
    /// # Errors
    /// [`BlobError::Offset`] with the length to go on from, [`BlobError::TooLarge`], or what the file
    /// system says; nothing is added then.
    pub async fn append(&self, id: &UploadId, offset: u64, bytes: Bytes) -> Result<u64, BlobError> {
        let limit = self.limit;
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= limit);
        let Some(end) = end else { return Err(BlobError::TooLarge { name: id.to_string(), limit }) };
        let alone = self.turns.take(id).await;
        let (path, hashed, name) = (self.path(id), self.hashed.clone(), id.clone());
        let appended = blocking(move || {
            let _alone = alone;
            append(&path, offset, &bytes, hashed.take(&name, offset))
                .map(|appended| appended.map(|hasher| hashed.put(name, end, hasher)))
        });
        match appended.await.map_err(|error| BlobError::io(&error))? {
            Ok(()) => Ok(end),
            Err(have) => Err(BlobError::Offset { id: id.clone(), have, offered: offset }),
        }
    }

    /// Makes durable what is there by now, while more may be added. Dropping the future does not stop what has
    /// begun: a commit waits for it.
    ///
    /// # Errors
    /// What the file system says; the upload is then gone: start over.
    pub async fn settle(&self, id: &UploadId) -> Result<(), BlobError> {
        let syncing = self.syncing.take(id).await;
        let path = self.path(id);
        let settled = blocking(move || {
            let _syncing = syncing;
            seal(&path).map(drop)
        });
        match settled.await {
            // Somebody has committed or discarded it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            settled => settled.map_err(|error| BlobError::io(&error)),
        }
    }

    /// Publishes the upload as a blob, if it has the digest `expected`, and ends it. May be called again
    /// if the answer was lost.
    ///
    /// # Errors
    /// [`BlobError::Mismatch`] (the upload is then gone: start over), [`BlobError::Taken`],
    /// [`BlobError::NoUpload`] if there is neither the upload nor the blob, or what the store says. The upload
    /// is also gone if the disk did not take it.
    pub async fn commit(&self, id: &UploadId, key: &BlobKey, expected: &Digest) -> Result<Stored, BlobError> {
        let _alone = self.turns.take(id).await;
        // A failure that another's wait for the disk has heard of is not told twice: it comes first.
        let _syncing = self.syncing.take(id).await;
        let path = self.path(id);
        let (file, size) = match blocking(move || seal(&path)).await {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.committed(id, key, expected).await;
            }
            Err(error) => return Err(BlobError::io(&error)),
        };
        let stored = match self.hashed.digest(id, size) {
            Some(digest) => Stored { digest, size },
            None => digest_file(file).await.map_err(|error| BlobError::io(&error))?,
        };
        if stored.digest != *expected {
            self.remove(id).await?;
            let key = key.clone();
            return Err(BlobError::Mismatch { key, expected: *expected, found: stored.digest });
        }
        let published = self.blobs.publish_file(&self.path(id), key, &stored).await;
        if published.as_ref().is_err_and(|error| !matches!(error, BlobError::Taken { .. })) {
            return published.map(|()| stored);
        }
        // Published, or it never will be.
        self.remove(id).await?;
        published.map(|()| stored)
    }

    /// Ends an upload without publishing it.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn discard(&self, id: &UploadId) -> Result<(), BlobError> {
        let _alone = self.turns.take(id).await;
        self.remove(id).await
    }

    /// Removes uploads that nothing was added to for `age`, and says how many.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn expire(&self, age: Duration) -> Result<usize, BlobError> {
        let folder = self.folder.clone();
        let stale = blocking(move || stale(&folder, age)).await.map_err(|error| BlobError::io(&error))?;
        for id in &stale {
            self.discard(id).await?;
        }
        // What made way for others is forgotten here.
        self.hashed.keep(|id| self.path(id).exists());
        Ok(stale.len())
    }

    /// The answer to a commit without an upload: it may have happened before.
    async fn committed(&self, id: &UploadId, key: &BlobKey, expected: &Digest) -> Result<Stored, BlobError> {
        match self.blobs.digest(key).await {
            Ok(stored) if stored.digest == *expected => Ok(stored),
            Ok(stored) => {
                Err(BlobError::Taken { key: key.clone(), found: stored.digest, offered: *expected })
            }
            Err(BlobError::NotFound(_)) => Err(BlobError::NoUpload(id.clone())),
            Err(error) => Err(error),
        }
    }

    async fn remove(&self, id: &UploadId) -> Result<(), BlobError> {
        let path = self.path(id);
        match blocking(move || fs::remove_file(&path)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BlobError::io(&error)),
            _ => {
                self.room.forget(id);
                self.hashed.forget(id);
                Ok(())
            }
        }
    }

    fn path(&self, id: &UploadId) -> PathBuf {
        self.folder.join(id.as_str())
    }
}

fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Appends if the file ends at `offset`, else says where it ends. Gives the hasher on, if there is one.
fn append(
    path: &Path,
    offset: u64,
    bytes: &[u8],
    mut hasher: Option<StreamHasher>,
) -> io::Result<Result<Option<StreamHasher>, u64>> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        // Only its first bytes begin an upload.
        Err(error) if error.kind() == io::ErrorKind::NotFound && offset > 0 => return Ok(Err(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::create_new(path)?,
        opened => opened?,
    };
    let have = file.seek(SeekFrom::End(0))?;
    if have != offset {
        return Ok(Err(have));
    }
    // In pieces that the processor still has at hand when they are hashed.
    for piece in bytes.chunks(PIECE) {
        if let Err(error) = file.write_all(piece) {
            // Part of it may be there; what cannot be cut off shows in the length.
            let _ = file.set_len(offset);
            return Err(error);
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(piece);
        }
    }
    Ok(Ok(hasher))
}

/// Makes the file durable and opens it; with its length. A file that the disk did not take is removed, since the
/// system tells of lost bytes once: the next attempt would succeed without them.
fn seal(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if let Err(error) = file.sync_all() {
        fs::remove_file(path)?;
        return Err(error);
    }
    let length = file.metadata()?.len();
    Ok((file, length))
}

fn stale(folder: &Path, age: Duration) -> io::Result<Vec<UploadId>> {
    let mut stale = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let modified = entry.metadata()?.modified()?;
        let old = SystemTime::now().duration_since(modified).is_ok_and(|since| since >= age);
        // Files that others put there are left alone.
        let id = entry.file_name().to_str().and_then(|name| UploadId::try_new(name).ok());
        stale.extend(id.filter(|_| old));
    }
    Ok(stale)
}
