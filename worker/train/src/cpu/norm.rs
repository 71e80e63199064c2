//! Group normalisation, record by record.
//!
//! Sums over pixels are taken channel by channel in four turns, pixel p in turn `p mod 4`, then
//! `(0 + 1) + (2 + 3)`; sums over the channels of a group in their order. Nothing else decides a bit.

use super::pitch;
use super::simd::Kernel;
use crate::backend::NormShape;
use crate::layers::{Activation, InputGradient};

const EPSILON: f32 = 1e-5;
const LANES: usize = 16;
const TURNS: usize = 4;

/// Rows of a number per channel.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    rows: Vec<f32>,
}

impl Scratch {
    /// Three rows; they grow to the widest layer in its first pass.
    fn rows(&mut self, channels: usize) -> [&mut [f32]; 3] {
        if self.rows.len() < 3 * channels {
            self.rows.resize(3 * channels, 0.0);
        }
        let (a, rest) = self.rows.split_at_mut(channels);
        let (b, rest) = rest.split_at_mut(channels);
        [a, b, &mut rest[..channels]]
    }
}

/// The forward pass; see [`crate::backend::Backend::group_norm_forward`].
pub(super) struct Forward<'a> {
    pub shape: &'a NormShape,
    pub activation: Activation,
    pub params: &'a [f32],
    pub input: &'a [f32],
    pub skip: Option<&'a [f32]>,
    pub kept: &'a mut [f32],
    pub output: &'a mut [f32],
    pub scratch: &'a mut Scratch,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let shape = self.shape;
        let channels = pitch(shape.extent.channels);
        let pixels = shape.extent.pixels();
        let size = pixels * channels;
        let groups = shape.groups;
        let wide = shape.extent.channels / groups;
        let count = (pixels * wide) as f32;
        let gamma = &self.params[shape.gamma..][..channels];
        let beta = &self.params[shape.beta..][..channels];
        let [sums, scale, shift] = self.scratch.rows(channels);
        for n in 0..shape.rows {
            let x = &self.input[n * size..][..size];
            let kept = &mut self.kept[n * pitch(2 * groups)..][..2 * groups];
            let (means, roots) = kept.split_at_mut(groups);
            column_sums(x, channels, sums, |x, _| x, scale);
            for (mean, sums) in means.iter_mut().zip(sums.chunks_exact(wide)) {
                *mean = in_order(sums) / count;
            }
            spread(means, wide, scale);
            column_sums(x, channels, sums, |x, mean| (x - mean) * (x - mean), scale);
            for (root, sums) in roots.iter_mut().zip(sums.chunks_exact(wide)) {
                *root = 1.0 / (in_order(sums) / count + EPSILON).sqrt();
            }
            spread(roots, wide, scale);
            spread(means, wide, shift);
            for (((scale, shift), gamma), beta) in scale.iter_mut().zip(&mut *shift).zip(gamma).zip(beta) {
                *scale *= gamma;
                *shift = (-*shift).mul_add(*scale, *beta);
            }
            let output = &mut self.output[n * size..][..size];
            let skip = self.skip.map(|skip| &skip[n * size..][..size]);
            let relu = self.activation == Activation::Relu;
            let clip = |y: f32| if relu && y < 0.0 { 0.0 } else { y };
            let pixels = output.chunks_exact_mut(channels).zip(x.chunks_exact(channels));
            match skip {
                None => {
                    for (y, x) in pixels {
                        for c in 0..channels {
                            y[c] = clip(x[c].mul_add(scale[c], shift[c]));
                        }
                    }
                }
                Some(skip) => {
                    for ((y, x), skip) in pixels.zip(skip.chunks_exact(channels)) {
                        for c in 0..channels {
                            y[c] = clip(x[c].mul_add(scale[c], shift[c]) + skip[c]);
                        }
                    }
                }
            }
        }
    }
}

/// The backward pass; see [`crate::backend::Backend::group_norm_backward`].
pub(super) struct Backward<'a> {
    pub shape: &'a NormShape,
    pub params: &'a [f32],
    pub input: &'a [f32],
    pub kept: &'a [f32],
    pub d_output: &'a [f32],
    pub gradients: &'a mut [f32],
    pub add: bool,
    pub d_input: Option<(InputGradient, &'a mut [f32])>,
    pub scratch: &'a mut Scratch,
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// With the normalised input n, of m numbers a group: `d_gamma = sum d n`, `d_beta = sum d`, and
    /// `d_input = root (gamma d - mean(gamma d) - n mean(gamma d n))`, which is linear in d and the input.
    #[inline(always)]
    fn run(mut self) {
        let shape = self.shape;
        let channels = pitch(shape.extent.channels);
        let pixels = shape.extent.pixels();
        let size = pixels * channels;
        let groups = shape.groups;
        let wide = shape.extent.channels / groups;
        let count = (pixels * wide) as f32;
        let gamma = &self.params[shape.gamma..][..channels];
        if !self.add {
            self.gradients[shape.gamma..][..channels].fill(0.0);
            self.gradients[shape.beta..][..channels].fill(0.0);
        }
        let [a, b, c] = self.scratch.rows(channels);
        for n in 0..shape.rows {
            let x = &self.input[n * size..][..size];
            let d = &self.d_output[n * size..][..size];
            let kept = &self.kept[n * pitch(2 * groups)..][..2 * groups];
            let (means, roots) = kept.split_at(groups);
            // a: sums of d; b: sums of d (x - mean).
            spread(means, wide, c);
            pair_sums(d, x, channels, a, b, c);
            let d_gamma = &mut self.gradients[shape.gamma..][..channels];
            for channel in 0..groups * wide {
                d_gamma[channel] = b[channel].mul_add(roots[channel / wide], d_gamma[channel]);
            }
            for (sum, a) in self.gradients[shape.beta..][..channels].iter_mut().zip(&*a) {
                *sum += a;
            }
            let Some((into, d_input)) = &mut self.d_input else { continue };
            for channel in 0..groups * wide {
                a[channel] *= gamma[channel];
                b[channel] *= gamma[channel];
            }
            for group in 0..groups {
                let (root, mean) = (roots[group], means[group]);
                let part = group * wide..(group + 1) * wide;
                let m1 = in_order(&a[part.clone()]) / count;
                // The root of the variance once in n, once in its derivative.
                let m2 = in_order(&b[part.clone()]) / count * root * root;
                for channel in part {
                    a[channel] = root * gamma[channel];
                    b[channel] = -(root * m2);
                    c[channel] = root * mean.mul_add(m2, -m1);
                }
            }
            for row in [&mut *a, b, c] {
                row[groups * wide..].fill(0.0);
            }
            let d_input = &mut d_input[n * size..][..size];
            let all = d_input.chunks_exact_mut(channels).zip(d.chunks_exact(channels));
            let all = all.zip(x.chunks_exact(channels));
            let relu = into.through == Activation::Relu;
            if into.add {
                for ((to, d), x) in all {
                    for i in 0..channels {
                        let value = to[i] + d[i].mul_add(a[i], x[i].mul_add(b[i], c[i]));
                        to[i] = if !relu || x[i] > 0.0 { value } else { 0.0 };
                    }
                }
            } else {
                for ((to, d), x) in all {
                    for i in 0..channels {
                        let value = d[i].mul_add(a[i], x[i].mul_add(b[i], c[i]));
                        to[i] = if !relu || x[i] > 0.0 { value } else { 0.0 };
                    }
                }
            }
        }
    }
}

/// Sums over pixels of `f(x, at)`, channel by channel; `at` has one number a channel.
#[inline(always)]
fn column_sums(x: &[f32], channels: usize, sums: &mut [f32], f: impl Fn(f32, f32) -> f32, at: &[f32]) {
    for column in (0..channels).step_by(LANES) {
        let mut turns = [[0.0f32; LANES]; TURNS];
        let at: [f32; LANES] = std::array::from_fn(|i| at[column + i]);
        let mut pixels = x.chunks_exact(TURNS * channels);
        for four in pixels.by_ref() {
            for t in 0..TURNS {
                let x = &four[t * channels + column..][..LANES];
                for i in 0..LANES {
                    turns[t][i] += f(x[i], at[i]);
                }
            }
        }
        for (turn, x) in turns.iter_mut().zip(pixels.remainder().chunks_exact(channels)) {
            for i in 0..LANES {
                turn[i] += f(x[column + i], at[i]);
            }
        }
        let [a, b, c, d] = turns;
        for i in 0..LANES {
            sums[column + i] = (a[i] + b[i]) + (c[i] + d[i]);
        }
    }
}

/// Sums over pixels of `d` and of `d (x - at)`, channel by channel.
#[inline(always)]
fn pair_sums(d: &[f32], x: &[f32], channels: usize, plain: &mut [f32], centred: &mut [f32], at: &[f32]) {
    for column in (0..channels).step_by(LANES) {
        let mut turns = [[[0.0f32; LANES]; 2]; TURNS];
        let at: [f32; LANES] = std::array::from_fn(|i| at[column + i]);
        let pixels = d.chunks(TURNS * channels).zip(x.chunks(TURNS * channels));
        for (d, x) in pixels {
            let four = d.chunks_exact(channels).zip(x.chunks_exact(channels));
            for (turn, (d, x)) in turns.iter_mut().zip(four) {
                let (d, x) = (&d[column..][..LANES], &x[column..][..LANES]);
                for i in 0..LANES {
                    turn[0][i] += d[i];
                    turn[1][i] = d[i].mul_add(x[i] - at[i], turn[1][i]);
                }
            }
        }
        let [a, b, c, d] = turns;
        for i in 0..LANES {
            plain[column + i] = (a[0][i] + b[0][i]) + (c[0][i] + d[0][i]);
            centred[column + i] = (a[1][i] + b[1][i]) + (c[1][i] + d[1][i]);
        }
    }
}

/// A sum in order.
#[inline(always)]
fn in_order(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |sum, value| sum + value)
}

/// Gives every channel its group's number; padding gets 0.
#[inline(always)]
fn spread(groups: &[f32], wide: usize, channels: &mut [f32]) {
    for (part, &value) in channels.chunks_mut(wide).zip(groups) {
        part.fill(value);
    }
    channels[groups.len() * wide..].fill(0.0);
}
