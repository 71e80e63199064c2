//! Tiles in plain Rust, for machines without AVX2: up to 4 rows of four vectors of 4.
#![allow(unsafe_code)]

use super::kernel::{Tile, Vector, heights};

#[derive(Clone, Copy)]
struct V([f32; 4]);

impl V {
    #[inline(always)]
    fn each(self, other: Self, combine: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| combine(self.0[i], other.0[i])))
    }
}

impl Vector for V {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise; the read needs no alignment beyond a float's.
        Self(unsafe { from.cast::<[f32; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<[f32; 4]>().write(self.0) }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.each(other, |a, b| a + b)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(factor.0[i], sum.0[i])))
    }

    #[inline(always)]
    fn relu(self) -> Self {
        self.each(self, |x, _| if x < 0.0 { 0.0 } else { x })
    }

    #[inline(always)]
    fn where_positive(self, mask: Self) -> Self {
        self.each(mask, |x, mask| if mask > 0.0 { x } else { 0.0 })
    }
}

/// Computes a tile.
///
/// # Safety
/// `tile.check` must have passed.
pub(super) unsafe fn run(tile: &mut Tile<'_>) {
    assert!(tile.width == 16, "portable panels are 16 wide");
    heights!(V, 4, 0, tile; 1 2 3 4);
}
