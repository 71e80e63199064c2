//! The mean over all pixels, channel by channel: PyTorch's `AdaptiveAvgPool2d(1)`.

use super::{Backward, Described, Extent, Forward};
use crate::backend::Backend;

/// A mean over all pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanPool {
    /// What comes in.
    pub input: Extent,
}

impl Described for MeanPool {
    fn input(&self) -> Extent {
        self.input
    }

    fn output(&self) -> Extent {
        Extent::flat(self.input.channels)
    }
}

impl MeanPool {
    pub(super) fn forward<B: Backend>(&self, backend: &mut B, pass: Forward<'_, B::Buffer>) {
        backend.mean_pool_forward(pass.rows, &self.input, pass.input, pass.output);
    }

    pub(super) fn backward<B: Backend>(&self, backend: &mut B, pass: Backward<'_, B::Buffer>) {
        if let Some(d_input) = pass.d_input {
            backend.mean_pool_backward(pass.rows, &self.input, pass.into, pass.input, pass.d_output, d_input);
        }
    }
}
