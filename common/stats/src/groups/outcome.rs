//! What may happen to a patient more often in one group than in another.

use super::table::Tally;

/// Classes of patients that an outcome makes.
pub(super) const CLASSES: usize = 3;

/// An outcome that groups are compared by. Patients fall into three classes: of whom it holds, of whom it
/// holds not, and those tied at the cut, of whom it holds by a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Detected,
    Recognisable,
    /// Among the most exposed.
    Top,
}

impl Outcome {
    /// Patients of every class: it holds not, it holds, tied.
    pub fn counts(self, tally: &Tally) -> [u32; CLASSES] {
        let (holds, tied) = match self {
            Self::Detected => (tally.detected, 0),
            Self::Recognisable => (tally.recognisable, 0),
            Self::Top => (tally.above, tally.tied),
        };
        [tally.patients - holds - tied, holds, tied]
    }
}

/// How a patient of a class counts in a sum over patients: those of whom it holds in the low 32 bits, those
/// tied in the high ones. Differences of codes may be added in any order; a complete sum has both counts.
pub(super) fn code(class: usize) -> i64 {
    [0, 1, 1 << 32][class]
}

/// Of how many patients the outcome holds, those tied counting `weight` each, given a sum of codes.
pub(super) fn amount(sum: i64, weight: f64) -> f64 {
    (sum & 0xffff_ffff) as f64 + weight * (sum >> 32) as f64
}
