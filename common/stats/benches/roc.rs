//! Time of exact ROC figures of 50,000 records x 128 shadows on one core: distribution, sort and walk; and
//! what the bootstrap adds. `cargo bench -p umbra-stats --bench roc [-- RECORDS SHADOWS THREADS]`, the threads
//! reading. One thread's figures are seconds of the processor where the system counts them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at what it did not expect"
)]

mod timing;

use std::time::Instant;

use umbra_core::seed::{Purpose, Seed};
use umbra_stats::{Design, MembershipMatrix, MemoryScratch, ScoreCurves, ScoreFindings};

/// Records handed over at once.
const TILE: usize = 2048;

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (records, shadows) = (*sizes.first().unwrap_or(&50_000), *sizes.get(1).unwrap_or(&128));
    let seed = Seed::new(1);
    let mut stream = seed.stream(Purpose::Simulation, &[]);
    let words: Vec<u64> = (0..records * shadows.div_ceil(64)).map(|_| stream.next_u64()).collect();
    let per_unit = shadows.div_ceil(64);
    let membership =
        MembershipMatrix::from_fn(shadows, records, |s, u| words[u * per_unit + s / 64] >> (s % 64) & 1 == 1);
    let units: Vec<u32> = (0..records as u32).collect();
    let tiles: Vec<(std::ops::Range<usize>, Vec<f64>)> = (0..records)
        .step_by(TILE)
        .map(|first| {
            let tile = first..(first + TILE).min(records);
            let mut scores = Vec::with_capacity(tile.len() * shadows);
            for shadow in 0..shadows {
                let shift =
                    |record: usize| 0.3 * f64::from(u8::from(membership.view().is_in(shadow, record)));
                scores.extend(tile.clone().map(|record| stream.normal_f64() + shift(record)));
            }
            (tile, scores)
        })
        .collect();
    let design = Design::blocks(if shadows.is_multiple_of(16) { 16 } else { shadows });
    let threads = *sizes.get(2).unwrap_or(&1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let origin = Instant::now();
    let now =
        || timing::on_processor().filter(|_| threads == 1).unwrap_or_else(|| origin.elapsed().as_secs_f64());
    let run = |replicates: usize| -> (f64, f64, ScoreFindings) {
        let begin = now();
        let mut curves = ScoreCurves::try_new(
            membership.view(),
            &units,
            &design,
            &seed,
            replicates,
            usize::MAX,
            &MemoryScratch,
        )
        .unwrap();
        tiles.iter().for_each(|(tile, scores)| curves.take(tile.clone(), scores).unwrap());
        let collected = now();
        let found = curves.find().unwrap();
        (collected - begin, now() - collected, found)
    };
    let spread = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        format!("{:.1} ms (least {:.1})", 1e3 * times[times.len() / 2], 1e3 * times[0])
    };
    for replicates in [0, 400] {
        let rounds: Vec<_> = (0..7).map(|_| pool.install(|| run(replicates))).collect();
        let collecting = spread(rounds.iter().map(|round| round.0).collect());
        let reading = spread(rounds.iter().map(|round| round.1).collect());
        println!(
            "{records} x {shadows}, {replicates} replicates: collect {collecting}, read {reading}, AUC {:.4}",
            rounds[0].2.pooled.figures.auc
        );
    }
}
