//! Files by their SHA-256, fetched once, verified, and kept within a bound: what lies elsewhere, to be mapped
//! into memory here.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::{Stream, StreamExt as _};
use umbra_core::digest::{Digest, StreamHasher};

use crate::files::FileError;
use crate::lock::{FolderLock, LockError};
use crate::turns::{Turns, blocking};

const PART: &str = "part";

/// A folder of files by their SHA-256. Clones share it.
///
/// Files outlive the process and are verified before a later one uses them. Whoever asks for one that is not
/// there fetches it; who asks meanwhile waits. The least recently used go first to make room; what is in use
/// stays.
#[derive(Clone)]
pub struct FileCache(Arc<Inner>);

struct Inner {
    lock: FolderLock,
    limit: u64,
    state: Mutex<State>,
    turns: Turns<Digest>,
}

#[derive(Default)]
struct State {
    /// Who uses what; entries of what nobody uses go at the next asking.
    used: HashMap<Digest, Weak<()>>,
    /// Bytes of files on their way.
    coming: HashMap<Digest, u64>,
}

/// A file that stays in the cache as long as this or a clone of it lives.
#[derive(Debug, Clone)]
pub struct CachedFile {
    path: PathBuf,
    _used: Arc<()>,
}

/// A file that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CacheError<E> {
    /// Everything in the cache is in use.
    #[error("{size} bytes do not fit beside what is in use into the cache of {limit}")]
    NoRoom {
        /// Bytes of the file.
        size: u64,
        /// Bytes of the whole cache.
        limit: u64,
    },
    /// The bytes that arrived are others.
    #[error("its digest is {found}, not {expected}")]
    Damaged {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what arrived.
        found: Digest,
    },
    /// As many bytes as were asked for did not arrive.
    #[error("it has {found} bytes, not {expected}")]
    Length {
        /// The size that was asked for.
        expected: u64,
        /// The size of what arrived.
        found: u64,
    },
    /// The folder cannot be used, most often since its disk is full.
    #[error(transparent)]
    File(#[from] FileError),
    /// Whoever gives the bytes failed.
    #[error(transparent)]
    Source(E),
}

impl CachedFile {
    /// Where it lies; it does not change.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl FileCache {
    /// The cache of at most `limit` bytes in a folder of its own, cleared of what was never finished.
    ///
    /// # Errors
    /// If another process has the folder, or it cannot be used.
    pub fn open(folder: &Path, limit: u64) -> Result<Self, LockError> {
        let lock = FolderLock::take(folder)?;
        for file in list(folder)? {
            if file.digest.is_none() && file.path.extension().is_some_and(|extension| extension == PART) {
                fs::remove_file(&file.path).map_err(FileError::io("remove", &file.path))?;
            }
        }
        Ok(Self(Arc::new(Inner { lock, limit, state: Mutex::default(), turns: Turns::default() })))
    }

    /// The file of `size` bytes with this SHA-256. Nothing is read of `bytes` if it is there.
    ///
    /// # Errors
    /// [`CacheError`]; nothing is left of an attempt that failed or was dropped.
    pub async fn get<S, E>(&self, digest: &Digest, size: u64, bytes: S) -> Result<CachedFile, CacheError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let _turn = self.0.turns.take(digest).await;
        let path = self.0.lock.folder().join(digest.to_string());
        let (used, known) = self.state().user(digest);
        let file = CachedFile { path, _used: used };
        // Whoever uses it has seen it whole.
        if known || is_whole(&file.path, digest, size).await {
            touch(&file.path);
            return Ok(file);
        }
        let coming = self.make_room(digest, size).await?;
        coming.fill(size, bytes).await?;
        Ok(file)
    }

    /// Removes what nobody uses until so many more bytes fit, reserves them, and begins the file. All in one
    /// step, so that whoever drops this drops all of it.
    async fn make_room<E>(&self, digest: &Digest, size: u64) -> Result<Coming, CacheError<E>> {
        let (cache, digest) = (self.clone(), *digest);
        let made = blocking(move || {
            let folder = cache.0.lock.folder().to_owned();
            let mut state = cache.state();
            if !state.make_room(list(&folder)?, size, cache.0.limit)? {
                return Ok(None);
            }
            state.coming.insert(digest, size);
            drop(state);
            let part = folder.join(format!("{digest}.{PART}"));
            let place = Place { cache, digest, part };
            let file = File::create(&place.part).map_err(FileError::io("create", &place.part))?;
            Ok::<_, FileError>(Some(Coming { file, place }))
        });
        made.await?.ok_or(CacheError::NoRoom { size, limit: self.0.limit })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One more user of a file, and whether there were others.
    fn user(&mut self, digest: &Digest) -> (Arc<()>, bool) {
        self.used.retain(|_, used| used.strong_count() > 0);
        let known = self.used.get(digest).and_then(Weak::upgrade);
        let is_known = known.is_some();
        let used = known.unwrap_or_default();
        self.used.insert(*digest, Arc::downgrade(&used));
        (used, is_known)
    }

    /// Whether so many more bytes fit once what is not in use has gone, as far as it must.
    fn make_room(&mut self, mut files: Vec<Listed>, wanted: u64, limit: u64) -> Result<bool, FileError> {
        files.retain(|file| file.digest.is_some_and(|digest| !self.coming.contains_key(&digest)));
        files.sort_by_key(|file| file.modified);
        let coming = self.coming.values().fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        let mut total = files.iter().fold(coming, |sum, file| sum.saturating_add(file.size));
        for file in files {
            if total.saturating_add(wanted) <= limit {
                break;
            }
            let used = file.digest.and_then(|digest| self.used.get(&digest));
            if used.is_none_or(|used| used.strong_count() == 0) {
                fs::remove_file(&file.path).map_err(FileError::io("remove", &file.path))?;
                total -= file.size;
            }
        }
        Ok(total.saturating_add(wanted) <= limit)
    }
}

/// A file on its way.
struct Coming {
    file: File,
    place: Place,
}

/// The room of a file on its way, and what arrived of it, which goes unless it is whole.
struct Place {
    cache: FileCache,
    digest: Digest,
    part: PathBuf,
}

impl Coming {
    async fn fill<S, E>(self, size: u64, bytes: S) -> Result<(), CacheError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let Self { mut file, place } = self;
        let mut bytes = std::pin::pin!(bytes);
        let (mut hasher, mut arrived) = (StreamHasher::default(), 0);
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(CacheError::Source)?;
            arrived += chunk.len() as u64;
            if arrived > size {
                return Err(CacheError::Length { expected: size, found: arrived });
            }
            let part = place.part.clone();
            (file, hasher) = blocking(move || {
                hasher.update(&chunk);
                file.write_all(&chunk).map_err(FileError::io("write", &part))?;
                Ok::<_, FileError>((file, hasher))
            })
            .await?;
        }
        let found = hasher.finish();
        if found != place.digest {
            return Err(CacheError::Damaged { expected: place.digest, found });
        }
        if arrived != size {
            return Err(CacheError::Length { expected: size, found: arrived });
        }
        // Not synced: what a crash leaves is verified before it is used again.
        let (part, whole) = (place.part.clone(), place.whole());
        Ok(blocking(move || fs::rename(&part, whole).map_err(FileError::io("rename", &part))).await?)
    }
}

impl Place {
    fn whole(&self) -> PathBuf {
        self.cache.0.lock.folder().join(self.digest.to_string())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Gone already if it became the whole file.
        let _ = fs::remove_file(&self.part);
        self.cache.state().coming.remove(&self.digest);
    }
}

/// A file in the folder; a whole one is called by its digest.
struct Listed {
    path: PathBuf,
    digest: Option<Digest>,
    size: u64,
    modified: Option<SystemTime>,
}

fn list(folder: &Path) -> Result<Vec<Listed>, FileError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(FileError::io("list", folder))? {
        let entry = entry.map_err(FileError::io("list", folder))?;
        let path = entry.path();
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // A part that was dropped meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(FileError::io("look at", &path)(error)),
        };
        let digest = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        if metadata.is_file() {
            files.push(Listed { path, digest, size: metadata.len(), modified: metadata.modified().ok() });
        }
    }
    Ok(files)
}

/// Whether the file holds exactly these bytes. One that cannot be read is fetched again.
async fn is_whole(path: &Path, digest: &Digest, size: u64) -> bool {
    let (path, digest) = (path.to_owned(), *digest);
    blocking(move || {
        let Ok(mut file) = File::open(path) else { return false };
        if !file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == size) {
            return false;
        }
        let (mut hasher, mut buffer) = (StreamHasher::default(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return hasher.finish() == digest,
                Ok(length) => hasher.update(&buffer[..length]),
                Err(_) => return false,
            }
        }
    })
    .await
}

/// Notes that a file is used now. One that cannot be touched goes a little earlier.
fn touch(path: &Path) {
    if let Ok(file) = File::options().write(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}
