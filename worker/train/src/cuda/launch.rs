//! The shapes of launches.

use super::buffer::word;
use super::driver::{Arg, Driver, Grid};
use super::tally::Tally;

/// Threads of a block of kernels that go number by number.
pub(super) const THREADS: u32 = 256;
/// Threads of a warp.
const WARP: usize = 32;
/// Blocks along x of such a kernel at most: beyond, each thread takes several numbers.
const MOST_BLOCKS: usize = 4096;
/// Blocks along y at most.
const MOST_ROWS: usize = 65_535;

/// The tile of a product; see `product.cuh`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    /// Rows and columns.
    pub size: (usize, usize),
    /// Threads.
    pub threads: u32,
}

pub(super) const WIDE: Tile = Tile { size: (64, 64), threads: 64 };
pub(super) const HALF: Tile = Tile { size: (64, 32), threads: 64 };
pub(super) const THIN: Tile = Tile { size: (128, 16), threads: 64 };
pub(super) const LOW_HALF: Tile = Tile { size: (32, 32), threads: 64 };
pub(super) const LOW_THIN: Tile = Tile { size: (32, 16), threads: 32 };

/// The kernels of one product, for tiles that are wide, half as wide and thin.
pub(super) type Kernels = [(&'static str, Tile); 3];

/// The kernel for so many columns.
pub(super) fn by_columns(kernels: &Kernels, columns: usize) -> (&'static str, Tile) {
    kernels[match columns {
        33.. => 0,
        17..=32 => 1,
        _ => 2,
    }]
}

/// A launch's cost in floats that are read and written, and operations of products.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    pub floats: usize,
    pub flops: usize,
    /// Multiply-adds that a thread does one after the other.
    pub chain: usize,
}

impl Work {
    /// Work that is no product.
    pub(super) fn of(floats: usize) -> Self {
        Self { floats, ..Self::default() }
    }
}

/// The stream, and what was put into it.
pub(super) struct Queue<D> {
    pub driver: D,
    pub lanes: usize,
    pub tally: Tally,
}

impl<D: Driver> Queue<D> {
    /// A product of `rows` by `columns` a lane, over an inner index of `depth`; `work` is a lane's.
    pub(super) fn product(
        &mut self,
        (kernel, tile): (&'static str, Tile),
        (rows, columns, depth): (usize, usize, usize),
        work: Work,
        args: &[Arg<'_, D::Memory>],
    ) {
        let blocks =
            [word(rows.div_ceil(tile.size.0)), word(columns.div_ceil(tile.size.1)), word(self.lanes)];
        let each = tile.size.0 * tile.size.1 / tile.threads as usize;
        self.queue(
            kernel,
            Grid { blocks, threads: tile.threads },
            Work { chain: depth * each, ..work },
            args,
        );
    }

    /// A kernel that goes over `numbers` of each of `rows` of a lane; `work` is a lane's.
    pub(super) fn each(
        &mut self,
        kernel: &'static str,
        (rows, numbers): (usize, usize),
        work: Work,
        args: &[Arg<'_, D::Memory>],
    ) {
        // Whole warps, and not many more threads than numbers.
        let threads = numbers.next_multiple_of(WARP).clamp(WARP, THREADS as usize);
        let along = numbers.div_ceil(threads).clamp(1, MOST_BLOCKS);
        let blocks = [word(along), word(rows.clamp(1, MOST_ROWS)), word(self.lanes)];
        self.queue(kernel, Grid { blocks, threads: word(threads) }, work, args);
    }

    /// A kernel with so many blocks a lane.
    pub(super) fn blocks(
        &mut self,
        kernel: &'static str,
        (blocks, threads): (usize, u32),
        work: Work,
        args: &[Arg<'_, D::Memory>],
    ) {
        let blocks = [word(blocks), 1, word(self.lanes)];
        self.queue(kernel, Grid { blocks, threads }, work, args);
    }

    /// A kernel with a block for every lane, along x; `work` is a lane's.
    pub(super) fn lanes_of(
        &mut self,
        kernel: &'static str,
        threads: u32,
        work: Work,
        args: &[Arg<'_, D::Memory>],
    ) {
        self.queue(kernel, Grid { blocks: [word(self.lanes), 1, 1], threads }, work, args);
    }

    /// A kernel over the quads of all lanes together; `work` is that of all.
    pub(super) fn quads(
        &mut self,
        kernel: &'static str,
        quads: usize,
        work: Work,
        args: &[Arg<'_, D::Memory>],
    ) {
        let along = quads.div_ceil(THREADS as usize).clamp(1, MOST_BLOCKS);
        self.tally.add(kernel, &work);
        self.driver.launch(kernel, Grid { blocks: [word(along), 1, 1], threads: THREADS }, args);
    }

    fn queue(&mut self, kernel: &'static str, grid: Grid, work: Work, args: &[Arg<'_, D::Memory>]) {
        let all = Work { floats: self.lanes * work.floats, flops: self.lanes * work.flops, ..work };
        self.tally.add(kernel, &all);
        self.driver.launch(kernel, grid, args);
    }
}
