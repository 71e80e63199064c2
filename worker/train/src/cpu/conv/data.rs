//! The gradient of the input.
//!
//! Every pair of remainders by the strides is a convolution of stride 1 by its own taps, turned; see `phases`.

use super::pad::Padding;
use super::{Convolutions, bands, block, find};
use crate::backend::ConvShape;
use crate::cpu::gemm::kernel::{Start, Tile};
use crate::cpu::gemm::pack::transpose;
use crate::cpu::gemm::{Finish, tallest};
use crate::cpu::pitch;
use crate::layers::{Activation, InputGradient};
use crate::phases::{Phase, both, phases};

/// Zeros before and after the output's gradient along one axis.
fn around(input: usize, output: usize, kernel: usize, stride: usize, padding: usize) -> (usize, usize) {
    let used = || phases(input, kernel, stride, padding).filter(|phase| phase.taps > 0);
    let before = used().map(|phase| (phase.taps - 1).saturating_sub(phase.output)).max();
    let after = used().map(|phase| (phase.output + phase.pixels).saturating_sub(output)).max();
    (before.unwrap_or(0), after.unwrap_or(0))
}

pub(super) fn padding(shape: &ConvShape) -> Padding {
    let (input, output) = (shape.input, shape.output);
    let (top, bottom) = around(input.height, output.height, shape.kernel.0, shape.stride.0, shape.padding.0);
    let (left, right) = around(input.width, output.width, shape.kernel.1, shape.stride.1, shape.padding.1);
    Padding { top, bottom, left, right }
}

impl Convolutions {
    /// `d_input = act'(input) ((d_input) + conv^T(d_output, W))`.
    pub(in crate::cpu) fn backward_data(
        &mut self,
        shape: &ConvShape,
        into: InputGradient,
        (params, version): (&[f32], u64),
        input: &[f32],
        d_output: &[f32],
        d_input: &mut [f32],
    ) {
        let isa = self.isa;
        let (inputs, outputs) = (pitch(shape.input.channels), pitch(shape.output.channels));
        let (panels, fresh) = find(&mut self.backward, shape.weight, (params.as_ptr().addr(), version));
        if !fresh {
            turn(isa, shape, &params[shape.weight..], panels);
        }
        let padding = padding(shape);
        let (record, size) = (shape.output.record(pitch), shape.input.record(pitch));
        for n in 0..shape.rows {
            let image = &d_output[n * record..][..record];
            let (image, line) = padding.around(&shape.output, outputs, image, &mut self.padded);
            let d_input = &mut d_input[n * size..][..size];
            let mask = &input[n * size..][..size];
            let mut panels: &[f32] = panels;
            for (y, x) in both(shape) {
                if y.taps * x.taps == 0 {
                    if !into.add {
                        clear(shape, y, x, d_input);
                    }
                    continue;
                }
                let mut column = 0;
                while column < inputs {
                    let columns = block(isa, inputs, column);
                    let (panel, rest) = panels.split_at(y.taps * x.taps * outputs * columns);
                    for row in 0..y.pixels {
                        for band in bands(x.pixels, tallest(isa)) {
                            let line_of = padding.top + y.output + row + 1 - y.taps;
                            let pixel_of = padding.left + x.output + band.start + 1 - x.taps;
                            let to_line = y.start + shape.stride.0 * row;
                            let to_pixel = x.start + shape.stride.1 * band.start;
                            let at = (to_line * shape.input.width + to_pixel) * inputs + column;
                            let step = shape.stride.1 * inputs;
                            let mut tile = Tile {
                                rows: band.len(),
                                width: columns,
                                segments: y.taps,
                                depth: x.taps * outputs,
                                left: &image[(line_of * line + pixel_of) * outputs..],
                                row: outputs,
                                step: 1,
                                left_segment: line * outputs,
                                panel,
                                panel_step: columns,
                                panel_segment: x.taps * outputs * columns,
                                output: &mut d_input[at..],
                                pitch: step,
                                start: if into.add { Start::Output } else { Start::Zero },
                                finish: match into.through {
                                    Activation::None => Finish::Keep,
                                    Activation::Relu => {
                                        Finish::WherePositive { mask: &mask[at..], pitch: step }
                                    }
                                },
                            };
                            tile.run(isa);
                        }
                    }
                    panels = rest;
                    column += columns;
                }
            }
        }
    }
}

/// Turns and packs a kernel: for every pair of remainders and block of channels `[taps][outputs][block]`, from
/// the last tap to the first.
fn turn(isa: crate::cpu::Isa, shape: &ConvShape, weight: &[f32], panels: &mut [f32]) {
    let (inputs, outputs) = (pitch(shape.input.channels), pitch(shape.output.channels));
    let mut to = panels;
    for (y, x) in both(shape) {
        let mut column = 0;
        while column < inputs {
            let columns = block(isa, inputs, column);
            let there = columns.min(inputs - column);
            for ky in (0..y.taps).rev().map(|t| y.tap + shape.stride.0 * t) {
                for kx in (0..x.taps).rev().map(|t| x.tap + shape.stride.1 * t) {
                    let from = ((ky * shape.kernel.1 + kx) * inputs + column) * outputs;
                    let (panel, rest) = to.split_at_mut(outputs * columns);
                    if there < columns {
                        panel.fill(0.0);
                    }
                    transpose(isa, &weight[from..], outputs, there, outputs, panel, columns);
                    to = rest;
                }
            }
            column += columns;
        }
    }
}

/// Sets pixels that no window sees to zero.
fn clear(shape: &ConvShape, y: Phase, x: Phase, d_input: &mut [f32]) {
    let inputs = pitch(shape.input.channels);
    for line in (y.start..shape.input.height).step_by(shape.stride.0) {
        for pixel in (x.start..shape.input.width).step_by(shape.stride.1) {
            d_input[(line * shape.input.width + pixel) * inputs..][..inputs].fill(0.0);
        }
    }
}
