//! Linear layers.

use super::buffer::{Buffer, count, flag, optional};
use super::driver::Driver;
use super::launch::{HALF, Kernels, LOW_HALF, LOW_THIN, THIN, WIDE, Work, by_columns};
use super::{Cuda, CudaSizes};
use crate::backend::{LinearShape, Sizes};
use crate::layers::{Activation, InputGradient};

const FORWARD: Kernels =
    [("linear_forward_wide", WIDE), ("linear_forward_half", HALF), ("linear_forward_thin", THIN)];
const BACKWARD_WEIGHT: Kernels = [
    ("linear_backward_weight_wide", WIDE),
    ("linear_backward_weight_half", LOW_HALF),
    ("linear_backward_weight_thin", LOW_THIN),
];
const BACKWARD_DATA: Kernels = [
    ("linear_backward_data_wide", WIDE),
    ("linear_backward_data_half", HALF),
    ("linear_backward_data_thin", THIN),
];

/// Inputs, their pitch and that of the outputs.
fn sizes(shape: &LinearShape) -> (usize, usize, usize) {
    let pitch = |columns| CudaSizes.pitch(columns);
    (shape.inputs(pitch), shape.input.record(pitch), pitch(shape.outputs))
}

impl<D: Driver> Cuda<'_, D> {
    pub(super) fn forward_linear(
        &mut self,
        shape: &LinearShape,
        activation: Activation,
        params: &Buffer<D>,
        input: &Buffer<D>,
        skip: Option<&Buffer<D>>,
        output: &Buffer<D>,
    ) {
        let (inputs, input_pitch, output_pitch) = sizes(shape);
        let [skip_at, skip_lane] = optional(skip);
        let work = Work {
            floats: shape.rows * (inputs + output_pitch * (1 + usize::from(skip.is_some())))
                + inputs * output_pitch,
            flops: 2 * shape.rows * inputs * shape.outputs,
            ..Work::default()
        };
        let args = [
            count(shape.rows),
            count(inputs),
            count(input_pitch),
            count(output_pitch),
            flag(activation == Activation::Relu),
            input.start(),
            input.stride(),
            params.from(shape.weight),
            params.from(shape.bias),
            params.stride(),
            skip_at,
            skip_lane,
            output.start(),
            output.stride(),
        ];
        self.queue.product(
            by_columns(&FORWARD, output_pitch),
            (shape.rows, output_pitch, inputs),
            work,
            &args,
        );
    }

    pub(super) fn backward_linear_weight(
        &mut self,
        shape: &LinearShape,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        gradients: &Buffer<D>,
        add: bool,
    ) {
        let (inputs, input_pitch, output_pitch) = sizes(shape);
        let work = Work {
            floats: shape.rows * (inputs + output_pitch) + inputs * output_pitch * (1 + usize::from(add)),
            flops: 2 * shape.rows * inputs * shape.outputs,
            ..Work::default()
        };
        let args = [
            count(shape.rows),
            count(inputs),
            count(input_pitch),
            count(output_pitch),
            flag(add),
            input.start(),
            input.stride(),
            d_output.start(),
            d_output.stride(),
            gradients.from(shape.weight),
            gradients.from(shape.bias),
            gradients.stride(),
        ];
        self.queue.product(
            by_columns(&BACKWARD_WEIGHT, output_pitch),
            (inputs, output_pitch, shape.rows),
            work,
            &args,
        );
    }

    pub(super) fn backward_linear_data(
        &mut self,
        shape: &LinearShape,
        into: InputGradient,
        params: &Buffer<D>,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &Buffer<D>,
    ) {
        let (inputs, input_pitch, output_pitch) = sizes(shape);
        let through = into.through == Activation::Relu;
        let work = Work {
            floats: shape.rows
                * (output_pitch + input_pitch * (1 + usize::from(into.add) + usize::from(through)))
                + inputs * output_pitch,
            flops: 2 * shape.rows * inputs * shape.outputs,
            ..Work::default()
        };
        let args = [
            count(shape.rows),
            count(inputs),
            count(shape.outputs),
            count(input_pitch),
            count(output_pitch),
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
            by_columns(&BACKWARD_DATA, input_pitch),
            (shape.rows, input_pitch, shape.outputs),
            work,
            &args,
        );
    }
}
