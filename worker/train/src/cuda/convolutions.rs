//! Convolutions.

use super::buffer::{Buffer, flag, optional, word};
use super::divisor::divisor;
use super::driver::{Arg, Driver};
use super::launch::{HALF, Kernels, LOW_HALF, LOW_THIN, THIN, WIDE, Work, by_columns};
use super::{Cuda, CudaSizes};
use crate::backend::{ConvShape, Sizes};
use crate::layers::{Activation, Extent, InputGradient};
use crate::phases::{Phase, both};

const FORWARD: Kernels =
    [("conv_forward_wide", WIDE), ("conv_forward_half", HALF), ("conv_forward_thin", THIN)];
const FORWARD_DENSE: Kernels =
    [("conv_forward_dense_wide", WIDE), ("conv_forward_dense_half", HALF), ("conv_forward_dense_thin", THIN)];
const BACKWARD_WEIGHT: Kernels = [
    ("conv_backward_weight_wide", WIDE),
    ("conv_backward_weight_half", LOW_HALF),
    ("conv_backward_weight_thin", LOW_THIN),
];
const BACKWARD_WEIGHT_DENSE: Kernels = [
    ("conv_backward_weight_dense_wide", WIDE),
    ("conv_backward_weight_dense_half", LOW_HALF),
    ("conv_backward_weight_dense_thin", LOW_THIN),
];
const BACKWARD_DATA: Kernels =
    [("conv_backward_data_wide", WIDE), ("conv_backward_data_half", HALF), ("conv_backward_data_thin", THIN)];

fn pixel(extent: &Extent) -> usize {
    extent.pixel(|columns| CudaSizes.pitch(columns))
}

fn record(extent: &Extent) -> usize {
    extent.record(|columns| CudaSizes.pitch(columns))
}

/// `Windows` of `conv.cu`.
fn windows(shape: &ConvShape) -> Vec<u32> {
    let pixel = pixel(&shape.input);
    let plain = [
        shape.rows,
        shape.input.height,
        shape.input.width,
        pixel,
        record(&shape.input),
        shape.stride.0,
        shape.stride.1,
        shape.padding.0,
        shape.padding.1,
    ];
    let divisors = [shape.output.pixels(), shape.output.width, pixel, shape.kernel.1];
    let last = [shape.kernel.0 * shape.kernel.1, CudaSizes.pitch(shape.output.channels)];
    let plain = plain.into_iter().map(word);
    plain.chain(divisors.into_iter().flat_map(divisor)).chain(last.into_iter().map(word)).collect()
}

/// `Phase` of `conv.cu`.
fn phase(shape: &ConvShape, y: Phase, x: Phase) -> Vec<u32> {
    let plain = [
        shape.rows,
        shape.input.width,
        pixel(&shape.input),
        record(&shape.input),
        shape.output.height,
        shape.output.width,
        record(&shape.output),
        shape.stride.0,
        shape.stride.1,
        y.start,
        x.start,
        y.output,
        x.output,
        y.tap,
        x.tap,
        // Without taps along either axis the inner index has no length.
        if x.taps > 0 { y.taps } else { 0 },
        shape.kernel.1,
    ];
    let divisors = [y.pixels * x.pixels, x.pixels, pixel(&shape.output), x.taps.max(1)];
    plain.into_iter().map(word).chain(divisors.into_iter().flat_map(divisor)).collect()
}

/// Numbers of a window, and outputs of a record.
fn sizes(shape: &ConvShape) -> (usize, usize) {
    let depth = shape.kernel.0 * shape.kernel.1 * pixel(&shape.input);
    (depth, shape.output.pixels())
}

/// Operations of products with what is not padding.
fn flops(shape: &ConvShape) -> usize {
    let taps = shape.kernel.0 * shape.kernel.1 * shape.input.channels;
    2 * shape.rows * taps * shape.output.numbers()
}

impl<D: Driver> Cuda<'_, D> {
    pub(super) fn forward_conv(
        &mut self,
        shape: &ConvShape,
        activation: Activation,
        params: &Buffer<D>,
        input: &Buffer<D>,
        skip: Option<&Buffer<D>>,
        output: &Buffer<D>,
    ) {
        let pitch = CudaSizes.pitch(shape.output.channels);
        let (depth, pixels) = sizes(shape);
        let [skip_at, skip_lane] = optional(skip);
        let outputs = record(&shape.output) * (1 + usize::from(skip.is_some()));
        let work = Work {
            floats: shape.rows * (record(&shape.input) + outputs) + depth * pitch,
            flops: flops(shape),
            ..Work::default()
        };
        let windows = windows(shape);
        let args = [
            Arg::Words(&windows),
            flag(activation == Activation::Relu),
            input.start(),
            input.stride(),
            params.from(shape.weight),
            shape.bias.map_or(Arg::Null, |bias| params.from(bias)),
            params.stride(),
            skip_at,
            skip_lane,
            output.start(),
            output.stride(),
        ];
        let kernels = if shape.input.dense { &FORWARD_DENSE } else { &FORWARD };
        self.queue.product(by_columns(kernels, pitch), (shape.rows * pixels, pitch, depth), work, &args);
    }

    pub(super) fn backward_conv_weight(
        &mut self,
        shape: &ConvShape,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        gradients: &Buffer<D>,
        add: bool,
    ) {
        let pitch = CudaSizes.pitch(shape.output.channels);
        let (depth, pixels) = sizes(shape);
        let inputs = shape.rows * (record(&shape.input) + record(&shape.output));
        let work = Work {
            floats: inputs + depth * pitch * (1 + usize::from(add)),
            flops: flops(shape),
            ..Work::default()
        };
        let windows = windows(shape);
        let args = [
            Arg::Words(&windows),
            flag(add),
            input.start(),
            input.stride(),
            d_output.start(),
            d_output.stride(),
            gradients.from(shape.weight),
            shape.bias.map_or(Arg::Null, |bias| gradients.from(bias)),
            gradients.stride(),
        ];
        let kernels = if shape.input.dense { &BACKWARD_WEIGHT_DENSE } else { &BACKWARD_WEIGHT };
        self.queue.product(by_columns(kernels, pitch), (depth, pitch, shape.rows * pixels), work, &args);
    }

    pub(super) fn backward_conv_data(
        &mut self,
        shape: &ConvShape,
        into: InputGradient,
        params: &Buffer<D>,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &Buffer<D>,
    ) {
        let (pitch, outputs) = (pixel(&shape.input), pixel(&shape.output));
        let through = into.through == Activation::Relu;
        for (y, x) in both(shape) {
            let (pixels, taps) = (y.pixels * x.pixels, y.taps * x.taps);
            let floats = shape.rows
                * (if taps > 0 { record(&shape.output) } else { 0 }
                    + pixels * pitch * (1 + usize::from(into.add) + usize::from(through)))
                + taps * pitch * outputs;
            let channels = shape.input.channels * shape.output.channels;
            let work = Work { floats, flops: 2 * shape.rows * pixels * taps * channels, ..Work::default() };
            let phase = phase(shape, y, x);
            let args = [
                Arg::Words(&phase),
                flag(into.add),
                flag(through),
                d_output.start(),
                d_output.stride(),
                params.from(shape.weight),
                params.stride(),
                input.start(),
                input.stride(),
                d_input.start(),
                d_input.stride(),
            ];
            self.queue.product(
                by_columns(&BACKWARD_DATA, pitch),
                (shape.rows * pixels, pitch, taps * outputs),
                work,
                &args,
            );
        }
    }
}
