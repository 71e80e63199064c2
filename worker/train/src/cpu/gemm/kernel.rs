//! The one kernel behind every product: a tile of the output whose sums stay in registers.
#![allow(unsafe_code)]

use super::Finish;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::cpu::simd::{Isa, IsaLevel};

/// Where a tile's chains start.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    Zero,
    Row(&'a [f32]),
    /// At what the pass before left in the output.
    Output,
}

/// One tile: `output[i][j] = finish(start + sum over p of left[i row + p step] panel[p][j])`.
pub(super) struct Tile<'a> {
    pub rows: usize,
    /// Columns, all of them in the panel: 16 or 32.
    pub width: usize,
    pub depth: usize,
    pub left: &'a [f32],
    pub row: usize,
    pub step: usize,
    /// `[depth][width]`.
    pub panel: &'a [f32],
    pub output: &'a mut [f32],
    pub pitch: usize,
    pub start: Start<'a>,
    pub finish: Finish<'a>,
}

impl Tile<'_> {
    /// Computes the tile.
    ///
    /// # Panics
    /// If a slice is too short, or the tile larger than the instruction set's largest.
    pub(super) fn run(&mut self, isa: Isa) {
        self.check();
        // SAFETY: `check` proved the bounds; an `Isa` proves its instructions.
        unsafe {
            match isa.level() {
                #[cfg(target_arch = "x86_64")]
                IsaLevel::Avx512 => avx512::run(self),
                #[cfg(target_arch = "x86_64")]
                IsaLevel::Avx2 => avx2::run(self),
                _ => portable::run(self),
            }
        }
    }

    /// Proves every address the kernel forms.
    fn check(&self) {
        assert!(self.rows > 0 && self.depth > 0 && (self.width == 16 || self.width == 32));
        let (last, deepest) = (self.rows - 1, self.depth - 1);
        assert!(last * self.row + deepest * self.step < self.left.len(), "the left matrix is too short");
        assert!(self.depth * self.width <= self.panel.len(), "the panel is too short");
        assert!(last * self.pitch + self.width <= self.output.len(), "the output is too short");
        if let Start::Row(bias) = self.start {
            assert!(self.width <= bias.len(), "the start row is too short");
        }
        if let Finish::WherePositive { mask, pitch } = self.finish {
            assert!(last * pitch + self.width <= mask.len(), "the mask is too short");
        }
    }
}

/// A vector of floats. Methods are `inline(always)` so that they take on the caller's instructions.
pub(super) trait Vector: Copy {
    const LANES: usize;

    fn splat(value: f32) -> Self;

    /// # Safety
    /// `LANES` floats must be readable at `from`.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `LANES` floats must be writable at `to`.
    unsafe fn store(self, to: *mut f32);

    /// `self x factor + sum`, rounded once.
    fn mul_add(self, factor: Self, sum: Self) -> Self;

    /// `max(self, 0)`; NaN stays NaN.
    fn relu(self) -> Self;

    /// `self` where `mask > 0`, else 0.
    fn where_positive(self, mask: Self) -> Self;
}

/// Repeats a block for every row of the tile with the row's index as a constant. Written out, because the
/// compiler keeps the sums in registers only where it sees every index early.
macro_rules! rows {
    ($i:ident => $body:block) => {
        rows!($i => $body; 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    ($i:ident => $body:block; $($row:literal)*) => {
        {
            $(if R > $row {
                let $i: usize = $row;
                $body
            })*
        }
    };
}

/// A tile of `R` rows by `N` vectors.
///
/// # Safety
/// The vector's instructions must be there, `tile.check` must have passed, and the tile must have `R` rows
/// and `N` vectors of columns.
#[inline(always)]
pub(super) unsafe fn run<V: Vector, const R: usize, const N: usize>(tile: &mut Tile<'_>) {
    let output = tile.output.as_mut_ptr();
    let mut sums = [[V::splat(0.0); N]; R];
    // SAFETY (every block below): `tile.check` proved i row + p step for i < R, p < depth on the left;
    // p < depth rows of N x LANES floats in the panel; and i pitch + N x LANES floats, i < R, in the output
    // and the mask, and N x LANES floats in the start row.
    match tile.start {
        Start::Zero => {}
        Start::Row(bias) => {
            for v in 0..N {
                let bias = unsafe { V::load(bias.as_ptr().add(v * V::LANES)) };
                rows!(i => { sums[i][v] = bias; });
            }
        }
        Start::Output => rows!(i => {
            for v in 0..N {
                sums[i][v] = unsafe { V::load(output.add(i * tile.pitch + v * V::LANES)) };
            }
        }),
    }
    let left = tile.left.as_ptr();
    let panel = tile.panel.as_ptr();
    for p in 0..tile.depth {
        let mut right = [V::splat(0.0); N];
        for v in 0..N {
            right[v] = unsafe { V::load(panel.add((p * N + v) * V::LANES)) };
        }
        rows!(i => {
            let left = V::splat(unsafe { *left.add(i * tile.row + p * tile.step) });
            for v in 0..N {
                sums[i][v] = left.mul_add(right[v], sums[i][v]);
            }
        });
    }
    match tile.finish {
        Finish::Keep => {}
        Finish::Relu => rows!(i => {
            for v in 0..N {
                sums[i][v] = sums[i][v].relu();
            }
        }),
        Finish::WherePositive { mask, pitch } => rows!(i => {
            for v in 0..N {
                let mask = unsafe { V::load(mask.as_ptr().add(i * pitch + v * V::LANES)) };
                sums[i][v] = sums[i][v].where_positive(mask);
            }
        }),
    }
    rows!(i => {
        for v in 0..N {
            unsafe { sums[i][v].store(output.add(i * tile.pitch + v * V::LANES)) };
        }
    });
}

/// Calls [`run`] with the tile's height as a constant.
macro_rules! heights {
    ($vector:ty, $vectors:literal, $tile:expr; $($rows:literal)*) => {
        match $tile.rows {
            // SAFETY: the promise of the function this stands in, passed on with the right constants.
            $($rows => unsafe { $crate::cpu::gemm::kernel::run::<$vector, $rows, $vectors>($tile) },)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}
pub(super) use heights;
