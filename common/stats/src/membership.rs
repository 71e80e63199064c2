//! Which units each shadow was trained on.

/// The bit matrix shadows x units, borrowed: for every unit in turn `ceil(shadows / 64)` words, the bit of
/// shadow `s` being bit `s % 64` of word `s / 64`.
#[derive(Debug, Clone, Copy)]
pub struct Membership<'a> {
    shadows: usize,
    units: usize,
    words: &'a [u64],
}

impl<'a> Membership<'a> {
    /// Takes the packed words; `None` if their number is not `units * ceil(shadows / 64)`.
    pub fn new(shadows: usize, units: usize, words: &'a [u64]) -> Option<Self> {
        let expected = shadows.div_ceil(64).checked_mul(units)?;
        (words.len() == expected).then_some(Self { shadows, units, words })
    }

    /// Shadows, lost ones included.
    pub fn shadows(&self) -> usize {
        self.shadows
    }

    /// Units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Whether `shadow` was trained on `unit`.
    pub fn is_in(&self, shadow: usize, unit: usize) -> bool {
        debug_assert!(shadow < self.shadows);
        self.column(unit)[shadow / 64] >> (shadow % 64) & 1 == 1
    }

    /// The packed column of a unit: one bit a shadow.
    pub fn column(&self, unit: usize) -> &'a [u64] {
        let words = self.shadows.div_ceil(64);
        &self.words[unit * words..(unit + 1) * words]
    }
}

/// A bit matrix shadows x units that owns its words.
#[derive(Debug, Clone)]
pub struct MembershipMatrix {
    shadows: usize,
    units: usize,
    words: Vec<u64>,
}

impl MembershipMatrix {
    /// Builds the matrix from a function of (shadow, unit).
    pub fn from_fn(shadows: usize, units: usize, is_in: impl Fn(usize, usize) -> bool) -> Self {
        let per_unit = shadows.div_ceil(64);
        let mut words = vec![0; per_unit * units];
        for unit in 0..units {
            for shadow in (0..shadows).filter(|&shadow| is_in(shadow, unit)) {
                words[unit * per_unit + shadow / 64] |= 1 << (shadow % 64);
            }
        }
        Self { shadows, units, words }
    }

    /// The view that the statistics read.
    pub fn view(&self) -> Membership<'_> {
        Membership { shadows: self.shadows, units: self.units, words: &self.words }
    }
}
