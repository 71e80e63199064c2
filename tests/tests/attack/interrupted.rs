//! Ctrl-C.

use std::fs::File;
use std::io::Write as _;

use umbra_tests::{Journal, Place, Process, Signal, Stream, command};

use crate::arrays::{Plan, World, arguments, npy};

#[test]
fn an_interrupted_attack_leaves_nothing_behind() {
    let world = World::new(Plan::default());
    // Large enough to be at work for long: zeros, which take no room on the disk.
    let (shadows, records) = (64, 1_000_000);
    let sparse = |name: &str, descr: &str, shape: &[usize], size: usize| {
        let mut file = File::create(world.path().join(name)).unwrap();
        let header = npy(descr, shape, Vec::new());
        file.write_all(&header).unwrap();
        file.set_len((header.len() + size) as u64).unwrap();
    };
    sparse("L.npy", "<f4", &[shadows, records, 2], 8 * shadows * records);
    sparse("Y.npy", "|u1", &[records], records);
    sparse("U.npy", "|u1", &[records], records);
    sparse("K.npy", "|u1", &[shadows, records], shadows * records);

    let journal = Journal::default();
    let attack =
        command(world.path(), &arguments("out", &["--design", "bernoulli", "--attack", "lira-online"]));
    let mut process = Process::start("attack", attack, &journal);
    journal.wait(Place::default(), "the beginning", |entry| {
        entry.line.as_ref().is_some_and(|line| line.contains("findings in out"))
    });
    process.signal(Signal::Interrupt);
    assert_eq!(process.exit_code(), Some(6));
    let words = process.written(Stream::Err);
    assert!(words.contains("interrupted; nothing was written"), "{words}");
    assert!(!world.path().join("out").exists());
}
