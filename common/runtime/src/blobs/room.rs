//! Room for uploads on this machine's disk: who receives reserves it first, and what nobody sends any more
//! makes way.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::error::BlobError;
use super::key::UploadId;

/// An upload that nobody has sent to for so long makes way for another.
const IDLE: Duration = Duration::from_secs(600);

/// The room of all uploads in a folder.
pub(super) struct Room {
    folder: PathBuf,
    limit: u64,
    held: Mutex<HashMap<UploadId, Held>>,
}

/// What one upload holds.
struct Held {
    /// Bytes: all that were announced while somebody sends, else those that are there.
    size: u64,
    /// How many receive it.
    users: u32,
    /// When the last one stopped.
    touched: SystemTime,
}

/// Room for one upload, held while it is received.
pub struct Receiving<'u> {
    room: &'u Room,
    id: UploadId,
}

impl Room {
    /// Room for `limit` bytes, some of which are taken by what lies in the folder.
    pub(super) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        let mut held = HashMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // Files that others put there are left alone.
            let id = entry.file_name().to_str().and_then(|name| UploadId::try_new(name).ok());
            if let Some(id) = id.filter(|_| metadata.is_file()) {
                let touched = metadata.modified()?;
                held.insert(id, Held { size: metadata.len(), users: 0, touched });
            }
        }
        Ok(Self { folder: folder.to_owned(), limit, held: Mutex::new(held) })
    }

    pub(super) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Reserves room for an upload of `size` bytes.
    pub(super) fn take(&self, id: &UploadId, size: u64) -> Result<Receiving<'_>, BlobError> {
        let mut held = self.held();
        let own = held.get(id).map_or(0, |own| own.size);
        let mut total = held.values().fold(0u64, |sum, held| sum.saturating_add(held.size)) - own;
        let wanted = own.max(size);
        let mut idle: Vec<_> = held.iter().filter(|(other, held)| *other != id && is_idle(held)).collect();
        idle.sort_by_key(|(_, held)| held.touched);
        let idle: Vec<UploadId> = idle.into_iter().map(|(id, _)| id.clone()).collect();
        for other in idle {
            if total.saturating_add(wanted) <= self.limit {
                break;
            }
            remove(&self.folder.join(other.as_str())).map_err(|error| BlobError::io(&error))?;
            total -= held.remove(&other).map_or(0, |held| held.size);
        }
        if total.saturating_add(wanted) > self.limit {
            return Err(BlobError::NoRoom { size, limit: self.limit });
        }
        let entry =
            held.entry(id.clone()).or_insert(Held { size: 0, users: 0, touched: SystemTime::UNIX_EPOCH });
        entry.size = wanted;
        entry.users += 1;
        Ok(Receiving { room: self, id: id.clone() })
    }

    /// An upload was removed by somebody who does not receive it.
    pub(super) fn forget(&self, id: &UploadId) {
        let mut held = self.held();
        if held.get(id).is_some_and(|held| held.users == 0) {
            held.remove(id);
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<UploadId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        let there = fs::metadata(self.room.folder.join(self.id.as_str())).ok().map(|metadata| metadata.len());
        let mut held = self.room.held();
        let Some(own) = held.get_mut(&self.id) else { return };
        own.users -= 1;
        own.touched = SystemTime::now();
        match there {
            _ if own.users > 0 => {}
            Some(length) => own.size = length,
            None => {
                held.remove(&self.id);
            }
        }
    }
}

fn is_idle(held: &Held) -> bool {
    held.users == 0 && held.touched.elapsed().is_ok_and(|idle| idle >= IDLE)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> UploadId {
        UploadId::try_new(text).unwrap()
    }

    #[test]
    fn room_is_what_was_announced_and_then_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::open(folder.path(), 100).unwrap();
        let first = room.take(&id("a"), 60).unwrap();
        let again = room.take(&id("a"), 60).unwrap();
        let refused = room.take(&id("b"), 41).err().unwrap();
        assert!(matches!(refused, BlobError::NoRoom { size: 41, limit: 100 }), "{refused}");
        fs::write(folder.path().join("a"), [0; 20]).unwrap();
        drop(first);
        assert!(room.take(&id("b"), 41).is_err(), "somebody still sends");
        drop(again);
        let second = room.take(&id("b"), 80).unwrap();
        assert!(room.take(&id("a"), 60).is_err(), "its rest has no room now");
        drop(second);
        room.take(&id("a"), 100).unwrap();
    }

    #[test]
    fn what_nobody_sends_makes_way_the_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, hours) in [("old", 3), ("older", 5), ("young", 0)] {
            let path = folder.path().join(name);
            fs::write(&path, [0; 30]).unwrap();
            let past = SystemTime::now() - Duration::from_secs(hours * 3600);
            fs::File::options().write(true).open(path).unwrap().set_modified(past).unwrap();
        }
        let room = Room::open(folder.path(), 100).unwrap();
        let _new = room.take(&id("new"), 40).unwrap();
        let there = |name: &str| folder.path().join(name).exists();
        assert!(there("old") && !there("older") && there("young"));
        assert!(room.take(&id("newer"), 61).is_err(), "the young one stays");
        assert!(!there("old") && there("young"));
    }
}
