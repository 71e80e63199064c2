//! Sums over the records of a batch.

use super::simd::Kernel;

/// Column sums of a row-major matrix, in row order: `sums[j] = sum over i of values[i][j]`.
pub(super) struct ColumnSums<'a> {
    pub values: &'a [f32],
    pub pitch: usize,
    pub sums: &'a mut [f32],
}

impl Kernel for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut column = 0;
        while self.pitch - column >= 64 {
            strip::<64>(self.values, self.pitch, column, self.sums);
            column += 64;
        }
        while column < self.pitch {
            strip::<16>(self.values, self.pitch, column, self.sums);
            column += 16;
        }
    }
}

/// A strip of `N` columns, its sums in registers.
#[inline(always)]
fn strip<const N: usize>(values: &[f32], pitch: usize, column: usize, sums: &mut [f32]) {
    let mut strip = [0.0f32; N];
    for row in values.chunks_exact(pitch) {
        for (sum, value) in strip.iter_mut().zip(&row[column..][..N]) {
            *sum += value;
        }
    }
    sums[column..][..N].copy_from_slice(&strip);
}
