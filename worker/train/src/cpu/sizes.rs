//! How much a CPU slot holds, and how many records go through a model together.

use super::conv::Convolutions;
use super::gemm::Gemm;
use super::{Cpu, pitch};
use crate::backend::{Demands, Sizes};

/// How a CPU slot lays its memory out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuSizes;

impl CpuSizes {
    /// What a core's own cache should hold, in floats: 1 MiB.
    const NEAR: usize = 1 << 18;
}

impl Sizes for CpuSizes {
    fn pitch(&self, columns: usize) -> usize {
        pitch(columns)
    }

    /// As many as stay in the core's own cache from layer to layer; more where parameters are many, since these
    /// are read once for every such group.
    fn rows_at_once(&self, batch: usize, record: usize, parameters: usize) -> usize {
        let rows = Self::NEAR.max(parameters).div_ceil(record.max(1)).clamp(1, batch.max(1));
        batch.max(1).div_ceil(batch.max(1).div_ceil(rows))
    }

    fn workspace(&self, demands: &Demands) -> usize {
        Gemm::ROOM + Convolutions::room(&demands.convolutions)
    }
}

impl Sizes for Cpu<'_> {
    fn pitch(&self, columns: usize) -> usize {
        CpuSizes.pitch(columns)
    }

    fn rows_at_once(&self, batch: usize, record: usize, parameters: usize) -> usize {
        CpuSizes.rows_at_once(batch, record, parameters)
    }

    fn workspace(&self, demands: &Demands) -> usize {
        CpuSizes.workspace(demands)
    }
}
