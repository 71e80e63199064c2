//! Matrix products in f32, small and exact about their order.
//!
//! Every element of a product is one chain of fused multiply-adds in the order of the inner index, started
//! from zero or a bias. Tiles, panels and vector widths only choose which elements are computed side by
//! side, so every instruction set, batch position and neighbour gives the same bits, and nothing depends on
//! the sizes of caches.
//!
//! The right matrix is packed panel by panel into a buffer that stays in the first cache; the left matrix is
//! read in place, one broadcast at a time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod kernel;
pub(super) mod pack;
mod portable;

use super::floats::Floats;
use super::simd::{Isa, IsaLevel};
use kernel::Tile;

/// Columns are written in whole groups of this many.
pub const LANES: usize = 16;

/// Inner indices of one pass; the next pass takes the chain up where this one left it.
const DEPTH: usize = 256;

/// The widest panel.
const PANEL: usize = 32;

/// The columns of the widest panel.
pub(super) fn widest(isa: Isa) -> usize {
    if isa.level() == IsaLevel::Avx512 { 2 * LANES } else { LANES }
}

/// The most rows of a tile: what the registers hold.
pub(super) fn tallest(isa: Isa) -> usize {
    match isa.level() {
        IsaLevel::Avx512 => 14,
        IsaLevel::Avx2 => 6,
        IsaLevel::Portable => 4,
    }
}

/// A matrix in memory, row-major.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    pitch: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// The matrix whose rows start every `pitch` floats.
    pub fn as_is(values: &'a [f32], pitch: usize) -> Self {
        Self { values, pitch, transposed: false }
    }

    /// The transpose of the matrix whose rows start every `pitch` floats.
    pub fn transposed(values: &'a [f32], pitch: usize) -> Self {
        Self { values, pitch, transposed: true }
    }
}

/// Where an element's chain starts.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// At zero.
    Zero,
    /// At its column's entry of a row, as long as the output's padded rows.
    Row(&'a [f32]),
    /// At that and its own entry of a matrix that lies like the output.
    Sum(&'a [f32], &'a [f32]),
    /// At what is in the output.
    Output,
}

/// What becomes of a finished element.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a> {
    /// It stays.
    Keep,
    /// `max(x, 0)`.
    Relu,
    /// It stays where the mask, a matrix like the output, is above 0, and is 0 elsewhere.
    WherePositive {
        /// The mask.
        mask: &'a [f32],
        /// Floats from row to row.
        pitch: usize,
    },
}

/// A product `output = finish(start + left right)`; `left` is `[rows][depth]`, `right` `[depth][columns]`.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// Rows of the output.
    pub rows: usize,
    /// Columns of the output.
    pub columns: usize,
    /// The inner dimension, at least 1.
    pub depth: usize,
    /// The left matrix.
    pub left: Matrix<'a>,
    /// The right matrix. As it is, its rows are read up to a multiple of [`LANES`] columns.
    pub right: Matrix<'a>,
    /// Where chains start.
    pub start: Start<'a>,
    /// What becomes of them.
    pub finish: Finish<'a>,
}

/// Computes products; holds the packing buffer.
#[derive(Debug)]
pub struct Gemm {
    isa: Isa,
    panel: Floats,
}

impl Gemm {
    /// Floats it holds.
    pub const ROOM: usize = DEPTH * PANEL;

    /// Products with the instructions of `isa`.
    pub fn new(isa: Isa) -> Self {
        Self { isa, panel: Floats::zeros(Self::ROOM) }
    }

    /// Writes the product to `output`, rows every `pitch` floats, columns up to a multiple of [`LANES`].
    ///
    /// # Panics
    /// If a slice is too short for its matrix.
    pub fn run(&mut self, product: &Product<'_>, output: &mut [f32], pitch: usize) {
        let Product { rows, columns, depth, left, right, .. } = *product;
        assert!(depth > 0, "a product needs an inner dimension");
        let widest = widest(self.isa);
        let (row, step) = if left.transposed { (1, left.pitch) } else { (left.pitch, 1) };
        let passes = depth.div_ceil(DEPTH);
        for pass in 0..passes {
            let (from, to) = (depth * pass / passes, depth * (pass + 1) / passes);
            let mut column = 0;
            while column < columns {
                let width = if columns - column > LANES { widest } else { LANES };
                let panel = &mut self.panel[..(to - from) * width];
                pack::panel(self.isa, &right, from..to, column, columns, width, panel);
                let bands = rows.div_ceil(tallest(self.isa));
                for band in 0..bands {
                    let (top, bottom) = (rows * band / bands, rows * (band + 1) / bands);
                    let at = top * pitch + column;
                    let mut tile = Tile {
                        rows: bottom - top,
                        width,
                        segments: 1,
                        depth: to - from,
                        left: &left.values[top * row + from * step..],
                        row,
                        step,
                        left_segment: 0,
                        panel,
                        panel_step: width,
                        panel_segment: 0,
                        output: &mut output[at..],
                        pitch,
                        start: match product.start {
                            _ if pass > 0 => kernel::Start::Output,
                            Start::Zero => kernel::Start::Zero,
                            Start::Row(bias) => kernel::Start::Row(&bias[column..]),
                            Start::Sum(bias, values) => {
                                kernel::Start::Sum { row: &bias[column..], values: &values[at..], pitch }
                            }
                            Start::Output => kernel::Start::Output,
                        },
                        finish: match product.finish {
                            _ if pass + 1 < passes => Finish::Keep,
                            Finish::WherePositive { mask, pitch } => {
                                Finish::WherePositive { mask: &mask[top * pitch + column..], pitch }
                            }
                            other => other,
                        },
                    };
                    tile.run(self.isa);
                }
                column += width;
            }
        }
    }
}

#[cfg(test)]
mod tests;
