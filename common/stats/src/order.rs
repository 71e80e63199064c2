//! The order of the shadows in which the blocks of a design are consecutive.
//!
//! Complementary pairs come as neighbours, (0, 1), (2, 3) ..., or with half of the shadows between them,
//! (0, S/2), (1, S/2 + 1) ... All computation is on consecutive blocks. So shadows of the latter kind are
//! brought in order where logits and membership come in, and back where anything per shadow goes out:
//! everything is found as if the pairs had lain side by side.

use crate::source::Shape;

/// Where the shadows of blocks lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// Side by side.
    #[default]
    Given,
    /// The two of a pair in different halves.
    Halves,
}

impl Order {
    /// The place, as given, of the shadow that is at `place` in order.
    pub fn given(self, place: usize, shadows: usize) -> usize {
        match self {
            Self::Given => place,
            Self::Halves => place % 2 * (shadows / 2) + place / 2,
        }
    }

    /// Brings items, one a shadow as given, in order.
    pub fn sorted<T: Clone>(self, items: &[T]) -> Vec<T> {
        (0..items.len()).map(|place| items[self.given(place, items.len())].clone()).collect()
    }

    /// Brings items, one a shadow in order, back to where the shadows were given.
    pub fn restored<T: Clone>(self, items: &[T]) -> Vec<T> {
        let mut back: Vec<T> = items.to_vec();
        for (place, item) in items.iter().enumerate() {
            back[self.given(place, items.len())] = item.clone();
        }
        back
    }

    /// Brings logits `[record][query][class][shadow]` in order.
    pub fn sort_logits<T: Copy>(self, logits: &mut [T], shape: &Shape) {
        if self == Self::Halves {
            let mut room = Vec::with_capacity(shape.shadows);
            for row in logits.chunks_exact_mut(shape.shadows) {
                room.clear();
                room.extend_from_slice(row);
                let (first, second) = room.split_at(shape.shadows / 2);
                let pairs = first.iter().zip(second);
                row.chunks_exact_mut(2).zip(pairs).for_each(|(to, (a, b))| (to[0], to[1]) = (*a, *b));
            }
        }
    }

    /// Brings scores `[shadow][record]` back to where the shadows were given; `room` may be taken for it.
    pub fn restored_scores<'r>(self, scores: &'r [f64], shadows: usize, room: &'r mut Vec<f64>) -> &'r [f64] {
        if self == Self::Given {
            return scores;
        }
        let records = scores.len() / shadows;
        room.resize(scores.len(), 0.0);
        for (place, line) in scores.chunks_exact(records.max(1)).enumerate() {
            let at = self.given(place, shadows) * records;
            room[at..at + records].copy_from_slice(line);
        }
        room
    }

    /// Brings a column of membership bits, one a shadow, in order; `room` may be taken for it.
    pub fn sorted_bits<'r>(self, bits: &'r [u64], shadows: usize, room: &'r mut Vec<u64>) -> &'r [u64] {
        if self == Self::Given {
            return bits;
        }
        let pairs = shadows / 2;
        room.clear();
        for first in (0..pairs).step_by(32) {
            let count = (pairs - first).min(32);
            let side = |start: usize| spread(part(bits, start + first) & (u64::MAX >> (64 - count)));
            room.push(side(0) | side(pairs) << 1);
        }
        room
    }
}

/// The bits from `start` on: 32 of them at least, as far as there are any.
fn part(bits: &[u64], start: usize) -> u64 {
    let (word, shift) = (start / 64, start % 64);
    let next = if shift > 32 { bits.get(word + 1).copied().unwrap_or(0) << (64 - shift) } else { 0 };
    bits[word] >> shift | next
}

/// The 32 low bits, each followed by a 0.
fn spread(bits: u64) -> u64 {
    let mut x = bits & 0xffff_ffff;
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        x = (x | x << shift) & mask;
    }
    x
}

/// Whether in every pair of neighbouring bits exactly one is set.
pub(crate) fn are_pairs(bits: &[u64], shadows: usize) -> bool {
    const FIRST: u64 = 0x5555_5555_5555_5555;
    bits.iter().enumerate().all(|(word, &bits)| {
        let mask = FIRST & (u64::MAX >> (64 - (shadows - word * 64).min(64)));
        (bits ^ bits >> 1) & mask == mask
    })
}

#[cfg(test)]
mod tests {
    use umbra_core::seed::{Purpose, Seed};

    use super::*;

    #[test]
    fn what_is_brought_in_order_comes_back() {
        assert_eq!(Order::Halves.sorted(&[0, 1, 2, 10, 11, 12]), [0, 10, 1, 11, 2, 12]);
        let mut stream = Seed::new(3).stream(Purpose::Simulation, &[]);
        for shadows in [2, 6, 62, 64, 66, 100, 128, 130, 194, 256] {
            let shape = Shape { shadows, records: 2, queries: 1, classes: 1 };
            let items: Vec<u32> = (0..2 * shadows as u32).collect();
            let mut sorted = items.clone();
            Order::Halves.sort_logits(&mut sorted, &shape);
            assert_eq!(sorted[..shadows], Order::Halves.sorted(&items[..shadows]));
            assert_eq!(Order::Halves.restored(&sorted[..shadows]), items[..shadows]);
            let scores: Vec<f64> = sorted[..shadows].iter().flat_map(|&s| [f64::from(s), 0.5]).collect();
            let back = Order::Halves.restored_scores(&scores, shadows, &mut Vec::new()).to_vec();
            assert_eq!(back, (0..shadows).flat_map(|s| [s as f64, 0.5]).collect::<Vec<_>>());

            let bits: Vec<bool> = (0..shadows).map(|_| stream.below(2) == 1).collect();
            let pack = |bits: &[bool]| -> Vec<u64> {
                let word = |bits: &[bool]| bits.iter().rev().fold(0, |word, &bit| word << 1 | u64::from(bit));
                bits.chunks(64).map(word).collect()
            };
            let packed = pack(&bits);
            let found = Order::Halves.sorted_bits(&packed, shadows, &mut Vec::new()).to_vec();
            assert_eq!(found, pack(&Order::Halves.sorted(&bits)), "{shadows}");
            assert_eq!(Order::Given.sorted_bits(&packed, shadows, &mut Vec::new()), packed);
        }
    }

    #[test]
    fn pairs_are_told_from_others() {
        assert!(are_pairs(&[0b0110], 4) && !are_pairs(&[0b0111], 4) && !are_pairs(&[0b0010], 4));
        let ones = [0xaaaa_aaaa_aaaa_aaaa, 0b01];
        assert!(are_pairs(&ones, 66) && !are_pairs(&[ones[0], 0], 66) && !are_pairs(&[ones[0], 3], 66));
    }
}
