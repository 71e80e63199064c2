//! Convolutions as products, without unrolled copies of the input: for one row of the kernel the windows of
//! neighbouring pixels are rows of a matrix that lies in the (padded) image already, so a tile reads them there,
//! one segment of its inner index per row of the kernel.
//!
//! - forward: a tile is some pixels of an output line by 16 or 32 channels; inner index (ky, kx, channel);
//! - data gradient: the same with turned kernels, once for every remainder of a pixel by the stride, so that no
//!   product has a zero of a stride in it; inner index (ky, kx, output channel), from the last tap to the first;
//! - weight gradient: a tile is some (kx, channel) by 16 or 32 output channels; inner index the pixels of all
//!   records in order.
//!
//! Every element is one chain in that order. Records never mix but in the weight gradient's chains.

mod data;
mod forward;
mod pad;
mod weight;

use super::floats::Floats;
use super::gemm::{LANES, widest};
use super::pitch;
use super::simd::Isa;
use crate::backend::ConvShape;
use crate::error::TrainError;

/// Pixels of one pass of a weight gradient.
const DEPTH: usize = 256;

/// Computes convolutions; holds turned and packed kernels, which are made anew when parameters have changed.
#[derive(Debug)]
pub(super) struct Convolutions {
    isa: Isa,
    /// One padded image.
    padded: Floats,
    /// A piece of an output's gradient.
    piece: Floats,
    /// Packed kernels, forward and backward, by weight offset.
    forward: Vec<Packed>,
    backward: Vec<Packed>,
}

/// A packed kernel and what it was made from.
#[derive(Debug)]
struct Packed {
    weight: usize,
    made_from: Option<(usize, u64)>,
    panels: Floats,
}

impl Convolutions {
    pub(super) fn new(isa: Isa) -> Self {
        let none = || Floats::zeros(0);
        Self { isa, padded: none(), piece: none(), forward: Vec::new(), backward: Vec::new() }
    }

    /// Floats that [`Convolutions::prepare`] takes.
    pub(super) fn room(shapes: &[ConvShape]) -> usize {
        if shapes.is_empty() {
            return 0;
        }
        let packed = |shape| forward_len(shape) + backward_len(shape);
        shapes.iter().map(packed).sum::<usize>() + padded_len(shapes) + DEPTH * 2 * LANES
    }

    pub(super) fn prepare(&mut self, shapes: &[ConvShape]) -> Result<(), TrainError> {
        if shapes.is_empty() {
            return Ok(());
        }
        self.padded = floats(padded_len(shapes))?;
        self.piece = floats(DEPTH * 2 * LANES)?;
        for shape in shapes {
            let packed = |len| {
                Ok::<_, TrainError>(Packed { weight: shape.weight, made_from: None, panels: floats(len)? })
            };
            self.forward.push(packed(forward_len(shape))?);
            self.backward.push(packed(backward_len(shape))?);
        }
        Ok(())
    }
}

fn floats(len: usize) -> Result<Floats, TrainError> {
    let needed = (len as u64).saturating_mul(size_of::<f32>() as u64);
    Floats::try_zeros(len).ok_or(TrainError::Memory { needed })
}

/// The packed kernel of a convolution; `None` if it has to be made from these parameters first.
fn find(packed: &mut [Packed], weight: usize, from: (usize, u64)) -> (&mut Floats, bool) {
    let packed = packed.iter_mut().find(|packed| packed.weight == weight);
    let packed = packed.expect("every convolution was prepared");
    let fresh = packed.made_from == Some(from);
    packed.made_from = Some(from);
    (&mut packed.panels, fresh)
}

/// Columns from `column` on that are computed together.
fn block(isa: Isa, columns: usize, column: usize) -> usize {
    if columns - column > LANES { widest(isa) } else { LANES }
}

/// Floats of a packed kernel; none where it is read in place.
fn forward_len(shape: &ConvShape) -> usize {
    let outputs = pitch(shape.output.channels);
    if outputs <= LANES { 0 } else { taps(shape) * shape.input.pixel(pitch) * outputs }
}

/// Floats of a turned kernel; none for the first layer.
fn backward_len(shape: &ConvShape) -> usize {
    let inputs = if shape.input.dense { 0 } else { pitch(shape.input.channels) };
    taps(shape) * pitch(shape.output.channels) * inputs
}

fn taps(shape: &ConvShape) -> usize {
    shape.kernel.0 * shape.kernel.1
}

fn padded_len(shapes: &[ConvShape]) -> usize {
    let len = |shape: &ConvShape| {
        let forward = pad::Padding::forward(shape).len(&shape.input, shape.input.pixel(pitch));
        let backward = data::padding(shape).len(&shape.output, pitch(shape.output.channels));
        if shape.input.dense { forward } else { forward.max(backward) }
    };
    shapes.iter().map(len).max().unwrap_or(0)
}

/// Cuts `0..count` into the fewest even pieces of at most `most`.
fn bands(count: usize, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let bands = count.div_ceil(most);
    (0..bands).map(move |band| count * band / bands..count * (band + 1) / bands)
}
