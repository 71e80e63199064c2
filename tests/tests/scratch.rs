//! Where scratch room is changes no byte of what is found, and neither do tiles and threads once scores and
//! signals have gone there.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use umbra_stats::Config;
use umbra_tests::streaming::{Outcome, Plan, Room, run};

#[test]
fn findings_from_files_are_those_from_memory() {
    // The signals of the patients are 26 MiB, the scores of an attack 25 MiB: more than is kept at hand.
    let plan =
        Plan { records: 50_000, shadows: 64, records_per_unit: (1, 40), scattered: true, multi_label: false };
    let analysed = |room: Room, threads: usize, tile_records: usize| {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { tile_records: Some(tile_records), bootstrap: 20, ..Config::default() };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(plan, &config, folder.path(), room, &|_| {})).unwrap()
    };
    // Debug prints every digit, and NaN as equal to NaN.
    let shown = |found: &Outcome| format!("{:?} {:?}", found.analysis, found.rows);
    let memory = analysed(Room::Memory, 2, 2048);
    for (threads, tile_records) in [(1, 64), (4, 50_000)] {
        let files = analysed(Room::Files, threads, tile_records);
        assert!(files.scratch > 50 << 20, "they went to files");
        assert!(shown(&files) == shown(&memory), "{threads} threads, tiles of {tile_records}");
    }
}
