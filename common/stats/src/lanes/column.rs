//! Numbers that begin where a cache line does.

use std::ops::{Deref, DerefMut};

use super::padded;

/// Bytes of a cache line, and of a vector of AVX-512: a vector that lies across two lines costs twice.
const LINE: usize = 64;

/// A column of numbers in whole lanes, the first one at the beginning of a cache line.
#[derive(Debug, Default)]
pub(crate) struct Column {
    values: Vec<f64>,
    start: usize,
    length: usize,
}

impl Column {
    /// Zeroes, as many as `n` in whole lanes.
    pub fn zeroes(n: usize) -> Self {
        let length = padded(n);
        let values = vec![0.0; length + LINE / size_of::<f64>()];
        // An offset that cannot be had is as good as none: it costs time alone.
        let start = values.as_ptr().align_offset(LINE).min(LINE / size_of::<f64>());
        Self { values, start, length }
    }

    /// Makes it as long as `n` in whole lanes; what it held is lost if that changes anything.
    pub fn fit(&mut self, n: usize) {
        if self.length != padded(n) {
            *self = Self::zeroes(n);
        }
    }
}

impl Deref for Column {
    type Target = [f64];

    #[inline(always)]
    fn deref(&self) -> &[f64] {
        &self.values[self.start..self.start + self.length]
    }
}

impl DerefMut for Column {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.values[self.start..self.start + self.length]
    }
}

impl FromIterator<f64> for Column {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let mut column = Self::zeroes(values.len());
        column[..values.len()].copy_from_slice(&values);
        column
    }
}
