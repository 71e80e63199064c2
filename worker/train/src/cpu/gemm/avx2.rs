//! Tiles with AVX2 and FMA: up to 6 rows of two vectors of 8; 12 of the 16 registers hold sums.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _mm256_add_ps, _mm256_and_ps, _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::kernel::{Tile, Vector, heights};

#[derive(Clone, Copy)]
struct V(__m256);

// SAFETY (every block): methods are only inlined into `run`, which has AVX2 and FMA; addresses are the
// caller's promise.
impl Vector for V {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // MAXPS returns its second operand where one is NaN.
        Self(unsafe { _mm256_max_ps(_mm256_setzero_ps(), self.0) })
    }

    #[inline(always)]
    fn where_positive(self, mask: Self) -> Self {
        unsafe {
            let keep = _mm256_cmp_ps::<_CMP_GT_OQ>(mask.0, _mm256_setzero_ps());
            Self(_mm256_and_ps(keep, self.0))
        }
    }
}

/// Computes a tile.
///
/// # Safety
/// The CPU must have AVX2 and FMA and `tile.check` must have passed.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run(tile: &mut Tile<'_>) {
    assert!(tile.width == 16, "panels of AVX2 are 16 wide");
    heights!(V, 2, 0, tile; 1 2 3 4 5 6);
}
