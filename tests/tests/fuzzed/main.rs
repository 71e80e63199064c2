//! What the fuzz targets do, without a fuzzer: every seed, and seeded mutations of it. See fuzz/ for the
//! real thing.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod mutate;
#[path = "../../../fuzz/src/readers/mod.rs"]
mod readers;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use umbra_core::seed::{Purpose, Seed};

/// Mutations of each target's seeds together.
const MUTATIONS: u64 = 2_000;

/// The seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn no_reader_panics_on_seeds_and_their_mutations() {
    for (index, (target, read)) in readers::ALL.into_iter().enumerate() {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        let reads = |bytes: &[u8]| catch_unwind(AssertUnwindSafe(|| read(bytes))).is_ok();
        for (path, bytes) in &seeds {
            assert!(reads(bytes), "{target} panics on {}", path.display());
        }
        for round in 0..MUTATIONS {
            let mut stream = Seed::new(1).stream(Purpose::Simulation, &[index as u64, round]);
            let pick =
                |below: usize, stream: &mut umbra_core::seed::Stream| stream.below(below as u64) as usize;
            let (_, mut bytes) = seeds[pick(seeds.len(), &mut stream)].clone();
            let (_, other) = &seeds[pick(seeds.len(), &mut stream)];
            mutate::mutate(&mut bytes, other, &mut stream);
            assert!(reads(&bytes), "{target} panics on mutation {round}: {}", shown(&bytes));
        }
    }
}

/// Bytes, to be copied into a seed.
fn shown(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}
