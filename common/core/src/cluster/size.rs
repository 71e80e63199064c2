//! How much memory slots have, and how much of it packs need.

/// The memory of a slot in bytes. One that is not known counts as the largest: it holds everything, and is
/// used when no other does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(u64);

impl Size {
    /// A slot that does not say how large it is.
    pub(super) const UNKNOWN: Self = Self(u64::MAX);

    /// What a worker tells of a slot; 0 is nothing.
    pub(super) const fn told(bytes: u64) -> Self {
        if bytes == 0 { Self::UNKNOWN } else { Self(bytes) }
    }

    /// Its bytes, where they are known.
    pub(super) fn bytes(self) -> Option<u64> {
        (self != Self::UNKNOWN).then_some(self.0)
    }

    /// The most that it holds.
    pub(super) const fn most(self) -> Need {
        Need(self.0)
    }
}

/// What a slot must have for a pack, in bytes of three significant binary digits: audits by the thousand
/// differ in a few needs, and the queue is kept by need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need(u64);

impl Need {
    /// An estimate, rounded down: what might fit is tried.
    pub(super) const fn about(bytes: u64) -> Self {
        Self(bytes & !(quantum(bytes) - 1))
    }

    /// More than a slot has that was too small, rounded up: another of its kind that tells a few bytes
    /// more would be as small.
    pub(super) const fn above(bytes: u64) -> Self {
        Self(Self::about(bytes).0.saturating_add(quantum(bytes)))
    }

    /// The smallest size that is enough.
    pub(super) const fn least(self) -> Size {
        Size(self.0)
    }

    pub(super) const fn bytes(self) -> u64 {
        self.0
    }
}

/// The third binary digit of a number: a power of two.
const fn quantum(bytes: u64) -> u64 {
    if bytes < 8 { 1 } else { 1 << (bytes.ilog2() - 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_few_and_never_over_an_estimate_nor_within_what_was_too_small() {
        for (bytes, about, above) in [
            (0, 0, 1),
            (7, 7, 8),
            (8, 8, 10),
            (9, 8, 10),
            // 80 GiB are 5 x 2^34.
            (80 << 30, 80 << 30, 96 << 30),
            ((80 << 30) - 1, 64 << 30, 80 << 30),
            (u64::MAX, 7 << 61, u64::MAX),
        ] {
            assert_eq!((Need::about(bytes).bytes(), Need::above(bytes).bytes()), (about, above), "{bytes}");
        }
    }

    #[test]
    fn a_slot_of_unknown_size_holds_everything_and_comes_last() {
        assert_eq!(Size::told(0), Size::UNKNOWN);
        assert!(Need::above(u64::MAX).least() <= Size::told(0) && Size::told(1 << 60) < Size::told(0));
        assert_eq!((Size::told(0).bytes(), Size::told(5).bytes()), (None, Some(5)));
    }
}
