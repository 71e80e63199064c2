//! Choices read off arbitrary bytes.

/// Reads bytes from the front; after the last come zeros.
pub struct Cursor<'a>(pub &'a [u8]);

impl Cursor<'_> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// A number below `end`, which is from 1 to 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// Yes or no.
    pub fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A logit: often a small whole number, so that there are ties, now and then something that is none.
    pub fn logit(&mut self) -> f64 {
        match self.byte() {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -0.0,
            4 => 1e300,
            5 => -1e-300,
            6 => f64::from(f32::MAX),
            7 => f64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            byte => f64::from(byte) / 16.0 - 8.0,
        }
    }
}
