//! Group norms.

use super::buffer::{Buffer, count, flag, optional, word};
use super::driver::{Arg, Driver};
use super::launch::Work;
use super::{Cuda, CudaSizes};
use crate::backend::{NormShape, Sizes};
use crate::layers::{Activation, InputGradient};

/// `NormOf` of `norm.cu`.
fn norm_of(shape: &NormShape) -> [u32; 5] {
    let pitch = CudaSizes.pitch(shape.extent.channels);
    let kept = CudaSizes.pitch(2 * shape.groups);
    [shape.extent.pixels(), shape.extent.channels, pitch, shape.groups, kept].map(word)
}

/// Threads of a block: four turns of as many channels as there are, up to 64; see `norm.cu`.
fn threads(shape: &NormShape) -> u32 {
    4 * word(CudaSizes.pitch(shape.extent.channels).min(64))
}

/// Floats of a record, and of its sums.
fn sizes(shape: &NormShape) -> (usize, usize) {
    let pitch = CudaSizes.pitch(shape.extent.channels);
    (shape.extent.pixels() * pitch, 2 * pitch)
}

impl<D: Driver> Cuda<'_, D> {
    pub(super) fn forward_norm(
        &mut self,
        shape: &NormShape,
        activation: Activation,
        params: &Buffer<D>,
        input: &Buffer<D>,
        skip: Option<&Buffer<D>>,
        kept: &Buffer<D>,
        output: &Buffer<D>,
    ) {
        let of = norm_of(shape);
        let [skip_at, skip_lane] = optional(skip);
        let (record, sums) = sizes(shape);
        // The input is read twice, the second time from a cache where it fits one.
        let floats = shape.rows * (record * (2 + usize::from(skip.is_some())) + 2 * sums);
        let args = [
            Arg::Words(&of),
            flag(activation == Activation::Relu),
            params.from(shape.gamma),
            params.from(shape.beta),
            params.stride(),
            input.start(),
            input.stride(),
            skip_at,
            skip_lane,
            kept.start(),
            kept.stride(),
            output.start(),
            output.stride(),
            Arg::Address(self.norm_sums.as_ref().expect("norms were asked for"), 0),
            Arg::U64((shape.rows * sums) as u64),
        ];
        self.queue.blocks("group_norm_forward", (shape.rows, threads(shape)), Work::of(floats), &args);
    }

    pub(super) fn backward_norm(
        &mut self,
        shape: &NormShape,
        params: &Buffer<D>,
        input: &Buffer<D>,
        kept: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: Option<(InputGradient, &mut Buffer<D>)>,
    ) {
        let of = norm_of(shape);
        let (record, sums) = sizes(shape);
        let (into, d_input) = d_input.unzip();
        let (add, through) = into.map_or((false, false), |into| (into.add, into.through == Activation::Relu));
        let written = if d_input.is_some() { record * (1 + usize::from(add)) } else { 0 };
        let floats = shape.rows * (2 * record + written + 2 * sums);
        let [d_input_at, d_input_lane] = optional(d_input.as_deref());
        let args = [
            Arg::Words(&of),
            flag(add),
            flag(through),
            params.from(shape.gamma),
            params.stride(),
            input.start(),
            input.stride(),
            kept.start(),
            kept.stride(),
            d_output.start(),
            d_output.stride(),
            d_input_at,
            d_input_lane,
            Arg::Address(self.norm_sums.as_ref().expect("norms were asked for"), 0),
            Arg::U64((shape.rows * sums) as u64),
        ];
        self.queue.blocks("group_norm_backward", (shape.rows, threads(shape)), Work::of(floats), &args);
    }

    /// The parameters' gradients from the sums that [`Cuda::backward_norm`] left.
    pub(super) fn backward_norm_parameters(
        &mut self,
        shape: &NormShape,
        kept: &Buffer<D>,
        gradients: &Buffer<D>,
        add: bool,
    ) {
        let of = norm_of(shape);
        let (_, sums) = sizes(shape);
        let args = [
            Arg::Words(&of),
            count(shape.rows),
            flag(add),
            kept.start(),
            kept.stride(),
            Arg::Address(self.norm_sums.as_ref().expect("norms were asked for"), 0),
            Arg::U64((shape.rows * sums) as u64),
            gradients.from(shape.gamma),
            gradients.from(shape.beta),
            gradients.stride(),
        ];
        let work = Work::of(shape.rows * sums + sums);
        // Few threads a block: every channel is a chain over the records.
        let blocks = CudaSizes.pitch(shape.extent.channels).div_ceil(32);
        self.queue.blocks("group_norm_parameters", (blocks, 32), work, &args);
    }
}
