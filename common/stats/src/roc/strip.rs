//! A piece of a curve: from the highest score down, whether members or non-members come next.
//!
//! A strip is a list of words. A block holds up to [`FULL`] scores none of which equals one of the other side
//! of the same curve, a bit each (1 for a member), the highest score in the highest bit, below a bit that is
//! set. A zero announces a tie: the word after it holds the counts of equal members and non-members.

/// Scores of a full block.
pub(super) const FULL: u32 = 63;

/// A block of no scores.
pub(super) const EMPTY: u64 = 1;

/// What a strip consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Block(Block),
    Tie { members: u64, nonmembers: u64 },
}

/// Scores of one curve, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The lowest `length` bits.
    bits: u64,
    length: u32,
}

/// The parts of a strip.
#[inline(always)]
pub(super) fn parts(strip: &[u64]) -> impl Iterator<Item = Part> {
    let mut words = strip.iter();
    std::iter::from_fn(move || {
        let word = *words.next()?;
        if word > 0 {
            let length = FULL - word.leading_zeros();
            return Some(Part::Block(Block { bits: word ^ 1 << length, length }));
        }
        let counts = words.next()?;
        Some(Part::Tie { members: counts >> 32, nonmembers: counts & u64::from(u32::MAX) })
    })
}

/// The words of a tie.
pub(super) fn tie(members: u32, nonmembers: u32) -> [u64; 2] {
    [0, u64::from(members) << 32 | u64::from(nonmembers)]
}

impl Block {
    #[inline(always)]
    pub fn members(self) -> u64 {
        self.bits.count_ones().into()
    }

    #[inline(always)]
    pub fn nonmembers(self) -> u64 {
        u64::from(self.length) - self.members()
    }

    /// Pairs of a member and a lower non-member.
    #[inline(always)]
    pub fn wins(self) -> u64 {
        /// Bits whose number has a bit set, from the lowest.
        const NUMBERS: [u64; 6] = [
            0xaaaa_aaaa_aaaa_aaaa,
            0xcccc_cccc_cccc_cccc,
            0xf0f0_f0f0_f0f0_f0f0,
            0xff00_ff00_ff00_ff00,
            0xffff_0000_ffff_0000,
            0xffff_ffff_0000_0000,
        ];
        // Scores below the members, less the members below them.
        let below: u64 = NUMBERS
            .iter()
            .enumerate()
            .map(|(bit, numbers)| u64::from((self.bits & numbers).count_ones()) << bit)
            .sum();
        let members = self.members();
        below - members * members.saturating_sub(1) / 2
    }

    /// For each score, from the highest, whether it is a member's.
    pub fn sides(self) -> impl Iterator<Item = bool> {
        (0..self.length).rev().map(move |bit| self.bits >> bit & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Pairs counted one by one.
        #[test]
        fn a_block_counts_its_pairs(sides in proptest::collection::vec(any::<bool>(), 0..64)) {
            let word = sides.iter().fold(EMPTY, |word, &side| word << 1 | u64::from(side));
            let strip = [&[word][..], &tie(3, 0), &tie(0, u32::MAX)].concat();
            let found: Vec<Part> = parts(&strip).collect();
            let Part::Block(block) = found[0] else { panic!("a block") };
            prop_assert!(block.sides().eq(sides.iter().copied()));
            let members = sides.iter().filter(|&&side| side).count() as u64;
            prop_assert_eq!((block.members(), block.nonmembers()), (members, sides.len() as u64 - members));
            let below = |i: usize| sides[i..].iter().filter(|&&side| !side).count() as u64;
            let wins: u64 = (0..sides.len()).filter(|&i| sides[i]).map(below).sum();
            prop_assert_eq!(block.wins(), wins);
            prop_assert_eq!(&found[1..], [
                Part::Tie { members: 3, nonmembers: 0 },
                Part::Tie { members: 0, nonmembers: u32::MAX.into() },
            ]);
        }
    }
}
