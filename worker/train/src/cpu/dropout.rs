//! Dropout, 64 units a draw.

use super::pitch;
use super::simd::Kernel;
use crate::backend::DropoutShape;
use crate::dropout::Masks;
use crate::layers::{Activation, InputGradient};
use crate::philox::{philox_16, uniform};

/// Units whose words 16 counters make.
const UNITS: usize = 64;

/// What the numbers of a record are multiplied by.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    factors: Vec<f32>,
}

impl Scratch {
    /// The factors of the record at `place`, by unit: 0 or `1 / (1 - rate)`. Room for them grows to the largest layer in
    /// its first pass.
    #[inline(always)]
    fn factors(&mut self, shape: &DropoutShape, key: [u32; 2], place: u32) -> &[f32] {
        let len = shape.extent.numbers().next_multiple_of(UNITS);
        if self.factors.len() < len {
            self.factors.resize(len, 0.0);
        }
        let factors = &mut self.factors[..len];
        let (rate, stays) = (shape.rate, 1.0 / (1.0 - shape.rate));
        for (block, factors) in (0..).zip(factors.chunks_exact_mut(UNITS)) {
            let words = philox_16(16 * block, [shape.layer, place, 0], key);
            // As one row: nested loops are vectorised across each other, with every number gathered.
            for (factor, &word) in factors.iter_mut().zip(words.as_flattened()) {
                *factor = if uniform(word) >= rate { stays } else { 0.0 };
            }
        }
        factors
    }
}

/// The forward pass; see [`crate::backend::Backend::dropout_forward`].
pub(super) struct Forward<'a> {
    pub shape: &'a DropoutShape,
    pub masks: Masks<'a>,
    pub input: &'a [f32],
    pub output: &'a mut [f32],
    pub scratch: &'a mut Scratch,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let DropoutShape { rows, extent, .. } = *self.shape;
        let (channels, wide) = (extent.channels, extent.pixel(pitch));
        let size = extent.record(pitch);
        let records = self.input.chunks_exact(size).zip(self.output.chunks_exact_mut(size));
        for ((input, output), place) in records.take(rows).zip(self.masks.place..) {
            let factors = self.scratch.factors(self.shape, self.masks.keys[0], place);
            let pixels = input.chunks_exact(wide).zip(output.chunks_exact_mut(wide));
            for ((input, output), factors) in pixels.zip(factors.chunks_exact(channels)) {
                for ((x, y), factor) in input.iter().zip(&mut *output).zip(factors) {
                    *y = x * factor;
                }
                output[channels..].fill(0.0);
            }
        }
    }
}

/// The backward pass; see [`crate::backend::Backend::dropout_backward`].
pub(super) struct Backward<'a> {
    pub shape: &'a DropoutShape,
    pub masks: Masks<'a>,
    pub into: InputGradient,
    pub input: &'a [f32],
    pub d_output: &'a [f32],
    pub d_input: &'a mut [f32],
    pub scratch: &'a mut Scratch,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let DropoutShape { rows, extent, .. } = *self.shape;
        let (channels, wide) = (extent.channels, extent.pixel(pitch));
        let size = extent.record(pitch);
        let relu = self.into.through == Activation::Relu;
        let records = self.d_input.chunks_exact_mut(size).zip(self.d_output.chunks_exact(size));
        let records = records.zip(self.input.chunks_exact(size)).take(rows);
        for (((to, from), input), place) in records.zip(self.masks.place..) {
            let factors = self.scratch.factors(self.shape, self.masks.keys[0], place);
            let pixels = to.chunks_exact_mut(wide).zip(from.chunks_exact(wide)).zip(input.chunks_exact(wide));
            for (((to, from), input), factors) in pixels.zip(factors.chunks_exact(channels)) {
                for (((to, from), x), factor) in to.iter_mut().zip(from).zip(input).zip(factors) {
                    let value = if self.into.add { *to } else { 0.0 } + from * factor;
                    *to = if !relu || *x > 0.0 { value } else { 0.0 };
                }
                to[channels..].fill(0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Isa, IsaLevel};
    use super::*;
    use crate::dropout::stays;
    use crate::layers::Extent;

    /// Of pixels that fill no vector, at every level of instructions: the units that are said to stay, the others zero,
    /// and padding left alone.
    #[test]
    fn what_stays_is_what_was_drawn_on_the_way_there_and_back() {
        let shape = DropoutShape { rows: 3, extent: Extent::space(2, 3, 21), rate: 0.4, layer: 5 };
        let masks = Masks { keys: &[[8, 9]], place: 4 };
        let (wide, size) = (32, 6 * 32);
        let input: Vec<f32> =
            (0..3 * size).map(|i| if i % wide < 21 { (i % 7) as f32 } else { 0.0 }).collect();
        let ones: Vec<f32> = (0..3 * size).map(|i| f32::from(u8::from(i % wide < 21))).collect();
        for level in [IsaLevel::Portable, IsaLevel::Avx2, IsaLevel::Avx512] {
            let isa = Isa::at_most(level);
            let (mut output, mut d_input) = (vec![7.0; 3 * size], vec![7.0; 3 * size]);
            let scratch = &mut Scratch::default();
            isa.run(Forward { shape: &shape, masks, input: &input, output: &mut output, scratch });
            let into = InputGradient { through: Activation::Relu, add: false };
            let (input, d_output, d_input) = (&input[..], &ones[..], &mut d_input[..]);
            isa.run(Backward { shape: &shape, masks, into, input, d_output, d_input, scratch });
            for i in 0..3 * size {
                let (row, pixel, channel) = (i / size, i % size / wide, i % wide);
                let unit = (pixel * 21 + channel) as u32;
                let stays = channel < 21 && stays([8, 9], 5, 4 + row as u32, unit, 0.4);
                let factor = if stays { 1.0 / (1.0 - 0.4f32) } else { 0.0 };
                assert_eq!(output[i], input[i] * factor, "{level:?} {i}");
                assert_eq!(d_input[i], if input[i] > 0.0 { factor } else { 0.0 }, "{level:?} {i}");
            }
        }
    }

    #[test]
    fn the_mean_stays_as_it_was() {
        for rate in [0.2f32, 0.9] {
            let (rows, extent) = (100, Extent::flat(160));
            let shape = DropoutShape { rows, extent, rate, layer: 1 };
            let masks = Masks { keys: &[[3, 4]], place: 0 };
            let (input, mut output) = (vec![1.0; rows * 160], vec![0.0; rows * 160]);
            let scratch = &mut Scratch::default();
            Isa::best().run(Forward { shape: &shape, masks, input: &input, output: &mut output, scratch });
            let count = (rows * 160) as f64;
            let mean = output.iter().map(|&y| f64::from(y)).sum::<f64>() / count;
            // Five standard errors: a factor of 1 / (1 - p) with probability 1 - p has the variance p / (1 - p).
            let error = (f64::from(rate) / (1.0 - f64::from(rate)) / count).sqrt();
            assert!((mean - 1.0).abs() < 5.0 * error, "{mean} at {rate}");
        }
    }
}
