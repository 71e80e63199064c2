//! The embedded store: the contract, and the files it is offered.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, TableDefinition};
use tempfile::TempDir;
use umbra_coordinator::store::{EmbeddedStore, Epoch, MetaStore, OpenError, Txn};

use crate::contract::{Backend, contract, key};

pub struct Embedded {
    folder: TempDir,
}

impl Embedded {
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("meta.redb")
    }
}

impl Backend for Embedded {
    async fn open(&self) -> Arc<dyn MetaStore> {
        Arc::new(EmbeddedStore::open(self.path()).await.expect("the store opens"))
    }
}

contract!(Some(Embedded::new()));

async fn refusal(path: &Path) -> OpenError {
    match EmbeddedStore::open(path).await {
        Ok(_) => panic!("{} opened", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_second_opener_is_refused_in_words() {
    let backend = Embedded::new();
    let store = backend.open().await;
    let error = refusal(&backend.path()).await;
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("in use by another coordinator: stop that first"), "{error}");
    drop(store);
    backend.open().await;
}

#[tokio::test]
async fn a_newer_layout_is_refused_and_left_alone() {
    let backend = Embedded::new();
    drop(backend.open().await);
    let numbers: TableDefinition<'_, &str, u64> = TableDefinition::new("umbra.numbers");
    let database = Database::open(backend.path()).unwrap();
    let write = database.begin_write().unwrap();
    assert_eq!(write.open_table(numbers).unwrap().insert("schema", 2).unwrap().unwrap().value(), 1);
    write.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let error = refusal(&backend.path()).await;
        assert!(matches!(error, OpenError::Newer { found: 2, supported: 1, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn other_files_are_refused_in_words() {
    let backend = Embedded::new();
    let path = backend.path();
    for content in ["", "x", &"not a store ".repeat(10_000)] {
        std::fs::write(&path, content).unwrap();
        let error = refusal(&path).await;
        assert!(matches!(error, OpenError::NotAStore { .. }), "{error:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content, "it is left as it was");
    }
    std::fs::remove_file(&path).unwrap();
    drop(Database::create(&path).unwrap());
    let error = refusal(&path).await;
    assert!(error.to_string().contains("another program's database"), "{error}");

    let missing = refusal(&backend.folder.path().join("no/such/meta.redb")).await;
    assert!(missing.to_string().starts_with("cannot create "), "{missing}");
    let folder = refusal(backend.folder.path()).await;
    assert!(folder.to_string().starts_with("cannot open "), "{folder}");
}

#[tokio::test]
async fn a_damaged_file_is_refused_not_trusted() {
    let backend = Embedded::new();
    let store = backend.open().await;
    let epoch = store.lead("test").await.unwrap();
    let marker = b"a marker that is found in the file";
    store.commit(Txn::new(epoch).put(key("k"), marker.repeat(50))).await.unwrap();
    drop(store);
    let good = std::fs::read(backend.path()).unwrap();
    let place = good.windows(marker.len()).position(|window| window == marker).unwrap();

    let mut flipped = good.clone();
    flipped[place] ^= 1;
    for bad in [flipped, good[..place].to_vec(), good[..5000].to_vec()] {
        std::fs::write(backend.path(), bad).unwrap();
        let error = refusal(&backend.path()).await;
        assert!(matches!(error, OpenError::Damaged { .. } | OpenError::NotAStore { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_creation_cut_short_leaves_no_trace() {
    let backend = Embedded::new();
    let leftover = backend.folder.path().join(".meta.redb.1-0.new");
    std::fs::write(&leftover, vec![0; 4096]).unwrap();
    let store = backend.open().await;
    assert!(!leftover.exists());
    assert_eq!(store.lead("test").await.unwrap(), Epoch(1));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(backend.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
