//! Tiles in any order, of any size, on any number of threads; and an analysis that is stopped.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};

use support::Audit;
use umbra_core::seed::{Purpose, Seed};
use umbra_stats::{
    AttackKind, Config, Inputs, MemoryLogits, MemoryScores, MemoryScratch, NoSink, Shape, SourceError,
    StatsError, Tile, TileSource, analyse_into,
};

/// Logits that arrive late now and then, so that tiles are done in another order than they were begun.
struct Uneven<'a> {
    logits: &'a MemoryLogits,
    seed: u64,
    reads: AtomicUsize,
}

impl<'a> Uneven<'a> {
    fn new(logits: &'a MemoryLogits, seed: u64) -> Self {
        Self { logits, seed, reads: AtomicUsize::new(0) }
    }
}

impl TileSource for Uneven<'_> {
    fn shape(&self) -> Shape {
        self.logits.shape()
    }

    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let turns = Seed::new(self.seed).stream(Purpose::Simulation, &[records.start as u64]).below(2000);
        (0..turns).for_each(|_| std::thread::yield_now());
        self.logits.read(records, out)
    }
}

#[test]
fn the_order_in_which_tiles_are_done_changes_no_byte() {
    let records_of: Vec<usize> = (0..900).map(|unit| 1 + unit % 4).collect();
    let audit = Audit::draw(11, (16, 8), &records_of, |shadow, record, inside, x| {
        if (shadow * record) % 101 == 7 { f64::NAN } else { x + f64::from(u8::from(inside)) }
    });
    let run_on = |source: &dyn TileSource, threads: usize, tile_records: Option<usize>| {
        let inputs = Inputs { source, ..audit.inputs() };
        let config = Config { permutations: 99, bootstrap: 20, tile_records, ..Config::default() };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut scores = MemoryScores::new(16, audit.units.len());
            let on = |_: f64| ControlFlow::Continue(());
            let found = analyse_into(&inputs, &config, &on, &mut scores, &MemoryScratch).unwrap();
            let bits = |kind| scores.of(kind).unwrap().iter().map(|s| s.to_bits()).collect::<Vec<_>>();
            // Debug prints every digit, and NaN as equal to NaN.
            (format!("{found:?}"), bits(AttackKind::LiraOnline), bits(AttackKind::Global))
        })
    };
    let run = |threads, tile_records, seed| run_on(&Uneven::new(&audit.source, seed), threads, tile_records);
    let one = run(1, Some(usize::MAX), 0);
    for (threads, tile_records, seed) in [
        (1, Some(64), 1),
        (2, Some(64), 2),
        (4, Some(64), 3),
        (4, Some(192), 4),
        (4, None, 5),
        (2, Some(1), 6),
    ] {
        assert!(one == run(threads, tile_records, seed), "{threads} threads, tiles of {tile_records:?}");
    }
    assert!(one == run_on(&audit.source, 2, None), "logits that are held, and not read");
}

/// Whoever stops an analysis waits for no more than the tiles under way.
#[test]
fn an_analysis_stops_when_it_is_told_to() {
    let audit = Audit::draw(3, (16, 8), &[1; 64 * 40], |_, _, _, x| x);
    let source = Uneven::new(&audit.source, 0);
    let inputs = Inputs { source: &source, ..audit.inputs() };
    let config = Config { tile_records: Some(64), bootstrap: 0, ..Config::default() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| {
        let heard = Cell::new(0);
        let stop_at_fifth = |_: f64| {
            heard.set(heard.get() + 1);
            if heard.get() == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let found = analyse_into(&inputs, &config, &stop_at_fifth, &mut NoSink, &MemoryScratch);
        assert!(matches!(found, Err(StatsError::Stopped)), "{found:?}");
        assert_eq!(heard.get(), 5);
        // Five taken, and those in flight.
        assert!(source.reads.load(Ordering::Relaxed) <= 5 + 4);
    });
}
