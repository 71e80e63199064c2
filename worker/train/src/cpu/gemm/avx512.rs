//! Tiles with AVX-512: up to 14 rows of one or two vectors of 16; 28 of the 32 registers hold sums.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512, _CMP_GT_OQ, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::kernel::{Tile, Vector, heights};

#[derive(Clone, Copy)]
struct V(__m512);

// SAFETY (every block): methods are only inlined into `run`, which has AVX-512; addresses are the caller's
// promise.
impl Vector for V {
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // MAXPS returns its second operand where one is NaN.
        Self(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
    }

    #[inline(always)]
    fn where_positive(self, mask: Self) -> Self {
        unsafe {
            let keep = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(mask.0, _mm512_setzero_ps());
            Self(_mm512_maskz_mov_ps(keep, self.0))
        }
    }
}

/// Computes a tile. Row lengths that models have much are known to the compiler; 1 is that of a transposed matrix.
///
/// # Safety
/// The CPU must have AVX-512F and `tile.check` must have passed.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn run(tile: &mut Tile<'_>) {
    // SAFETY: the caller's promise, passed on with the row length that was found.
    unsafe {
        match tile.row {
            1 => with_row::<1>(tile),
            16 => with_row::<16>(tile),
            32 => with_row::<32>(tile),
            64 => with_row::<64>(tile),
            128 => with_row::<128>(tile),
            256 => with_row::<256>(tile),
            _ => with_row::<0>(tile),
        }
    }
}

/// # Safety
/// As for [`run`]; and the tile's rows must be of length `ROW` unless that is 0.
#[target_feature(enable = "avx512f")]
unsafe fn with_row<const ROW: usize>(tile: &mut Tile<'_>) {
    if tile.width == 32 {
        heights!(V, 2, ROW, tile; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    } else {
        heights!(V, 1, ROW, tile; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }
}
