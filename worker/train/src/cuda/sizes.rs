//! How a CUDA slot lays its memory out, and how many shadows fit.

use crate::backend::{Demands, Sizes};

/// How a CUDA slot lays its memory out: as the CPU does, so that all bits agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CudaSizes;

impl CudaSizes {
    /// Floats of all of a lane's values, 2 GiB: counts within a lane then fit 31 bits.
    const MOST: usize = 1 << 29;
}

impl Sizes for CudaSizes {
    fn pitch(&self, columns: usize) -> usize {
        crate::cpu::pitch(columns)
    }

    /// The whole batch, if it fits: the more, the fewer launches.
    fn rows_at_once(&self, batch: usize, record: usize, _parameters: usize) -> usize {
        (Self::MOST / record.max(1)).clamp(1, batch.max(1))
    }

    /// Sums of group norms by record and channel. Windows of convolutions are read where they lie.
    fn workspace(&self, demands: &Demands) -> usize {
        norm_sums(demands)
    }
}

/// Floats of a lane's sums for group norms.
pub(super) fn norm_sums(demands: &Demands) -> usize {
    let sums = |norm: &crate::backend::NormShape| norm.rows * 2 * crate::cpu::pitch(norm.extent.channels);
    demands.norms.iter().map(sums).max().unwrap_or(0)
}
