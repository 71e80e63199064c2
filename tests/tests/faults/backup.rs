//! The meta store is lost and comes back from a backup.

use std::fs;

use umbra_coordinator::store::{EmbeddedStore, Key, MetaStore as _, Txn};
use umbra_tests::{Audit, Cluster, Signal, turn, umbra};

use crate::baseline::undisturbed;
use crate::middle::checkpoint;

#[test]
fn an_audit_goes_on_from_a_backup_of_its_middle() {
    let _turn = turn();
    let mut cluster = Cluster::start(5);
    let mut first = cluster.worker("first", 1);
    let before = cluster.journal.now();
    let id = cluster.submit(&Audit::medium());
    let done = cluster.journal.wait(before, "the first pack", |entry| first.said(entry, "the pack is done"));
    checkpoint(&cluster, &first, done.after, None);

    let before = cluster.journal.now();
    let file = cluster.folder().join("meta.backup");
    let path = file.display().to_string();
    let taken = cluster.ask(&["cluster", "backup", "--out", &path]).expect(0);
    assert_eq!(taken.json()["bytes"], fs::metadata(&file).unwrap().len());
    assert!(taken.json()["entries"].as_u64().unwrap() > 4, "{taken:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Life goes on: a pack is given away of which the backup knows nothing.
    let late = cluster.journal.wait(before, "an assignment after the backup", |entry| {
        entry.is(cluster.coordinator(), "assign pack")
    });
    first.process.kill();

    let code = cluster.restart_after(Signal::Kill, |state| {
        let lost = state.with_file_name("lost");
        fs::rename(state, &lost).unwrap();
        let arguments = ["cluster", "restore", &path, "--state", &state.display().to_string()];
        let folder = state.parent().unwrap();
        let restored = umbra(folder, &[&["--format", "json"], &arguments[..]].concat()).expect(0);
        assert_eq!(restored.json()["entries"], taken.json()["entries"]);
        let again = umbra(folder, &arguments).expect(1);
        assert!(again.err.contains("the meta store is not empty"), "{again:?}");
        fs::rename(lost.join("blobs"), state.join("blobs")).unwrap();
    });
    assert_eq!(code, None);
    let before = cluster.journal.now();
    let _second = cluster.worker("second", 2);
    cluster.findings(&id).assert_same(undisturbed(), "after the meta store was restored");
    let assigned = cluster.journal.wait(before, "an assignment of the second life", |entry| {
        entry.is(cluster.coordinator(), "assign pack")
    });
    // Far beyond, so that no blob of the first life is in the way and no late report counts.
    assert!(assigned.number("fence") >= late.number("fence") + (1 << 32), "{assigned}");
    cluster.assert_healthy();
}

#[test]
fn a_restoration_that_was_cut_short_is_no_state_to_start_from() {
    let _turn = turn();
    let folder = tempfile::TempDir::new().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    // What a restoration leaves that is killed after its first transaction.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = EmbeddedStore::open(state.join("meta.redb")).await.unwrap();
        let epoch = store.lead("test").await.unwrap();
        let key = Key::try_new("restoring").unwrap();
        store.commit(Txn::new(epoch).put(key, "restoring")).await.unwrap();
    });
    let state = state.display().to_string();
    let any = "127.0.0.1:0";
    let refused = umbra(folder.path(), &["coordinator", "--listen", any, "--http", any, "--state", &state]);
    assert!(refused.err.contains("its restoration did not finish: empty the store"), "{refused:?}");
    assert_eq!(refused.code, Some(1), "{refused:?}");
}
