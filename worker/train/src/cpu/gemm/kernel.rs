//! The one kernel behind every product: a tile of the output whose sums stay in registers.
#![allow(unsafe_code)]

use super::Finish;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::cpu::simd::{Isa, IsaLevel};

/// Where a tile's chains start.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) enum Start<'a> {
    Zero,
    /// At one number a column.
    Row(&'a [f32]),
    /// At a matrix like the output.
    Matrix {
        values: &'a [f32],
        pitch: usize,
    },
    /// At the sum of both.
    Sum {
        row: &'a [f32],
        values: &'a [f32],
        pitch: usize,
    },
    /// At what is in the output.
    Output,
}

/// One tile: `output[i][j] = finish(start + sum over s, then p, of left[i row + s left_segment + p step]
/// panel[s panel_segment + p panel_step + j])`, s being one of `segments` and p one of `depth`.
pub(in crate::cpu) struct Tile<'a> {
    pub rows: usize,
    /// Columns, all of them in the panel: 16 or 32.
    pub width: usize,
    pub segments: usize,
    pub depth: usize,
    pub left: &'a [f32],
    pub row: usize,
    pub step: usize,
    pub left_segment: usize,
    pub panel: &'a [f32],
    pub panel_step: usize,
    pub panel_segment: usize,
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
    pub(in crate::cpu) fn run(&mut self, isa: Isa) {
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
        assert!(self.rows > 0 && self.depth > 0 && self.segments > 0);
        assert!(self.width == 16 || self.width == 32);
        let (last, deepest, end) = (self.rows - 1, self.depth - 1, self.segments - 1);
        let left = last * self.row + deepest * self.step + end * self.left_segment;
        assert!(left < self.left.len(), "the left matrix is too short");
        let panel = deepest * self.panel_step + end * self.panel_segment + self.width;
        assert!(panel <= self.panel.len(), "the panel is too short");
        assert!(last * self.pitch + self.width <= self.output.len(), "the output is too short");
        if let Start::Row(row) | Start::Sum { row, .. } = self.start {
            assert!(self.width <= row.len(), "the start row is too short");
        }
        if let Start::Matrix { values, pitch } | Start::Sum { values, pitch, .. } = self.start {
            assert!(last * pitch + self.width <= values.len(), "the start is too short");
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

    /// `self + other`.
    fn plus(self, other: Self) -> Self;

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
        rows!($i => $body; 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
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

/// A tile of `R` rows by `N` vectors. `ROW` is the tile's row length on the left where that is known, so that no
/// address has to be computed while the sums run; else 0.
///
/// # Safety
/// The vector's instructions must be there, `tile.check` must have passed, and the tile must have `R` rows,
/// `N` vectors of columns, and the row length `ROW` unless that is 0.
#[inline(always)]
pub(super) unsafe fn run<V: Vector, const R: usize, const N: usize, const ROW: usize>(tile: &mut Tile<'_>) {
    let output = tile.output.as_mut_ptr();
    let mut sums = [[V::splat(0.0); N]; R];
    // SAFETY (every block below): `tile.check` proved i row + s left_segment + p step for i < R, s < segments,
    // p < depth on the left; N x LANES floats at s panel_segment + p panel_step in the panel; i pitch + N x LANES
    // floats, i < R, in the output, the start and the mask; and N x LANES floats in the start row. Pointers only
    // leave those places after the last of them, without being read.
    match tile.start {
        Start::Zero => {}
        Start::Row(bias) => {
            for v in 0..N {
                let bias = unsafe { V::load(bias.as_ptr().add(v * V::LANES)) };
                rows!(i => { sums[i][v] = bias; });
            }
        }
        Start::Matrix { values, pitch } => rows!(i => {
            for v in 0..N {
                sums[i][v] = unsafe { V::load(values.as_ptr().add(i * pitch + v * V::LANES)) };
            }
        }),
        Start::Sum { row, values, pitch } => rows!(i => {
            for v in 0..N {
                let row = unsafe { V::load(row.as_ptr().add(v * V::LANES)) };
                let value = unsafe { V::load(values.as_ptr().add(i * pitch + v * V::LANES)) };
                sums[i][v] = row.plus(value);
            }
        }),
        Start::Output => rows!(i => {
            for v in 0..N {
                sums[i][v] = unsafe { V::load(output.add(i * tile.pitch + v * V::LANES)) };
            }
        }),
    }
    let row = if ROW == 0 { tile.row } else { ROW };
    let (step, panel_step) = (tile.step, tile.panel_step);
    for s in 0..tile.segments {
        let mut left = unsafe { tile.left.as_ptr().add(s * tile.left_segment) };
        let mut panel = unsafe { tile.panel.as_ptr().add(s * tile.panel_segment) };
        for _ in 0..tile.depth {
            let mut right = [V::splat(0.0); N];
            for v in 0..N {
                right[v] = unsafe { V::load(panel.add(v * V::LANES)) };
            }
            rows!(i => {
                let left = V::splat(unsafe { *left.add(i * row) });
                for v in 0..N {
                    sums[i][v] = left.mul_add(right[v], sums[i][v]);
                }
            });
            left = left.wrapping_add(step);
            panel = panel.wrapping_add(panel_step);
        }
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
    ($vector:ty, $vectors:literal, $row:expr, $tile:expr; $($rows:literal)*) => {
        match $tile.rows {
            // SAFETY: the promise of the function this stands in, passed on with the right constants.
            $($rows => unsafe { $crate::cpu::gemm::kernel::run::<$vector, $rows, $vectors, $row>($tile) },)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}
pub(super) use heights;
