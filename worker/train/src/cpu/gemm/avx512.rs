//! Tiles with AVX-512: up to 14 rows of two vectors of 16, or 28 of one; 28 of the 32 registers
//! hold sums.
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

/// Computes a tile.
///
/// # Safety
/// The CPU must have AVX-512F and `tile.check` must have passed.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn run(tile: &mut Tile<'_>) {
    if tile.width == 32 {
        heights!(V, 2, tile; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    } else {
        heights!(V, 1, tile; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28);
    }
}
