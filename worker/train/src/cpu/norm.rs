//! Group normalisation, record by record.
//!
//! Sums over pixels are taken channel by channel in four turns, pixel p in turn `p mod 4`, then
//! `(0 + 1) + (2 + 3)`; sums over the channels of a group in their order. Nothing else decides a bit.

use super::pitch;
use super::simd::Kernel;
use crate::backend::NormShape;
use crate::layers::{Activation, GroupNorm, InputGradient};

const EPSILON: f32 = 1e-5;
const LANES: usize = 16;
const TURNS: usize = 4;
const MOST_GROUPS: usize = GroupNorm::MOST_GROUPS;

/// Rows of a number per channel.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    rows: Vec<f32>,
}

impl Scratch {
    /// Four rows; they grow to the widest layer in its first pass.
    fn rows(&mut self, channels: usize) -> [&mut [f32]; 4] {
        if self.rows.len() < 4 * channels {
            self.rows.resize(4 * channels, 0.0);
        }
        let (a, rest) = self.rows.split_at_mut(channels);
        let (b, rest) = rest.split_at_mut(channels);
        let (c, rest) = rest.split_at_mut(channels);
        [a, b, c, &mut rest[..channels]]
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
        let [sums, squares, scale, shift] = self.scratch.rows(channels);
        for n in 0..shape.rows {
            let x = &self.input[n * size..][..size];
            let kept = &mut self.kept[n * pitch(2 * groups)..][..2 * groups];
            let (means, roots) = kept.split_at_mut(groups);
            // About the first pixel, so that squares lose nothing: sums and squares in one pass.
            let pivot = &x[..channels];
            if pixels == 1 {
                sums.fill(0.0);
                squares.fill(0.0);
            } else {
                pivot_sums(x, channels, sums, squares, pivot);
            }
            let whole = group_sums(groups, wide, |_, c| pivot[c].mul_add(pixels as f32, sums[c]));
            let at = whole.map(|whole| whole / count);
            let spread = group_sums(groups, wide, |group, c| {
                let off = at[group] - pivot[c];
                off.mul_add(off.mul_add(pixels as f32, -2.0 * sums[c]), squares[c])
            });
            for group in 0..groups {
                let part = group * wide..(group + 1) * wide;
                let (mean, variance) = (at[group], spread[group] / count);
                let variance = if variance < 0.0 { 0.0 } else { variance };
                let root = 1.0 / (variance + EPSILON).sqrt();
                (means[group], roots[group]) = (mean, root);
                let gamma_beta = gamma[part.clone()].iter().zip(&beta[part.clone()]);
                let to = scale[part.clone()].iter_mut().zip(&mut shift[part]);
                for ((scale, shift), (gamma, beta)) in to.zip(gamma_beta) {
                    *scale = root * gamma;
                    *shift = (-mean).mul_add(*scale, *beta);
                }
            }
            for row in [&mut *scale, shift] {
                row[groups * wide..].fill(0.0);
            }
            let output = &mut self.output[n * size..][..size];
            let skip = self.skip.map(|skip| &skip[n * size..][..size]);
            let relu = self.activation == Activation::Relu;
            for column in (0..channels).step_by(LANES) {
                let (scale, shift) = (lanes(scale, column), lanes(shift, column));
                let clip = |y: f32| if relu && y < 0.0 { 0.0 } else { y };
                let pixels = output.chunks_exact_mut(channels).zip(x.chunks_exact(channels));
                match skip {
                    None => {
                        for (y, x) in pixels {
                            let (y, x) = (&mut y[column..][..LANES], &x[column..][..LANES]);
                            for i in 0..LANES {
                                y[i] = clip(x[i].mul_add(scale[i], shift[i]));
                            }
                        }
                    }
                    Some(skip) => {
                        for ((y, x), skip) in pixels.zip(skip.chunks_exact(channels)) {
                            let (y, x) = (&mut y[column..][..LANES], &x[column..][..LANES]);
                            let skip = &skip[column..][..LANES];
                            for i in 0..LANES {
                                y[i] = clip(x[i].mul_add(scale[i], shift[i]) + skip[i]);
                            }
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
        let [a, b, c, _] = self.scratch.rows(channels);
        for n in 0..shape.rows {
            let x = &self.input[n * size..][..size];
            let d = &self.d_output[n * size..][..size];
            let kept = &self.kept[n * pitch(2 * groups)..][..2 * groups];
            let (means, roots) = kept.split_at(groups);
            // a: sums of d; b: sums of d (x - mean).
            spread(means, wide, c);
            pair_sums(d, x, channels, a, b, c);
            let d_gamma = &mut self.gradients[shape.gamma..][..channels];
            let parts = d_gamma.chunks_exact_mut(wide).zip(b.chunks_exact(wide));
            for ((d_gamma, b), root) in parts.zip(roots) {
                d_gamma.iter_mut().zip(b).for_each(|(d_gamma, b)| *d_gamma = b.mul_add(*root, *d_gamma));
            }
            for (sum, a) in self.gradients[shape.beta..][..channels].iter_mut().zip(&*a) {
                *sum += a;
            }
            let Some((into, d_input)) = &mut self.d_input else { continue };
            for ((a, b), gamma) in a.iter_mut().zip(&mut *b).zip(gamma) {
                *a *= gamma;
                *b *= gamma;
            }
            let m1 = group_sums(groups, wide, |_, channel| a[channel]);
            let m2 = group_sums(groups, wide, |_, channel| b[channel]);
            for group in 0..groups {
                let (root, mean) = (roots[group], means[group]);
                let m1 = m1[group] / count;
                // The root of the variance once in n, once in its derivative.
                let m2 = m2[group] / count * root * root;
                let part = group * wide..(group + 1) * wide;
                a[part.clone()].iter_mut().zip(&gamma[part.clone()]).for_each(|(a, gamma)| *a = root * gamma);
                b[part.clone()].fill(-(root * m2));
                c[part].fill(root * mean.mul_add(m2, -m1));
            }
            for row in [&mut *a, b, c] {
                row[groups * wide..].fill(0.0);
            }
            let d_input = &mut d_input[n * size..][..size];
            let relu = into.through == Activation::Relu;
            for column in (0..channels).step_by(LANES) {
                let (a, b, c) = (lanes(a, column), lanes(b, column), lanes(c, column));
                let all = d_input.chunks_exact_mut(channels).zip(d.chunks_exact(channels));
                for ((to, d), x) in all.zip(x.chunks_exact(channels)) {
                    let (to, d, x) =
                        (&mut to[column..][..LANES], &d[column..][..LANES], &x[column..][..LANES]);
                    for i in 0..LANES {
                        let old = if into.add { to[i] } else { 0.0 };
                        let value = old + d[i].mul_add(a[i], x[i].mul_add(b[i], c[i]));
                        to[i] = if !relu || x[i] > 0.0 { value } else { 0.0 };
                    }
                }
            }
        }
    }
}

/// Sixteen numbers of a row.
#[inline(always)]
fn lanes(row: &[f32], column: usize) -> [f32; LANES] {
    // Written out: a call of `from_fn` is not inlined everywhere.
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&row[column..][..LANES]);
    lanes
}

/// Sums over pixels of `x - pivot` and of its square, channel by channel.
#[inline(always)]
fn pivot_sums(x: &[f32], channels: usize, plain: &mut [f32], squares: &mut [f32], pivot: &[f32]) {
    for column in (0..channels).step_by(LANES) {
        let mut turns = [[[0.0f32; LANES]; 2]; TURNS];
        let pivot = lanes(pivot, column);
        for x in x.chunks(TURNS * channels) {
            for (turn, x) in turns.iter_mut().zip(x.chunks_exact(channels)) {
                let x = &x[column..][..LANES];
                for i in 0..LANES {
                    let off = x[i] - pivot[i];
                    turn[0][i] += off;
                    turn[1][i] = off.mul_add(off, turn[1][i]);
                }
            }
        }
        let [a, b, c, d] = turns;
        for i in 0..LANES {
            plain[column + i] = (a[0][i] + b[0][i]) + (c[0][i] + d[0][i]);
            squares[column + i] = (a[1][i] + b[1][i]) + (c[1][i] + d[1][i]);
        }
    }
}

/// Sums over pixels of `d` and of `d (x - at)`, channel by channel.
#[inline(always)]
fn pair_sums(d: &[f32], x: &[f32], channels: usize, plain: &mut [f32], centred: &mut [f32], at: &[f32]) {
    for column in (0..channels).step_by(LANES) {
        let mut turns = [[[0.0f32; LANES]; 2]; TURNS];
        let at = lanes(at, column);
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

/// Sums of `f(group, channel)` over the channels of every group, each in order; side by side, since one after the
/// other each would wait for its own last addition.
#[inline(always)]
fn group_sums(groups: usize, wide: usize, f: impl Fn(usize, usize) -> f32) -> [f32; MOST_GROUPS] {
    let mut sums = [0.0f32; MOST_GROUPS];
    for channel in 0..wide {
        for (group, sum) in sums[..groups].iter_mut().enumerate() {
            *sum += f(group, group * wide + channel);
        }
    }
    sums
}

/// Gives every channel its group's number; padding gets 0.
#[inline(always)]
fn spread(groups: &[f32], wide: usize, channels: &mut [f32]) {
    for (part, &value) in channels.chunks_mut(wide).zip(groups) {
        part.fill(value);
    }
    channels[groups.len() * wide..].fill(0.0);
}
