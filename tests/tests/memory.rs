//! The statistics stream: their anonymous memory does not grow with records times shadows, and hardly with
//! records.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use umbra_stats::Config;
use umbra_tests::streaming::{Plan, Room, anonymous_bytes, run};

/// As in the daemons.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: u64 = 1 << 20;

/// What an analysis may take, whatever its size.
const BOUND: u64 = 256 * MIB;

/// The bound over ten million records leaves 26 bytes for each; some of them are not by record.
const BYTES_PER_RECORD: u64 = 20;

/// What two runs of the same size differ by: when threads take and give back their buffers.
const SLACK: u64 = 24 * MIB;

/// The most anonymous memory of an analysis.
fn anonymous(records: usize, shadows: usize, records_per_unit: (usize, usize)) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let plan =
        Plan { records, shadows, records_per_unit, scattered: records_per_unit.1 > 1, multi_label: false };
    // The same tiles for every size, so that nothing but the size differs.
    let config = Config { tile_records: Some(2048), bootstrap: 0, ..Config::default() };
    let outcome = run(plan, &config, folder.path(), Room::Files, &|_| {}).unwrap();
    let pairs = (records * shadows) as u64;
    assert_eq!(outcome.rows.scores, pairs * config.attacks.len() as u64);
    assert_eq!(outcome.rows.records, records as u64);
    assert!(outcome.scratch > 8 * pairs, "the scores are somewhere");
    outcome.anonymous
}

/// One test, so that no other takes memory meanwhile.
#[test]
fn memory_is_bounded_and_hardly_grows_with_the_records() {
    if anonymous_bytes().is_none() {
        return;
    }
    // 38 million pairs, of each of which the curves want to know 24 bytes and the patients' tests 8.
    let wide = anonymous(600_000, 64, (2, 50));
    assert!(wide <= BOUND, "{} MiB", wide / MIB);

    let (few, many) = (200_000, 2_200_000);
    let (least, most) = (anonymous(few, 16, (1, 1)), anonymous(many, 16, (1, 1)));
    let allowed = least + (many - few) as u64 * BYTES_PER_RECORD + SLACK;
    assert!(
        most <= allowed,
        "{} MiB for {few} records, {} MiB for {many}, {} MiB allowed",
        least / MIB,
        most / MIB,
        allowed / MIB
    );
}
