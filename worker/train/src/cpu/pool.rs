//! Pooling over pixels.

use super::pitch;
use super::simd::Kernel;
use crate::layers::{Activation, Extent, InputGradient};

/// The maximum of every 2 x 2 pixels.
pub(super) struct MaxForward<'a> {
    pub rows: usize,
    pub extent: &'a Extent,
    pub input: &'a [f32],
    pub output: &'a mut [f32],
}

impl Kernel for MaxForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let channels = pitch(self.extent.channels);
        let line = self.extent.width * channels;
        let (height, width) = (self.extent.height / 2, self.extent.width / 2);
        let images = self.input.chunks_exact(self.extent.height * line);
        let outputs = self.output.chunks_exact_mut(height * width * channels);
        for (image, output) in images.zip(outputs).take(self.rows) {
            for (y, to) in output.chunks_exact_mut(width * channels).enumerate() {
                let (top, bottom) = image[2 * y * line..][..2 * line].split_at(line);
                let above = top.chunks_exact(2 * channels);
                let below = bottom.chunks_exact(2 * channels);
                for ((to, above), below) in to.chunks_exact_mut(channels).zip(above).zip(below) {
                    let (a, b) = above.split_at(channels);
                    let (c, d) = below.split_at(channels);
                    for i in 0..channels {
                        to[i] = most(most(a[i], b[i]), most(c[i], d[i]));
                    }
                }
            }
        }
    }
}

/// The larger number; NaN if either is.
#[inline(always)]
fn most(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}

/// Gives each gradient to the first maximum of its 2 x 2 pixels.
pub(super) struct MaxBackward<'a> {
    pub rows: usize,
    pub extent: &'a Extent,
    pub into: InputGradient,
    pub input: &'a [f32],
    pub d_output: &'a [f32],
    pub d_input: &'a mut [f32],
}

impl Kernel for MaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let channels = pitch(self.extent.channels);
        let line = self.extent.width * channels;
        let (height, width) = (self.extent.height / 2, self.extent.width / 2);
        let size = self.extent.height * line;
        let relu = self.into.through == Activation::Relu;
        for n in 0..self.rows {
            let image = &self.input[n * size..][..size];
            let d_output = &self.d_output[n * height * width * channels..][..height * width * channels];
            let d_input = &mut self.d_input[n * size..][..size];
            if !self.into.add {
                // Windows cover all but a last odd line and column.
                d_input[2 * height * line..].fill(0.0);
                if self.extent.width % 2 == 1 {
                    for line in d_input.chunks_exact_mut(line) {
                        line[2 * width * channels..].fill(0.0);
                    }
                }
            }
            for (y, d) in d_output.chunks_exact(width * channels).enumerate() {
                let (top, bottom) = image[2 * y * line..][..2 * line].split_at(line);
                let (to_top, to_bottom) = d_input[2 * y * line..][..2 * line].split_at_mut(line);
                for (x, d) in d.chunks_exact(channels).enumerate() {
                    let at = 2 * x * channels;
                    let (a, b) = top[at..][..2 * channels].split_at(channels);
                    let (c, e) = bottom[at..][..2 * channels].split_at(channels);
                    let (to_a, to_b) = to_top[at..][..2 * channels].split_at_mut(channels);
                    let (to_c, to_e) = to_bottom[at..][..2 * channels].split_at_mut(channels);
                    for i in 0..channels {
                        let best = most(most(a[i], b[i]), most(c[i], e[i]));
                        let d = if relu && best <= 0.0 { 0.0 } else { d[i] };
                        let first = a[i] == best;
                        let second = !first & (b[i] == best);
                        let third = !first & !second & (c[i] == best);
                        let fourth = !first & !second & !third;
                        let old = |value: f32| if self.into.add { value } else { 0.0 };
                        to_a[i] = old(to_a[i]) + if first { d } else { 0.0 };
                        to_b[i] = old(to_b[i]) + if second { d } else { 0.0 };
                        to_c[i] = old(to_c[i]) + if third { d } else { 0.0 };
                        to_e[i] = old(to_e[i]) + if fourth { d } else { 0.0 };
                    }
                }
            }
        }
    }
}

/// The mean over all pixels.
pub(super) struct MeanForward<'a> {
    pub rows: usize,
    pub extent: &'a Extent,
    pub input: &'a [f32],
    pub output: &'a mut [f32],
}

impl Kernel for MeanForward<'_> {
    type Output = ();

    /// Pixels are added in order.
    #[inline(always)]
    fn run(self) {
        let channels = pitch(self.extent.channels);
        let pixels = self.extent.pixels();
        let images = self.input.chunks_exact(pixels * channels);
        for (image, output) in images.zip(self.output.chunks_exact_mut(channels)).take(self.rows) {
            output.fill(0.0);
            for pixel in image.chunks_exact(channels) {
                output.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x);
            }
            output.iter_mut().for_each(|sum| *sum /= pixels as f32);
        }
    }
}

/// Gives every pixel its share of the gradient.
pub(super) struct MeanBackward<'a> {
    pub rows: usize,
    pub extent: &'a Extent,
    pub into: InputGradient,
    pub input: &'a [f32],
    pub d_output: &'a [f32],
    pub d_input: &'a mut [f32],
}

impl Kernel for MeanBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let channels = pitch(self.extent.channels);
        let pixels = self.extent.pixels();
        let size = pixels * channels;
        let share = 1.0 / pixels as f32;
        let relu = self.into.through == Activation::Relu;
        for n in 0..self.rows {
            let d = &self.d_output[n * channels..][..channels];
            let image = self.input[n * size..][..size].chunks_exact(channels);
            for (to, x) in self.d_input[n * size..][..size].chunks_exact_mut(channels).zip(image) {
                for i in 0..channels {
                    let old = if self.into.add { to[i] } else { 0.0 };
                    to[i] = if !relu || x[i] > 0.0 { d[i].mul_add(share, old) } else { 0.0 };
                }
            }
        }
    }
}
