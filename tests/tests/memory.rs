//! The statistics stream: with all that is on by default their anonymous memory does not grow with records
//! times shadows, and hardly with records; and that of `umbra attack`, from arrays to files, neither.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use umbra_stats::Config;
use umbra_tests::command;
use umbra_tests::streaming::{Plan, Room, anonymous_bytes, ran_to_its_end, run, save};

/// As in the daemons.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: u64 = 1 << 20;

/// What an analysis may take that hardly grows with the records, and what it may take for each of them: for
/// ten million well below 256 MiB together.
const BASE: u64 = 144 * MIB;
const BYTES_PER_RECORD: u64 = 6;

/// What two runs of the same size differ by: when threads take and give back their buffers.
const SLACK: u64 = 32 * MIB;

fn plan(records: usize, shadows: usize, records_per_unit: (usize, usize)) -> Plan {
    Plan { records, shadows, records_per_unit, scattered: records_per_unit.1 > 1, multi_label: false }
}

/// The most anonymous memory of an analysis.
fn anonymous(plan: Plan) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::default();
    let outcome = run(plan, &config, folder.path(), Room::Files, &|_| {}).unwrap();
    let pairs = (plan.records * plan.shadows) as u64;
    assert_eq!(outcome.rows.scores, pairs * config.attacks.len() as u64);
    assert_eq!(outcome.rows.records, plan.records as u64);
    assert!(outcome.scratch > 8 * pairs, "the scores are somewhere");
    assert!(outcome.analysis.attacks.iter().all(|attack| {
        attack.calibrated.is_some() && attack.interval.is_some_and(|interval| interval.patients >= 128)
    }));
    outcome.anonymous
}

/// The most anonymous memory of `umbra attack` on the same in arrays, units in any order.
fn attack(plan: Plan) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    save(plan, folder.path()).unwrap();
    let arguments =
        ["attack", "--logits", "L.npy", "--labels", "Y.npy", "--membership", "K.npy", "--units", "U.npy"];
    let more = ["--attack", "lira-online", "--out", "out"];
    ran_to_its_end(&mut command(folder.path(), &[&arguments[..], &more].concat())).unwrap()
}

#[track_caller]
fn hardly_grows(measure: fn(Plan) -> u64, few: Plan, many: Plan) {
    let (least, most) = (measure(few), measure(many));
    let allowed = least + (many.records - few.records) as u64 * BYTES_PER_RECORD + SLACK;
    assert!(
        least <= BASE && most <= allowed,
        "{} MiB for {} records, {} MiB for {}, {} MiB allowed",
        least / MIB,
        few.records,
        most / MIB,
        many.records,
        allowed / MIB
    );
}

/// One test, so that no other takes memory meanwhile.
#[test]
fn memory_is_bounded_and_hardly_grows_with_the_records() {
    if anonymous_bytes().is_none() {
        return;
    }
    // 19 million pairs, of each of which the curves want to know 40 bytes and the patients' tests 8.
    let wide = anonymous(plan(300_000, 64, (2, 50)));
    assert!(wide <= BASE + 300_000 * BYTES_PER_RECORD, "{} MiB", wide / MIB);
    hardly_grows(anonymous, plan(200_000, 16, (1, 1)), plan(1_200_000, 16, (1, 1)));
    // From here on all buffers are full: those of tables, and of signals of patients with several records.
    hardly_grows(attack, plan(250_000, 16, (1, 3)), plan(750_000, 16, (1, 3)));
}
