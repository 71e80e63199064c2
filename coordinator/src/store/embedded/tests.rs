//! What only this backend can suffer: a disk that fails under it.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Builder, StorageBackend};

use super::*;
use crate::store::Txn;

/// A disk in memory that can be full.
#[derive(Debug, Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        out.copy_from_slice(&self.bytes.lock().unwrap()[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        let start = offset as usize;
        self.bytes.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

#[tokio::test]
async fn the_store_recovers_with_the_disk() {
    let disk = Disk::default();
    let backend = disk.clone();
    let opener = move || {
        let database = Builder::new().create_with_backend(backend.clone()).map_err(redb::Error::from);
        let database = database.and_then(|database| open::initialise(&database).map(|()| database));
        database.map_err(|error| OpenError::Crashed(error.to_string()))
    };
    let store = EmbeddedStore::with_opener(Box::new(opener)).await.unwrap();
    let epoch = store.lead("test").await.unwrap();
    let key = |name| Key::try_new(name).unwrap();
    store.commit(Txn::new(epoch).put(key("before"), "1")).await.unwrap();

    disk.full.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let error = store.commit(Txn::new(epoch).put(key("during"), vec![7; 1 << 19])).await.unwrap_err();
        let expected = matches!(error, CommitError::Unavailable(_) | CommitError::Ambiguous(_));
        assert!(expected, "{error:?}");
    }
    disk.full.store(false, Ordering::SeqCst);

    store.commit(Txn::new(epoch).put(key("after"), "3")).await.unwrap();
    assert_eq!(store.get(&key("before")).await.unwrap().unwrap().bytes, "1");
    assert_eq!(store.get(&key("after")).await.unwrap().unwrap().bytes, "3");
}
