//! A linear map with bias, its activation fused: `output = act(input W + b + skip)`.

use super::{Activation, Backward, Described, Extent, Forward};
use crate::backend::{Backend, LinearShape};
use crate::params::Tensor;

/// A linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// What comes in; all pixels of a record are one row.
    pub input: Extent,
    /// Numbers per record that go out.
    pub outputs: usize,
    /// What is applied to them.
    pub activation: Activation,
}

impl Described for Linear {
    fn input(&self) -> Extent {
        self.input
    }

    fn output(&self) -> Extent {
        Extent::flat(self.outputs)
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn tensors(&self) -> Vec<Tensor> {
        let (channels, pixels) = (self.input.channels, self.input.pixels());
        let kernel = Tensor::kernel(self.outputs, channels, pixels, self.input.dense || pixels == 1);
        let fan_in = self.input.numbers();
        vec![kernel.uniform(fan_in), Tensor::vector(self.outputs).uniform(fan_in)]
    }

    fn forward_flops(&self) -> u64 {
        2 * self.input.numbers() as u64 * self.outputs as u64
    }
}

impl Linear {
    fn shape(&self, offsets: &[usize], rows: usize) -> LinearShape {
        let &[weight, bias] = offsets else { unreachable!("a linear layer has a weight and a bias") };
        LinearShape { rows, input: self.input, outputs: self.outputs, weight, bias }
    }

    pub(super) fn forward<B: Backend>(&self, backend: &mut B, pass: Forward<'_, B::Buffer>) {
        let shape = self.shape(pass.offsets, pass.rows);
        backend.linear_forward(&shape, self.activation, pass.params, pass.input, pass.skip, pass.output);
    }

    pub(super) fn backward<B: Backend>(&self, backend: &mut B, pass: Backward<'_, B::Buffer>) {
        let shape = self.shape(pass.offsets, pass.rows);
        backend.linear_backward_weight(&shape, pass.input, pass.d_output, pass.gradients, pass.add);
        if let Some(d_input) = pass.d_input {
            backend.linear_backward_data(&shape, pass.into, pass.params, pass.input, pass.d_output, d_input);
        }
    }
}
