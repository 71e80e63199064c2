//! Sums over the records of a batch.

use super::simd::Kernel;

/// Column sums of a row-major matrix, in row order: `sums[j] (+)= sum over i of values[i][j]`.
pub(super) struct ColumnSums<'a> {
    pub values: &'a [f32],
    pub pitch: usize,
    /// Whether the sums go on from what they are.
    pub add: bool,
    pub sums: &'a mut [f32],
}

impl Kernel for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let mut column = 0;
        while self.pitch - column >= 64 {
            strip::<64>(&mut self, column);
            column += 64;
        }
        while column < self.pitch {
            strip::<16>(&mut self, column);
            column += 16;
        }
    }
}

/// A strip of `N` columns, its sums in registers.
#[inline(always)]
fn strip<const N: usize>(all: &mut ColumnSums<'_>, column: usize) {
    let mut strip = [0.0f32; N];
    let sums = &mut all.sums[column..][..N];
    if all.add {
        strip.copy_from_slice(sums);
    }
    for row in all.values.chunks_exact(all.pitch) {
        for (sum, value) in strip.iter_mut().zip(&row[column..][..N]) {
            *sum += value;
        }
    }
    sums.copy_from_slice(&strip);
}
