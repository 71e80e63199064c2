//! The embedded store under SIGKILL: what was acknowledged is there, and no transaction is half there.
//!
//! The test runs this binary again as its child.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use umbra_coordinator::store::{EmbeddedStore, Expect, Key, MetaStore, Prefix, Txn, read_all};

const CHILD: &str = "UMBRA_TEST_STORE_TO_WRITE";

fn key(text: &str) -> Key {
    Key::try_new(text).expect("the test's keys are good")
}

/// The child: commits pairs of keys until it is killed, saying each number once it is committed.
#[tokio::main(flavor = "current_thread")]
async fn write_until_killed(path: &Path) {
    let store = EmbeddedStore::open(path).await.expect("the parent does not have it open");
    let epoch = store.lead("child").await.expect("the disk works");
    let start = read_all(&store, &Prefix::all()).await.expect("the disk works").len() as u64 / 2;
    for number in start.. {
        let (left, right) = (key(&format!("left/{number:08}")), key(&format!("right/{number:08}")));
        let txn = Txn::new(epoch).expect(left.clone(), Expect::Absent);
        let value = number.to_string().repeat(100);
        store.commit(txn.put(left, value.clone()).put(right, value)).await.expect("the disk works");
        // Not println!, which the test harness may keep.
        writeln!(std::io::stdout(), "committed {number}").expect("the parent reads");
    }
}

#[test]
fn every_acknowledged_commit_survives_sigkill() {
    if let Some(path) = std::env::var_os(CHILD) {
        return write_until_killed(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meta.redb");
    let mut acknowledged = 0;
    for round in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "every_acknowledged_commit_survives_sigkill", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers = lines.map_while(Result::ok).filter_map(|line| {
            let number = line.split_once("committed ")?.1;
            // The last line may be cut.
            number.parse::<u64>().ok()
        });
        let mut seen = 0;
        for number in numbers {
            acknowledged = acknowledged.max(number + 1);
            seen += 1;
            // Killed while it writes; what it said before is still read.
            if seen == 20 + 37 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 20 + 37 * round, "the child ended by itself in round {round}");

        let entries = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = EmbeddedStore::open(&path).await.unwrap();
            read_all(&store, &Prefix::all()).await.unwrap()
        });
        let (left, right) = entries.split_at(entries.len() / 2);
        assert!(left.len() as u64 >= acknowledged, "{} of {acknowledged} in round {round}", left.len());
        assert_eq!(left.len(), right.len());
        for (number, (left, right)) in left.iter().zip(right).enumerate() {
            assert_eq!(left.key, key(&format!("left/{number:08}")));
            assert_eq!(right.key, key(&format!("right/{number:08}")));
            assert_eq!(left.value, right.value);
            assert_eq!(left.value.bytes, number.to_string().repeat(100));
        }
    }
    assert!(acknowledged >= 6 * 20, "{acknowledged}");
}
