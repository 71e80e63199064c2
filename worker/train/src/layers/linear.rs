//! A linear map with bias, its activation fused: `output = act(input W + b)`.

use super::Activation;
use crate::backend::{Backend, Backward, LinearShape};
use crate::params::{Tensor, TensorShape};

/// A linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Numbers per record that come in.
    pub inputs: usize,
    /// Numbers per record that go out.
    pub outputs: usize,
    /// What is applied to them.
    pub activation: Activation,
}

impl Linear {
    pub(super) fn tensors(&self) -> Vec<Tensor> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let bound = 1.0 / (inputs as f32).sqrt();
        vec![
            Tensor { shape: TensorShape::Matrix { inputs, outputs }, bound },
            Tensor { shape: TensorShape::Vector { outputs }, bound },
        ]
    }

    pub(super) fn forward_flops(&self) -> u64 {
        2 * self.inputs as u64 * self.outputs as u64
    }

    fn shape(&self, offsets: &[usize], rows: usize) -> LinearShape {
        let &[weight, bias] = offsets else { unreachable!("a linear layer has a weight and a bias") };
        LinearShape { rows, inputs: self.inputs, outputs: self.outputs, weight, bias }
    }

    pub(super) fn forward<B: Backend>(
        &self,
        backend: &mut B,
        offsets: &[usize],
        rows: usize,
        params: &B::Buffer,
        input: &B::Buffer,
        output: &mut B::Buffer,
    ) {
        backend.linear_forward(&self.shape(offsets, rows), self.activation, params, input, output);
    }

    pub(super) fn backward<B: Backend>(
        &self,
        backend: &mut B,
        offsets: &[usize],
        pass: Backward<'_, B::Buffer>,
    ) {
        let shape = self.shape(offsets, pass.rows);
        backend.linear_backward_weight(&shape, pass.input, pass.d_output, pass.gradients);
        if let Some(d_input) = pass.d_input {
            let through = pass.through;
            backend.linear_backward_data(&shape, through, pass.params, pass.input, pass.d_output, d_input);
        }
    }
}
