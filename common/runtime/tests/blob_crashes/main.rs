//! The blob store in real processes that are killed, or whose disk has no more room.
//!
//! The tests run this binary again as their child. They take turns: a child between its fork and its
//! exec holds the parent's open files, and with them the locks of a store that another test reopens.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![cfg(unix)]

#[path = "../blobs/common.rs"]
mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::TryStreamExt as _;
use umbra_core::digest::Digest;
use umbra_runtime::blobs::{BlobError, BlobStore, UploadId, Uploads};

use crate::common::{bytes, files, key, put};

const TO_KILL: &str = "UMBRA_TEST_BLOBS_TO_WRITE";
const TO_FILL: &str = "UMBRA_TEST_BLOBS_TO_FILL";

fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn content(number: u64) -> Bytes {
    // Some at once, some through staging.
    bytes(number, if number.is_multiple_of(2) { 100_000 } else { 9 << 20 })
}

/// The child: writes blobs until it is killed, saying each once it is stored.
#[tokio::main(flavor = "current_thread")]
async fn write_until_killed(folder: &Path) {
    let store = BlobStore::local(folder).await.expect("the parent does not have it open");
    let listed: Vec<_> = store.list(None).try_collect().await.expect("the disk works");
    for number in listed.len() as u64.. {
        put(&store, &format!("blobs/{number}"), &content(number)).await.expect("the disk works");
        // Not println!, which the test harness may keep.
        writeln!(std::io::stdout(), "stored {number}").expect("the parent reads");
    }
}

#[test]
fn after_sigkill_every_blob_is_whole_and_none_is_missing() {
    if let Some(folder) = std::env::var_os(TO_KILL) {
        return write_until_killed(Path::new(&folder));
    }
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "after_sigkill_every_blob_is_whole_and_none_is_missing", "--nocapture"])
            .env(TO_KILL, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut seen, mut last) = (0, None);
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some((_, number)) = line.split_once("stored ") else { continue };
            last = last.max(number.parse::<u64>().ok());
            seen += 1;
            if seen == 2 + round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let last = last.expect("the child stored something");

        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = BlobStore::local(folder.path()).await.unwrap();
            let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
            assert!(listed.len() as u64 > last, "{} of {last} in round {round}", listed.len());
            for number in 0..listed.len() as u64 {
                store.verify(&key(&format!("blobs/{number}")), &Digest::of(&content(number))).await.unwrap();
            }
        });
        let left = files(folder.path());
        assert!(left.iter().all(|name| name == "lock" || name.starts_with("objects/blobs/")), "{left:?}");
        assert!(left.iter().all(|name| !name.contains('#')), "{left:?}");
    }
}

/// The child: no file of it may grow beyond 10 MiB.
#[tokio::main(flavor = "current_thread")]
async fn write_more_than_fits(folder: &Path) {
    let store = BlobStore::local(folder).await.expect("the folder is free");
    let error = put(&store, "large", &bytes(1, 20 << 20)).await.expect_err("it does not fit");
    assert!(matches!(error, BlobError::FullDisk(_)), "{error:?}");
    assert!(error.to_string().contains("free some space"), "{error}");

    let uploads = Uploads::open(store.clone(), folder, 1 << 30).await.expect("the folder is there");
    let id = UploadId::try_new("u").expect("a good id");
    uploads.append(&id, 0, bytes(2, 6 << 20)).await.expect("six fit into ten");
    let error = uploads.append(&id, 6 << 20, bytes(3, 6 << 20)).await.expect_err("twelve do not");
    assert!(matches!(error, BlobError::FullDisk(_)), "{error:?}");
    assert_eq!(uploads.length(&id).await.expect("it is there"), 6 << 20, "it is as it was");
    uploads.commit(&id, &key("six"), &Digest::of(&bytes(2, 6 << 20))).await.expect("it is whole");

    // The store goes on.
    put(&store, "small", &bytes(4, 1000)).await.expect("it fits");
    writeln!(std::io::stdout(), "survived").expect("the parent reads");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    if let Some(folder) = std::env::var_os(TO_FILL) {
        return write_more_than_fits(Path::new(&folder));
    }
    let _turn = my_turn();
    let folder = tempfile::tempdir().unwrap();
    // With the signal ignored, a write beyond the limit is an error like that of a full disk.
    let script = "trap '' XFSZ; ulimit -f 10240; exec \"$0\" \"$@\"";
    let child = Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_is_said_and_survived", "--nocapture"])
        .env(TO_FILL, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("survived"),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    assert_eq!(files(&folder.path().join("objects")), ["six", "small"]);
}
