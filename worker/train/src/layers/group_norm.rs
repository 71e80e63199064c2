//! Group normalisation (Wu and He 2018, arXiv 1803.08494, eq. 1 to 6), its activation fused:
//! `output = act((x - mean) / sqrt(variance + 1e-5) gamma + beta + skip)`, mean and variance over the pixels and
//! channels of a group of one record. Nothing depends on other records.

use super::{Activation, Backward, Described, Extent, Forward};
use crate::backend::{Backend, NormShape};
use crate::params::Tensor;

/// A group normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupNorm {
    /// What comes in, and goes out.
    pub input: Extent,
    /// Groups of neighbouring channels, a divisor of them.
    pub groups: usize,
    /// What is applied to the outputs.
    pub activation: Activation,
}

impl Described for GroupNorm {
    fn input(&self) -> Extent {
        self.input
    }

    fn output(&self) -> Extent {
        self.input
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn tensors(&self) -> Vec<Tensor> {
        vec![Tensor::vector(self.input.channels).ones(), Tensor::vector(self.input.channels)]
    }

    fn kept(&self) -> usize {
        2 * self.groups
    }
}

impl GroupNorm {
    /// The most groups.
    pub const MOST_GROUPS: usize = 16;
    const LEAST_CHANNELS: usize = 4;

    /// A norm with the default number of groups: the largest divisor of the channels that is at most 16 and
    /// leaves at least 4 channels a group (so that a row of a table never is a group by itself); at least 1.
    pub fn new(input: Extent, activation: Activation) -> Self {
        let fits = |&groups: &usize| {
            input.channels.is_multiple_of(groups) && input.channels / groups >= Self::LEAST_CHANNELS
        };
        let groups = (1..=Self::MOST_GROUPS).rev().find(fits).unwrap_or(1);
        Self { input, groups, activation }
    }

    /// The work on so many records, its parameters from `offsets` on.
    pub fn shape(&self, offsets: &[usize], rows: usize) -> NormShape {
        let &[gamma, beta] = offsets else { unreachable!("a norm has a factor and a summand") };
        NormShape { rows, extent: self.input, groups: self.groups, gamma, beta }
    }

    pub(super) fn forward<B: Backend>(&self, backend: &mut B, pass: Forward<'_, B::Buffer>) {
        let Forward { params, input, skip, kept, output, .. } = pass;
        let shape = self.shape(pass.offsets, pass.rows);
        backend.group_norm_forward(&shape, self.activation, params, input, skip, kept, output);
    }

    pub(super) fn backward<B: Backend>(&self, backend: &mut B, pass: Backward<'_, B::Buffer>) {
        let shape = self.shape(pass.offsets, pass.rows);
        let Backward { params, input, kept, d_output, gradients, add, .. } = pass;
        let d_input = pass.d_input.map(|d_input| (pass.into, d_input));
        backend.group_norm_backward(&shape, params, input, kept, d_output, gradients, add, d_input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_divide_the_channels_and_hold_at_least_four() {
        for (channels, groups) in [(16, 4), (32, 8), (64, 16), (128, 16), (300, 15), (7, 1), (2, 1), (24, 6)]
        {
            let norm = GroupNorm::new(Extent::flat(channels), Activation::None);
            assert_eq!(norm.groups, groups, "{channels}");
        }
    }
}
