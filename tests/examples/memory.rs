//! What an analysis of a large audit takes: time, anonymous memory, scratch.
//!
//!     cargo run --release -p umbra-tests --example memory -- RECORDS SHADOWS [LEAST MOST [FOLDER [ATTACKS]]]
//!
//! Units have from LEAST to MOST records (1 and 1 if left out), scattered; files lie in FOLDER, else in the
//! system's folder for them; ATTACKS is a list such as lira-online,global. Everything else is as it is by
//! default: intervals and calibrated curves. The audit is generated, so it takes no more disk than its
//! scratch files, 16 bytes a pair and attack, 8 a pair of patients with several records, and some bytes a
//! record. `RAYON_NUM_THREADS` bounds the threads.

use std::cell::Cell;
use std::error::Error;
use std::path::PathBuf;

use umbra_stats::Config;
use umbra_tests::streaming::{Plan, Room, run};

/// As in the daemons.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(clippy::print_stdout, reason = "it is what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| match arguments.get(index) {
        Some(text) => text.replace('_', "").parse().map_err(|error| format!("'{text}': {error}")),
        None => Ok(default),
    };
    let least = number(2, 1)?;
    let plan = Plan {
        records: number(0, 300_000)?,
        shadows: number(1, 64)?,
        records_per_unit: (least, number(3, least)?),
        scattered: least > 1,
        multi_label: true,
    };
    let folder = arguments.get(4).map_or_else(std::env::temp_dir, PathBuf::from);
    let attacks = arguments.get(5).map_or("lira-online,global", String::as_str);
    let attacks = attacks.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let config = Config { attacks, ..Config::default() };
    let shown = Cell::new(-1);
    let outcome = run(plan, &config, &folder, Room::Files, &|share| {
        let percent = (share * 20.0) as i32 * 5;
        if percent > shown.replace(percent) {
            println!("{percent:3} %");
        }
    })?;
    let pairs = (plan.records * plan.shadows) as f64;
    println!(
        "{} records x {} shadows, {} threads: {:.1} s ({:.1} ns a pair), {:.1} MiB anonymous at most, {:.2} GiB \
         written to scratch",
        plan.records,
        plan.shadows,
        rayon::current_num_threads(),
        outcome.time.as_secs_f64(),
        outcome.time.as_secs_f64() * 1e9 / pairs,
        outcome.anonymous as f64 / (1 << 20) as f64,
        outcome.scratch as f64 / (1 << 30) as f64,
    );
    for attack in &outcome.analysis.attacks {
        println!("{}: pooled AUC {:.6}", attack.attack, attack.figures.auc);
    }
    println!("{} of {} patients detected", outcome.analysis.summary.detected, outcome.analysis.summary.units);
    Ok(())
}
