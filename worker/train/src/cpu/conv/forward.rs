//! The forward pass.

use super::pad::Padding;
use super::{Convolutions, bands, block, find};
use crate::backend::ConvShape;
use crate::cpu::gemm::Finish;
use crate::cpu::gemm::kernel::{Start, Tile};
use crate::cpu::gemm::tallest;
use crate::cpu::pitch;
use crate::layers::Activation;

impl Convolutions {
    /// `output = act(conv(input, W) + b + skip)`; `version` changes whenever parameters do.
    pub(in crate::cpu) fn forward(
        &mut self,
        shape: &ConvShape,
        activation: Activation,
        (params, version): (&[f32], u64),
        input: &[f32],
        skip: Option<&[f32]>,
        output: &mut [f32],
    ) {
        let isa = self.isa;
        let (inputs, outputs) = (shape.input.pixel(pitch), pitch(shape.output.channels));
        let depth = super::taps(shape) * inputs;
        let weight = &params[shape.weight..][..depth * outputs];
        let (panels, fresh) = find(&mut self.forward, shape.weight, (params.as_ptr().addr(), version));
        if !fresh && !panels.is_empty() {
            let mut to = &mut panels[..];
            let mut column = 0;
            while column < outputs {
                let width = block(isa, outputs, column);
                let (panel, rest) = to.split_at_mut(depth * width);
                for (row, from) in panel.chunks_exact_mut(width).zip(weight.chunks_exact(outputs)) {
                    row.copy_from_slice(&from[column..][..width]);
                }
                to = rest;
                column += width;
            }
        }
        let panels: &[f32] = if panels.is_empty() { weight } else { panels };
        let padding = Padding::forward(shape);
        let record = shape.input.record(pitch);
        let (mut height, mut width) = (shape.output.height, shape.output.width);
        if shape.kernel == (1, 1) && shape.stride == (1, 1) {
            (height, width) = (1, height * width);
        }
        let size = height * width * outputs;
        for n in 0..shape.rows {
            let image = &input[n * record..][..record];
            let (image, line) = padding.around(&shape.input, inputs, image, &mut self.padded);
            let output = &mut output[n * size..][..size];
            let skip = skip.map(|skip| &skip[n * size..][..size]);
            let (mut column, mut from) = (0, 0);
            while column < outputs {
                let columns = block(isa, outputs, column);
                let panel = &panels[from..][..depth * columns];
                let bias = shape.bias.map(|bias| &params[bias + column..][..columns]);
                for y in 0..height {
                    for band in bands(width, tallest(isa)) {
                        let at = (y * width + band.start) * outputs + column;
                        let left = (y * shape.stride.0 * line + band.start * shape.stride.1) * inputs;
                        let mut tile = Tile {
                            rows: band.len(),
                            width: columns,
                            segments: shape.kernel.0,
                            depth: shape.kernel.1 * inputs,
                            left: &image[left..],
                            row: shape.stride.1 * inputs,
                            step: 1,
                            left_segment: line * inputs,
                            panel,
                            panel_step: columns,
                            panel_segment: shape.kernel.1 * inputs * columns,
                            output: &mut output[at..],
                            pitch: outputs,
                            start: match (bias, skip) {
                                (None, None) => Start::Zero,
                                (Some(row), None) => Start::Row(row),
                                (None, Some(skip)) => Start::Matrix { values: &skip[at..], pitch: outputs },
                                (Some(row), Some(skip)) => {
                                    Start::Sum { row, values: &skip[at..], pitch: outputs }
                                }
                            },
                            finish: match activation {
                                Activation::None => Finish::Keep,
                                Activation::Relu => Finish::Relu,
                            },
                        };
                        tile.run(isa);
                    }
                }
                column += columns;
                from += depth * columns;
            }
        }
    }
}
