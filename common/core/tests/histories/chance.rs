//! The only source of randomness of a history.

use umbra_core::seed::{Purpose, Seed, Stream};

pub struct Chance(Stream);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Seed::new(seed).stream(Purpose::Simulation, &[]))
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.0.below(n) == 0
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0.below(n as u64) as usize
    }

    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high - low + 1)
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { Some(&items[self.below(items.len())]) }
    }
}
