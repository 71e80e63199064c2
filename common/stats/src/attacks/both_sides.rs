//! Whether a unit is IN and OUT in every block.

use crate::design::Blocks;
use crate::membership;

/// Tells it of packed columns: word by word where blocks are a power of two that a word holds whole, and else
/// block by block.
#[derive(Debug, Default)]
pub(super) struct BothSides {
    shadows: usize,
    size: usize,
    /// By word, the bits that stand for a shadow, and the highest of every block; empty where blocks are
    /// gone through.
    words: Vec<(u64, u64)>,
}

impl BothSides {
    /// Makes it that of these blocks.
    pub fn fit(&mut self, blocks: &Blocks) {
        if (self.shadows, self.size) == (blocks.shadows, blocks.size) {
            return;
        }
        (self.shadows, self.size) = (blocks.shadows, blocks.size);
        self.words.clear();
        if 64usize.is_multiple_of(self.size) {
            // The highest bit of each block of a word.
            let highest = (u64::MAX / (u64::MAX >> (64 - self.size))) << (self.size - 1);
            self.words.extend((0..self.shadows).step_by(64).map(|first| {
                let there = u64::MAX >> (64 - (self.shadows - first).min(64));
                (there, highest & there)
            }));
        }
    }

    /// Whether the bits say IN and OUT in every block.
    pub fn of(&self, column: &[u64]) -> bool {
        if self.words.is_empty() {
            return (0..self.shadows).step_by(self.size).all(|start| {
                let here = membership::inside(column, start..start + self.size);
                here > 0 && here < self.size
            });
        }
        column.iter().zip(&self.words).all(|(&bits, &(there, highest))| {
            // A carry reaches the highest bit of a block if any lower one is set.
            let any = |bits: u64| (((bits & !highest) + (there & !highest)) | bits) & highest == highest;
            any(bits & there) && any(!bits & there)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use umbra_core::seed::{Purpose, Seed};

    /// Bit by bit; blocks of one bit, of a word, of more, and of sizes that no word holds whole.
    #[test]
    fn every_block_is_looked_at() {
        let mut stream = Seed::new(8).stream(Purpose::Simulation, &[]);
        let mut sides = BothSides::default();
        let mut found = [0; 2];
        for (shadows, size) in [(6, 2), (72, 8), (64, 64), (128, 16), (96, 32), (80, 10), (256, 128), (7, 7)]
        {
            let design = if size % 2 == 0 { Design::blocks(size) } else { Design::bernoulli() };
            sides.fit(&design.resolve(shadows).unwrap());
            for trial in 0..200 {
                let even = 0xaaaa_aaaa_aaaa_aaaa;
                // One block or another is all on one side, in one trial of two or so.
                let column: Vec<u64> = (0..shadows.div_ceil(64))
                    .map(|_| match trial % 3 {
                        0 => stream.next_u64() | stream.next_u64() | stream.next_u64(),
                        1 => even ^ (u64::MAX >> (64 - size.min(64))) << stream.below(60) & stream.next_u64(),
                        _ => even,
                    })
                    .collect();
                let is_in = |shadow: usize| column[shadow / 64] >> (shadow % 64) & 1 == 1;
                let right = (0..shadows)
                    .step_by(size)
                    .all(|start| (start..start + size).any(is_in) && !(start..start + size).all(is_in));
                assert_eq!(sides.of(&column), right, "{shadows} {size} {column:x?}");
                found[usize::from(right)] += 1;
            }
        }
        assert!(found.iter().all(|&found| found > 200), "{found:?}");
    }
}
