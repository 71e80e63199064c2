//! Scores as integers, and what is packed beside them.

use crate::error::StatsError;

/// Bits of a tag.
pub(super) const TAG_BITS: u32 = 16;

/// The highest bits of a key: sign, exponent and four bits of the mantissa. All keys of a cell agree in them;
/// what is left of the key shares a word with the tag.
pub(super) const TOP_BITS: u32 = TAG_BITS;

/// A key, less its highest bits, above a tag.
#[inline(always)]
pub(super) fn pack(key: u64, tag: u64) -> u64 {
    key << TAG_BITS | tag
}

/// Whether two words of one cell stem from equal scores.
#[inline(always)]
pub(super) fn tied(a: u64, b: u64) -> bool {
    (a ^ b) >> TAG_BITS == 0
}

/// The most shadows that tags can tell apart.
const MOST_SHADOWS: usize = 1 << 14;

/// What the bits of a tag mean, from the lowest: positive (1) or negative; the curve among several that
/// the score belongs to; the group of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    curve_bits: u32,
}

impl Layout {
    /// One curve, no groups.
    pub const POOLED: Layout = Layout { curve_bits: 0 };

    /// Refuses more shadows than tags can tell apart.
    pub fn check(shadows: usize) -> Result<(), StatsError> {
        if shadows > MOST_SHADOWS {
            return Err(StatsError::Inputs(format!(
                "{shadows} shadows are more than ROC curves are read of; give at most {MOST_SHADOWS}"
            )));
        }
        Ok(())
    }

    /// A curve per shadow, so many as [`Layout::check`] lets pass.
    pub fn per_shadow(shadows: usize) -> Self {
        Self { curve_bits: shadows.next_power_of_two().trailing_zeros().max(1) }
    }

    /// Two curves per shadow, told apart by bit 1: for its OUT and its IN records.
    pub fn per_shadow_and_side(shadows: usize) -> Self {
        Self { curve_bits: 1 + Self::per_shadow(shadows).curve_bits }
    }

    /// Tags without group: twice the number of curves.
    pub fn tags(self) -> usize {
        2 << self.curve_bits
    }

    /// The tag without its group.
    #[inline(always)]
    pub fn tag(self, word: u64) -> usize {
        word as usize & (self.tags() - 1)
    }

    /// The most groups there is room for.
    pub fn most_groups(self) -> usize {
        1 << (TAG_BITS - 1 - self.curve_bits).min(8)
    }

    /// Where the group begins within the tag.
    pub fn group_at(self) -> u32 {
        1 + self.curve_bits
    }

    /// The group of a word.
    pub fn group(self, word: u64) -> usize {
        (word as u16 >> self.group_at()) as usize
    }
}
