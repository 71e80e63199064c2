//! Pooling and dropout.

use super::buffer::{Buffer, count, flag, word};
use super::divisor::divisor;
use super::driver::{Arg, Driver};
use super::launch::Work;
use super::{Cuda, CudaSizes};
use crate::backend::{DropoutShape, Sizes};
use crate::dropout::Masks;
use crate::layers::{Activation, Extent, InputGradient};

fn pitch(extent: &Extent) -> usize {
    CudaSizes.pitch(extent.channels)
}

/// `Image` of `pool.cu`.
fn image(rows: usize, extent: &Extent) -> [u32; 4] {
    [rows, extent.height, extent.width, pitch(extent)].map(word)
}

fn taken_back(into: InputGradient) -> bool {
    into.through == Activation::Relu
}

/// How often each number of an input's gradient is touched: written, added to, compared with the input.
fn touches(into: InputGradient) -> usize {
    1 + usize::from(into.add) + usize::from(taken_back(into))
}

impl<D: Driver> Cuda<'_, D> {
    pub(super) fn forward_max_pool(
        &mut self,
        rows: usize,
        extent: &Extent,
        input: &Buffer<D>,
        output: &Buffer<D>,
    ) {
        let (height, width, pitch) = (extent.height / 2, extent.width / 2, pitch(extent));
        let (image, outputs) = (image(rows, extent), rows * height * width * pitch);
        let [by_pixel, by_line, by_output] = [pitch, width, height * width].map(divisor);
        let args = [
            Arg::Words(&image),
            Arg::Words(&by_pixel),
            Arg::Words(&by_line),
            Arg::Words(&by_output),
            input.start(),
            input.stride(),
            output.start(),
            output.stride(),
        ];
        self.queue.each("max_pool_forward", (1, outputs), Work::of(5 * outputs), &args);
    }

    pub(super) fn backward_max_pool(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &Buffer<D>,
    ) {
        let (height, width, pitch) = (extent.height.div_ceil(2), extent.width.div_ceil(2), pitch(extent));
        let (image, windows) = (image(rows, extent), rows * height * width * pitch);
        let [by_pixel, by_line, by_windows] = [pitch, width, height * width].map(divisor);
        let args = [
            Arg::Words(&image),
            Arg::Words(&by_pixel),
            Arg::Words(&by_line),
            Arg::Words(&by_windows),
            flag(into.add),
            flag(taken_back(into)),
            input.start(),
            input.stride(),
            d_output.start(),
            d_output.stride(),
            d_input.start(),
            d_input.stride(),
        ];
        let floats = windows * (5 + 4 * (1 + usize::from(into.add)));
        self.queue.each("max_pool_backward", (1, windows), Work::of(floats), &args);
    }

    pub(super) fn forward_mean_pool(
        &mut self,
        rows: usize,
        extent: &Extent,
        input: &Buffer<D>,
        output: &Buffer<D>,
    ) {
        let (pixels, pitch) = (extent.pixels(), pitch(extent));
        let by_pixel = divisor(pitch);
        let args = [
            count(rows),
            count(pixels),
            count(pitch),
            Arg::Words(&by_pixel),
            input.start(),
            input.stride(),
            output.start(),
            output.stride(),
        ];
        let work = Work::of(rows * pitch * (pixels + 1));
        self.queue.each("mean_pool_forward", (1, rows * pitch), work, &args);
    }

    pub(super) fn backward_mean_pool(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &Buffer<D>,
    ) {
        let (pixels, pitch) = (extent.pixels(), pitch(extent));
        let by_pixel = divisor(pitch);
        let args = [
            count(rows),
            count(pixels),
            count(pitch),
            Arg::Words(&by_pixel),
            Arg::F32(1.0 / pixels as f32),
            flag(into.add),
            flag(taken_back(into)),
            input.start(),
            input.stride(),
            d_output.start(),
            d_output.stride(),
            d_input.start(),
            d_input.stride(),
        ];
        let work = Work::of(rows * pitch * (1 + pixels * touches(into)));
        self.queue.each("mean_pool_backward", (rows, pixels * pitch), work, &args);
    }

    /// `DropoutOf` of `dropout.cu`, the numbers of a pixel to divide by, and the rate: 0 where there are no masks.
    fn dropout_of(&mut self, shape: &DropoutShape, masks: Option<Masks<'_>>) -> ([u32; 7], [u32; 3], f32) {
        let pitch = |columns| CudaSizes.pitch(columns);
        if let Some(masks) = masks {
            self.send_mask_keys(masks.keys);
        }
        let extent = &shape.extent;
        let of = [shape.rows, extent.numbers(), extent.channels, extent.pixel(pitch), extent.record(pitch)];
        let [rows, units, channels, pixel, record] = of.map(word);
        let place = masks.map_or(0, |masks| masks.place);
        let of = [rows, units, channels, pixel, record, shape.layer, place];
        (of, divisor(extent.channels), masks.map_or(0.0, |_| shape.rate))
    }

    pub(super) fn forward_dropout(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        input: &Buffer<D>,
        output: &Buffer<D>,
    ) {
        let (of, by_channels, rate) = self.dropout_of(shape, masks);
        let args = [
            Arg::Words(&of),
            Arg::Words(&by_channels),
            Arg::F32(rate),
            Arg::Address(&self.mask_keys, 0),
            input.start(),
            input.stride(),
            output.start(),
            output.stride(),
        ];
        let numbers = shape.extent.numbers();
        let work = Work::of(2 * shape.rows * numbers);
        self.queue.each("dropout_forward", (shape.rows, numbers.div_ceil(4)), work, &args);
    }

    pub(super) fn backward_dropout(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        into: InputGradient,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &Buffer<D>,
    ) {
        let (of, by_channels, rate) = self.dropout_of(shape, masks);
        let args = [
            Arg::Words(&of),
            Arg::Words(&by_channels),
            Arg::F32(rate),
            Arg::Address(&self.mask_keys, 0),
            flag(into.add),
            flag(taken_back(into)),
            input.start(),
            input.stride(),
            d_output.start(),
            d_output.stride(),
            d_input.start(),
            d_input.stride(),
        ];
        let numbers = shape.extent.numbers();
        let work = Work::of(shape.rows * numbers * (1 + touches(into)));
        self.queue.each("dropout_backward", (shape.rows, numbers.div_ceil(4)), work, &args);
    }
}
