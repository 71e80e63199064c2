//! Plain records of a strip, collected so that eight can be handled side by side.
//!
//! A record is plain if every shadow gives it one signal, and it is IN and OUT at least once in every block
//! and three times in all: nothing about it needs a branch. Whether it is depends on the record alone, so
//! that no score depends on which others it is read with.

use super::both_sides::BothSides;
use crate::design::Blocks;
use crate::lanes::{Kernel, LANES, Vector, dispatch};
use crate::membership;
use crate::signal::View;

/// The plain records of a strip.
#[derive(Debug, Default)]
pub(crate) struct Strip {
    shadows: usize,
    /// Words of a column.
    words: usize,
    sides: BothSides,
    /// Place in the tile of each.
    places: Vec<usize>,
    /// `[record][shadow]`; what is beyond the last record is left over.
    signals: Vec<f64>,
    /// `[record][word]`.
    columns: Vec<u64>,
}

/// Eight records side by side; where there are fewer, the first one stands in for the rest.
pub(crate) struct Eight<'a> {
    /// Places in the tile of those that are there.
    pub places: &'a [usize],
    pub signals: [&'a [f64]; LANES],
    pub columns: [&'a [u64]; LANES],
}

impl Strip {
    /// Begins a strip.
    pub fn clear(&mut self) {
        self.places.clear();
        self.columns.clear();
    }

    /// Takes a record if it is plain; `place` is where it is in the tile.
    pub fn take(&mut self, place: usize, view: &View<'_>, blocks: &Blocks) -> bool {
        let one = view.queries * view.labels == 1 && view.present[0];
        if !(one && self.both_sides(view.column, blocks)) {
            return false;
        }
        (self.shadows, self.words) = (blocks.shadows, blocks.shadows.div_ceil(64));
        let begin = self.places.len() * self.shadows;
        self.signals.resize(self.signals.len().max(begin + self.shadows), 0.0);
        let plain = dispatch(TakeFinite { signals: view.signals, to: &mut self.signals[begin..] });
        if plain {
            self.places.push(place);
            self.columns.extend_from_slice(&view.column[..self.words]);
        }
        plain
    }

    /// Whether the bits say IN and OUT in every block, and three times each in all.
    fn both_sides(&mut self, column: &[u64], blocks: &Blocks) -> bool {
        self.sides.fit(blocks);
        let inside = membership::inside(column, 0..blocks.shadows);
        inside.min(blocks.shadows - inside) >= 3 && self.sides.of(column)
    }

    /// Places in the tile, ascending.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// The records, eight by eight.
    pub fn eights(&self) -> impl Iterator<Item = Eight<'_>> {
        (0..self.places.len()).step_by(LANES).map(|first| {
            let there = (self.places.len() - first).min(LANES);
            let of = |lane: usize| first + if lane < there { lane } else { 0 };
            let lanes: [usize; LANES] = std::array::from_fn(of);
            Eight {
                places: &self.places[first..first + there],
                signals: lanes.map(|record| &self.signals[record * self.shadows..][..self.shadows]),
                columns: lanes.map(|record| &self.columns[record * self.words..][..self.words]),
            }
        })
    }
}

impl Eight<'_> {
    /// The lanes that are there.
    pub fn there(&self) -> u8 {
        u8::MAX >> (LANES - self.places.len())
    }
}

/// Copies signals, and tells whether all are finite.
struct TakeFinite<'a> {
    signals: &'a [f64],
    to: &'a mut [f64],
}

impl Kernel for TakeFinite<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<V: Vector>(self) -> bool {
        let (chunks, rest) = self.signals.as_chunks::<LANES>();
        let (to_chunks, to_rest) = self.to[..self.signals.len()].as_chunks_mut::<LANES>();
        // x - x is 0 where x is finite, and not a number elsewhere; so is the sum.
        let mut sums = V::splat(0.0);
        for (chunk, to) in chunks.iter().zip(to_chunks) {
            let values = V::load(chunk);
            sums = sums.add(values.sub(values));
            values.store(to);
        }
        to_rest.copy_from_slice(rest);
        sums.total() == 0.0 && rest.iter().all(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;

    #[test]
    fn only_plain_records_are_taken() {
        let blocks = Design::blocks(4).resolve(8).unwrap();
        let signals = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let mut strip = Strip::default();
        let mut takes =
            |signals: &[f64], column: u64| strip.take(0, &View::of_signals(signals, &[column]), &blocks);
        assert!(takes(&signals, 0b0101_0110));
        assert!(!takes(&signals, 0b1111_0110), "a block without OUT");
        assert!(!takes(&signals, 0b0000_0110), "a block without IN");
        for hole in [f64::NAN, f64::INFINITY] {
            let mut signals = signals;
            signals[6] = hole;
            assert!(!takes(&signals, 0b0101_0110), "no signal");
        }
        let eights: Vec<_> = strip.eights().map(|eight| (eight.places.len(), eight.there())).collect();
        assert_eq!(eights, [(1, 1)]);
    }
}
