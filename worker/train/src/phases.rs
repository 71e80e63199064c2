//! The remainders of an input's pixels by the strides of a convolution, whose gradients are convolutions by themselves.
//!
//! Along one axis, input pixel `i = p + s j` (stride s, remainder p) gets from output pixel o over tap k where
//! `i + padding = s o + k`: the taps are `k = a + s t` with `a = (p + padding) mod s`, and
//! `o = (p + padding - a) / s + j - t`. So every remainder is a convolution of stride 1 by its own taps, turned.

use crate::backend::ConvShape;

/// One remainder of an axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    /// The first input pixel.
    pub start: usize,
    /// The first tap.
    pub tap: usize,
    /// Its taps.
    pub taps: usize,
    /// The output pixel of the first tap at the first input pixel.
    pub output: usize,
    /// Its input pixels.
    pub pixels: usize,
}

/// The remainders of an axis of `input` pixels.
pub(crate) fn phases(
    input: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> impl Iterator<Item = Phase> {
    (0..stride.min(input)).map(move |start| {
        let tap = (start + padding) % stride;
        Phase {
            start,
            tap,
            taps: kernel.saturating_sub(tap).div_ceil(stride),
            output: (start + padding - tap) / stride,
            pixels: (input - start).div_ceil(stride),
        }
    })
}

/// Every pair of remainders, of lines and of pixels of a line.
pub(crate) fn both(shape: &ConvShape) -> impl Iterator<Item = (Phase, Phase)> + use<> {
    let shape = *shape;
    let x = move || phases(shape.input.width, shape.kernel.1, shape.stride.1, shape.padding.1);
    phases(shape.input.height, shape.kernel.0, shape.stride.0, shape.padding.0)
        .flat_map(move |y| x().map(move |x| (y, x)))
}
