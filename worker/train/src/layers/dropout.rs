//! Hidden units left out at random: `output = input mask / (1 - rate)` in a training step, else the input
//! (Srivastava et al. 2014, JMLR 15, section 10, in the form that leaves queries alone).

use super::{Backward, Described, Extent, Forward};
use crate::backend::{Backend, DropoutShape};

/// Dropout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// What comes in.
    pub input: Extent,
    /// The probability that a number is left out.
    pub rate: f32,
    /// Its number among the model's layers, by which it draws.
    pub layer: u32,
}

impl Described for Dropout {
    fn input(&self) -> Extent {
        self.input
    }

    fn output(&self) -> Extent {
        self.input
    }
}

impl Dropout {
    fn shape(&self, rows: usize) -> DropoutShape {
        DropoutShape { rows, extent: self.input, rate: self.rate, layer: self.layer }
    }

    pub(super) fn forward<B: Backend>(&self, backend: &mut B, pass: Forward<'_, B::Buffer>) {
        backend.dropout_forward(&self.shape(pass.rows), pass.masks, pass.input, pass.output);
    }

    pub(super) fn backward<B: Backend>(&self, backend: &mut B, pass: Backward<'_, B::Buffer>) {
        if let Some(d_input) = pass.d_input {
            let shape = self.shape(pass.rows);
            backend.dropout_backward(&shape, pass.masks, pass.into, pass.input, pass.d_output, d_input);
        }
    }
}
