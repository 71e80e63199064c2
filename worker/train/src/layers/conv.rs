//! A convolution (cross-correlation, as PyTorch's `Conv2d`), its activation fused:
//! `output = act(conv(input, W) + b + skip)`. Over time it is one of height 1.

use super::{Activation, Backward, Described, Extent, Forward};
use crate::backend::{Backend, ConvShape};
use crate::params::Tensor;

/// A convolution. Pairs are (along the height, along the width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// What comes in.
    pub input: Extent,
    /// Channels that go out.
    pub outputs: usize,
    /// Pixels of the kernel.
    pub kernel: (usize, usize),
    /// Pixels from window to window.
    pub stride: (usize, usize),
    /// Pixels of zeros on each side.
    pub padding: (usize, usize),
    /// Whether there is a bias.
    pub bias: bool,
    /// What is applied to the outputs.
    pub activation: Activation,
}

impl Described for Conv {
    fn input(&self) -> Extent {
        self.input
    }

    fn output(&self) -> Extent {
        let along = |size: usize, kernel: usize, stride: usize, padding: usize| {
            (size + 2 * padding).saturating_sub(kernel) / stride + 1
        };
        let height = along(self.input.height, self.kernel.0, self.stride.0, self.padding.0);
        let width = along(self.input.width, self.kernel.1, self.stride.1, self.padding.1);
        Extent::space(height, width, self.outputs)
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn tensors(&self) -> Vec<Tensor> {
        let taps = self.kernel.0 * self.kernel.1;
        let fan_in = taps * self.input.channels;
        let mut tensors =
            vec![Tensor::kernel(self.outputs, self.input.channels, taps, self.input.dense).uniform(fan_in)];
        if self.bias {
            tensors.push(Tensor::vector(self.outputs).uniform(fan_in));
        }
        tensors
    }

    fn forward_flops(&self) -> u64 {
        let taps = self.kernel.0 * self.kernel.1 * self.input.channels;
        2 * taps as u64 * self.output().numbers() as u64
    }
}

impl Conv {
    /// The work on so many records, its parameters from `offsets` on.
    pub fn shape(&self, offsets: &[usize], rows: usize) -> ConvShape {
        ConvShape {
            rows,
            input: self.input,
            output: self.output(),
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            weight: offsets[0],
            bias: self.bias.then(|| offsets[1]),
        }
    }

    pub(super) fn forward<B: Backend>(&self, backend: &mut B, pass: Forward<'_, B::Buffer>) {
        let shape = self.shape(pass.offsets, pass.rows);
        backend.conv_forward(&shape, self.activation, pass.params, pass.input, pass.skip, pass.output);
    }

    pub(super) fn backward<B: Backend>(&self, backend: &mut B, pass: Backward<'_, B::Buffer>) {
        let shape = self.shape(pass.offsets, pass.rows);
        backend.conv_backward_weight(&shape, pass.input, pass.d_output, pass.gradients, pass.add);
        if let Some(d_input) = pass.d_input {
            backend.conv_backward_data(&shape, pass.into, pass.params, pass.input, pass.d_output, d_input);
        }
    }
}
