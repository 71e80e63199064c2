//! Packing the right matrix into a panel of `[depth][width]` floats.
#![allow(unsafe_code)]

use std::ops::Range;

use super::Matrix;
use crate::cpu::simd::{Isa, IsaLevel};

/// Packs rows `depth` and `width` columns from `column` of a matrix that has `columns`; columns beyond the
/// last group of the matrix are zero.
pub(super) fn panel(
    isa: Isa,
    matrix: &Matrix<'_>,
    depth: Range<usize>,
    column: usize,
    columns: usize,
    width: usize,
    panel: &mut [f32],
) {
    if matrix.transposed {
        let there = width.min(columns - column);
        if there < width {
            panel.fill(0.0);
        }
        let from = &matrix.values[column * matrix.pitch + depth.start..];
        transpose(isa, from, matrix.pitch, there, depth.len(), panel, width);
    } else {
        for (row, to) in depth.zip(panel.chunks_exact_mut(width)) {
            to.copy_from_slice(&matrix.values[row * matrix.pitch + column..][..width]);
        }
    }
}

/// `to[j][i] = from[i][j]` for `rows` x `columns` numbers of `from`.
pub(in crate::cpu) fn transpose(
    isa: Isa,
    from: &[f32],
    from_pitch: usize,
    rows: usize,
    columns: usize,
    to: &mut [f32],
    to_pitch: usize,
) {
    assert!((rows - 1) * from_pitch + columns <= from.len() && (columns - 1) * to_pitch + rows <= to.len());
    let whole = |count: usize| if isa.level() >= IsaLevel::Avx2 { count / 8 * 8 } else { 0 };
    let (whole_rows, whole_columns) = (whole(rows), whole(columns));
    #[cfg(target_arch = "x86_64")]
    {
        for row in (0..whole_rows).step_by(8) {
            for column in (0..whole_columns).step_by(8) {
                // SAFETY: AVX2 was found; the assertion above covers the 8 x 8 floats on both sides.
                unsafe {
                    let from = from.as_ptr().add(row * from_pitch + column);
                    transpose_8x8(from, from_pitch, to.as_mut_ptr().add(column * to_pitch + row), to_pitch);
                }
            }
        }
    }
    for row in 0..rows {
        let first = if row < whole_rows { whole_columns } else { 0 };
        for column in first..columns {
            to[column * to_pitch + row] = from[row * from_pitch + column];
        }
    }
}

/// Transposes 8 x 8 floats: pairs, quads, halves.
///
/// # Safety
/// The CPU must have AVX, and eight rows of eight floats must be readable and writable.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn transpose_8x8(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    let mut r = [_mm256_setzero_ps(); 8];
    for i in 0..8 {
        // SAFETY: the caller's promise.
        r[i] = unsafe { _mm256_loadu_ps(from.add(i * from_pitch)) };
    }
    let mut t = r;
    for i in 0..4 {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for half in 0..2 {
        let h = 4 * half;
        r[h] = _mm256_shuffle_ps::<0x44>(t[h], t[h + 2]);
        r[h + 1] = _mm256_shuffle_ps::<0xee>(t[h], t[h + 2]);
        r[h + 2] = _mm256_shuffle_ps::<0x44>(t[h + 1], t[h + 3]);
        r[h + 3] = _mm256_shuffle_ps::<0xee>(t[h + 1], t[h + 3]);
    }
    for i in 0..4 {
        let low = _mm256_permute2f128_ps::<0x20>(r[i], r[i + 4]);
        let high = _mm256_permute2f128_ps::<0x31>(r[i], r[i + 4]);
        // SAFETY: the caller's promise.
        unsafe {
            _mm256_storeu_ps(to.add(i * to_pitch), low);
            _mm256_storeu_ps(to.add((i + 4) * to_pitch), high);
        }
    }
}
