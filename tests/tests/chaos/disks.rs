//! Disks that are full: small file systems in memory, which only root may mount.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use umbra_tests::{Audit, COORDINATORS, Fleet, turn};

use crate::baseline::{assert_unharmed, in_the_middle, wait};
use crate::wanted;

/// A small disk; it is gone when dropped.
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts one of so many MiB. `None`, and a line that counts a test skipped, where that is not allowed.
    pub fn mount(folder: &Path, size: u32) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a test can write to its folder");
        let mut command = Command::new("mount");
        let options = format!("size={size}m,mode=700");
        let mounted = command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder.to_owned()));
        }
        println!("skipped 1: no small disk can be mounted here, which takes root");
        None
    }

    /// One for the state of every coordinator of a fleet that is to start in this folder.
    pub fn of_states(folder: &Path, size: u32) -> Vec<Option<Self>> {
        (0..COORDINATORS).map(|index| Self::mount(&folder.join(format!("state-{index}")), size)).collect()
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        let mut file = File::create(self.ballast()).expect("there is room for a name");
        // Smaller and smaller pieces, until not one byte fits.
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![1; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Takes away what filled it.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("what was written can be removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a process may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// MiB of a disk that one audit does not fill.
const SMALL: u32 = 64;

/// What is said of a disk that is full.
fn is_full(line: &str) -> bool {
    line.contains("free some space") || line.contains("No space left on device")
}

#[test]
fn a_worker_whose_disk_is_full_leaves_the_work_to_others() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(fleet) = Fleet::start(1, 5) else { return };
    let Some(disk) = Disk::mount(&fleet.folder().join("small"), SMALL) else { return };
    let full = fleet.worker_in("full", 1, disk.folder());
    disk.fill();
    let (audit, before) = (Audit::medium(), fleet.journal.now());
    let id = fleet.submit(&audit);
    let said = wait(&fleet, before, "a full disk to be named", |entry| {
        entry.line.as_ref().is_some_and(|line| is_full(line))
    });
    disk.free();
    let _other = fleet.worker("other", 1);
    wait(&fleet, said, "another worker to do the work", |entry| entry.is("other", "the pack is done"));
    assert_unharmed(&fleet, &audit, &id, "a worker's disk was full");
    drop(full);
}

#[test]
fn a_coordinator_whose_disk_is_full_goes_on_when_there_is_room() {
    if !wanted() {
        return;
    }
    let _turn = turn();
    let mut disks = Vec::new();
    let started = Fleet::prepared(1, 5, |folder| {
        disks = Disk::of_states(folder, SMALL);
    });
    let Some(fleet) = started else { return };
    if disks.iter().any(Option::is_none) {
        return;
    }
    let _workers = [fleet.worker("a", 1), fleet.worker("b", 1)];
    let (audit, before) = (Audit::medium(), fleet.journal.now());
    let id = fleet.submit(&audit);
    in_the_middle(&fleet, before);
    let (leader, filled) = (fleet.leader(), fleet.journal.now());
    let disk = disks[leader].as_ref().expect("all were mounted");
    disk.fill();
    wait(&fleet, filled, "a full disk to be named", |entry| {
        entry.source == fleet.name(leader) && entry.line.as_ref().is_some_and(|line| is_full(line))
    });
    disk.free();
    assert_unharmed(&fleet, &audit, &id, "a coordinator's disk was full");
}
