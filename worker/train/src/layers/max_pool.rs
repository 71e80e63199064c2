//! The maximum of every 2 x 2 pixels, PyTorch's `MaxPool2d(2)`: a last odd row or column is left out, and of
//! equal numbers the first one takes the gradient.

use super::{Backward, Described, Extent, Forward};
use crate::backend::Backend;

/// A maximum pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// What comes in.
    pub input: Extent,
}

impl Described for MaxPool {
    fn input(&self) -> Extent {
        self.input
    }

    fn output(&self) -> Extent {
        Extent::space(self.input.height / 2, self.input.width / 2, self.input.channels)
    }
}

impl MaxPool {
    pub(super) fn forward<B: Backend>(&self, backend: &mut B, pass: Forward<'_, B::Buffer>) {
        backend.max_pool_forward(pass.rows, &self.input, pass.input, pass.output);
    }

    pub(super) fn backward<B: Backend>(&self, backend: &mut B, pass: Backward<'_, B::Buffer>) {
        if let Some(d_input) = pass.d_input {
            backend.max_pool_backward(pass.rows, &self.input, pass.into, pass.input, pass.d_output, d_input);
        }
    }
}
