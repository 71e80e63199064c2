//! The gradients of the kernel and the bias.

use super::pad::Padding;
use super::{Convolutions, DEPTH, bands, block};
use crate::backend::ConvShape;
use crate::cpu::columns::ColumnSums;
use crate::cpu::gemm::kernel::{Start, Tile};
use crate::cpu::gemm::{Finish, tallest};
use crate::cpu::pitch;

impl Convolutions {
    /// `gradients.W (+)=` the sum over records and windows of input times `d_output`.
    pub(in crate::cpu) fn backward_weight(
        &mut self,
        shape: &ConvShape,
        input: &[f32],
        d_output: &[f32],
        gradients: &mut [f32],
        add: bool,
    ) {
        let isa = self.isa;
        let (inputs, outputs) = (shape.input.pixel(pitch), pitch(shape.output.channels));
        let padding = Padding::forward(shape);
        let (record, size) = (shape.input.record(pitch), shape.output.record(pitch));
        let (mut height, mut width) = (shape.output.height, shape.output.width);
        if shape.kernel == (1, 1) && shape.stride == (1, 1) {
            (height, width) = (1, height * width);
        }
        // Pieces of at most DEPTH pixels: parts of a line, or several lines.
        let lines = (DEPTH / width).max(1);
        for n in 0..shape.rows {
            let image = &input[n * record..][..record];
            let (image, line) = padding.around(&shape.input, inputs, image, &mut self.padded);
            let d_output = &d_output[n * size..][..size];
            for (y, x) in bands(height, lines).flat_map(|y| bands(width, DEPTH).map(move |x| (y.clone(), x)))
            {
                let mut column = 0;
                while column < outputs {
                    let columns = block(isa, outputs, column);
                    let (pixels, first) = (y.len() * x.len(), (y.start * width + x.start) * outputs);
                    let from = &d_output[first..][..pixels * outputs];
                    // Whole lines, or a part of one: the piece's pixels follow each other.
                    let panel = if columns == outputs {
                        from
                    } else {
                        let piece = &mut self.piece[..pixels * columns];
                        for (to, from) in piece.chunks_exact_mut(columns).zip(from.chunks_exact(outputs)) {
                            to.copy_from_slice(&from[column..][..columns]);
                        }
                        &*piece
                    };
                    for ky in 0..shape.kernel.0 {
                        let top = (y.start * shape.stride.0 + ky) * line + x.start * shape.stride.1;
                        for band in bands(shape.kernel.1 * inputs, tallest(isa)) {
                            let at =
                                shape.weight + (ky * shape.kernel.1 * inputs + band.start) * outputs + column;
                            let fresh = n == 0 && y.start == 0 && x.start == 0 && !add;
                            let mut tile = Tile {
                                rows: band.len(),
                                width: columns,
                                segments: y.len(),
                                depth: x.len(),
                                left: &image[top * inputs + band.start..],
                                row: 1,
                                step: shape.stride.1 * inputs,
                                left_segment: shape.stride.0 * line * inputs,
                                panel,
                                panel_step: columns,
                                panel_segment: x.len() * columns,
                                output: &mut gradients[at..],
                                pitch: outputs,
                                start: if fresh { Start::Zero } else { Start::Output },
                                finish: Finish::Keep,
                            };
                            tile.run(isa);
                        }
                    }
                    column += columns;
                }
            }
        }
        if let Some(bias) = shape.bias {
            let values = &d_output[..shape.rows * size];
            isa.run(ColumnSums { values, pitch: outputs, add, sums: &mut gradients[bias..][..outputs] });
        }
    }
}
