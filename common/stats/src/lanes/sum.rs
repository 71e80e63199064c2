//! Sums whose order of addition does not depend on the machine.

/// Numbers that are handled side by side: a vector of AVX-512, two of AVX2, four of SSE2.
pub(crate) const LANES: usize = 8;

/// The number of lanes that hold `n` values.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// A sum over chunks of [`LANES`] values: lane by lane, then the lanes in a fixed order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum([f64; LANES]);

impl Sum {
    #[inline(always)]
    pub fn zero() -> Self {
        Self([0.0; LANES])
    }

    /// Adds the value of one lane.
    #[inline(always)]
    pub fn add(&mut self, lane: usize, value: f64) {
        self.0[lane] += value;
    }

    /// The sum over the lanes.
    #[inline(always)]
    pub fn total(self) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}
