//! The CUDA backend: shadows side by side, a lane each, every primitive one launch however many there are.
//!
//! Kernels compute what the CPU computes in the same order, number by number, so that both give the same bits: results
//! are of one numerics class, and a test may ask for equality. `driver` is the seam to the device; kernels are in
//! `kernels`.

mod buffer;
mod convolutions;
#[cfg(feature = "cuda")]
pub mod device;
mod divisor;
pub mod driver;
mod gather;
mod launch;
mod linear;
mod losses;
mod norms;
mod placement;
mod pools;
mod sizes;
mod source;
mod tally;
mod update;
mod uploads;

pub use buffer::{Buffer, Labels};
pub use placement::{Placement, place};
pub use sizes::CudaSizes;
pub use source::Held;
pub use tally::{Cost, Tally};

use driver::{Driver, DriverError};
use gather::Sent;
use launch::Queue;
use source::Source;

use crate::backend::{
    AdamWStep, Backend, ConvShape, Demands, DropoutShape, LinearShape, LossShape, NormShape, Rows, SgdStep,
    Sizes,
};
use crate::data::TrainingData;
use crate::dropout::Masks;
use crate::error::TrainError;
use crate::layers::{Activation, Extent, InputGradient};

/// The backend of one stream of a CUDA device.
pub struct Cuda<'d, D: Driver> {
    queue: Queue<D>,
    data: TrainingData<'d>,
    source: Source<'d, D>,
    /// Bytes on their way to or from the host.
    staging: Vec<u8>,
    /// What every step sends; made when it is known how large batches are.
    sent: Option<Sent<D>>,
    variation_keys: D::Memory,
    mask_keys: D::Memory,
    /// The keys that `mask_keys` holds.
    masked_by: Vec<[u32; 2]>,
    /// Rooms that primitives share; see [`Demands`].
    norm_sums: Option<D::Memory>,
    unvaried: Option<D::Memory>,
    factors: D::Memory,
}

impl From<DriverError> for TrainError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Memory { needed } => Self::Memory { needed },
            DriverError::Lost(_) => Self::Device(error.to_string()),
        }
    }
}

impl<'d, D: Driver> Cuda<'d, D> {
    /// A backend of `lanes` shadows on the driver's device, which holds `data` as `held` says.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the device cannot hold the data, [`TrainError::Device`] where it is lost.
    pub fn new(mut driver: D, data: TrainingData<'d>, held: Held, lanes: usize) -> Result<Self, TrainError> {
        assert!(lanes > 0, "a backend has a lane at least");
        let keys = lanes * size_of::<[u32; 2]>();
        Ok(Self {
            source: Source::new(&mut driver, data, held)?,
            variation_keys: driver.alloc(keys)?,
            mask_keys: driver.alloc(keys)?,
            factors: driver.alloc(lanes * size_of::<f32>())?,
            masked_by: vec![[0; 2]; lanes],
            sent: None,
            norm_sums: None,
            unvaried: None,
            staging: Vec::new(),
            data,
            queue: Queue { driver, lanes, tally: Tally::default() },
        })
    }

    /// What was launched so far.
    pub fn tally(&self) -> &Tally {
        &self.queue.tally
    }

    fn lanes_bytes(&self, floats: usize) -> usize {
        self.queue.lanes * floats * size_of::<f32>()
    }
}

impl<D: Driver> Sizes for Cuda<'_, D> {
    fn pitch(&self, columns: usize) -> usize {
        CudaSizes.pitch(columns)
    }

    fn rows_at_once(&self, batch: usize, record: usize, parameters: usize) -> usize {
        CudaSizes.rows_at_once(batch, record, parameters)
    }

    fn workspace(&self, demands: &Demands) -> usize {
        CudaSizes.workspace(demands)
    }
}

impl<D: Driver> Backend for Cuda<'_, D> {
    type Buffer = Buffer<D>;
    type Labels = Labels<D>;

    fn lanes(&self) -> usize {
        self.queue.lanes
    }

    fn alloc(&mut self, per_lane: usize) -> Result<Buffer<D>, TrainError> {
        // No buffer is empty, so that each has an address.
        let bytes = self.lanes_bytes(per_lane.max(1));
        Ok(Buffer { memory: self.queue.driver.alloc(bytes)?, lane: per_lane })
    }

    fn alloc_labels(&mut self, per_lane: usize) -> Result<Labels<D>, TrainError> {
        let (width, size) = source::label_size(self.data.labels());
        let lane = per_lane * width;
        Ok(Labels { memory: self.queue.driver.alloc((self.queue.lanes * lane * size).max(4))?, lane })
    }

    fn prepare(&mut self, demands: &Demands) -> Result<(), TrainError> {
        let sums = self.lanes_bytes(sizes::norm_sums(demands));
        self.norm_sums = if sums > 0 { Some(self.queue.driver.alloc(sums)?) } else { None };
        let records = self.lanes_bytes(demands.rows * self.pitch(self.data.shape().features as usize));
        self.unvaried = if demands.varies { Some(self.queue.driver.alloc(records)?) } else { None };
        let most = self.queue.lanes * demands.rows;
        self.source.prepare(&mut self.queue.driver, most)?;
        self.sent = Some(Sent::new(&mut self.queue.driver, most, demands.varies)?);
        Ok(())
    }

    fn check(&mut self) -> Result<(), TrainError> {
        Ok(self.queue.driver.check()?)
    }

    fn write(&mut self, buffer: &mut Buffer<D>, lane: usize, values: &[f32]) {
        self.staging.clear();
        self.staging.extend(values.iter().flat_map(|value| value.to_ne_bytes()));
        self.queue.driver.upload_now(&self.staging, &buffer.memory, buffer::bytes(lane * buffer.lane));
    }

    fn read(&mut self, buffer: &Buffer<D>, lane: usize, values: &mut [f32]) {
        self.staging.resize(size_of_val(values), 0);
        self.queue.driver.download(&buffer.memory, buffer::bytes(lane * buffer.lane), &mut self.staging);
        for (value, bytes) in values.iter_mut().zip(self.staging.as_chunks().0) {
            *value = f32::from_ne_bytes(*bytes);
        }
    }

    fn gather(&mut self, rows: Rows<'_>, inputs: &mut Buffer<D>, labels: &mut Labels<D>) {
        self.gather_rows(&rows, inputs, labels);
    }

    fn linear_forward(
        &mut self,
        shape: &LinearShape,
        activation: Activation,
        params: &Buffer<D>,
        input: &Buffer<D>,
        skip: Option<&Buffer<D>>,
        output: &mut Buffer<D>,
    ) {
        self.forward_linear(shape, activation, params, input, skip, output);
    }

    fn linear_backward_weight(
        &mut self,
        shape: &LinearShape,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        gradients: &mut Buffer<D>,
        add: bool,
    ) {
        self.backward_linear_weight(shape, input, d_output, gradients, add);
    }

    fn linear_backward_data(
        &mut self,
        shape: &LinearShape,
        into: InputGradient,
        params: &Buffer<D>,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &mut Buffer<D>,
    ) {
        self.backward_linear_data(shape, into, params, input, d_output, d_input);
    }

    fn conv_forward(
        &mut self,
        shape: &ConvShape,
        activation: Activation,
        params: &Buffer<D>,
        input: &Buffer<D>,
        skip: Option<&Buffer<D>>,
        output: &mut Buffer<D>,
    ) {
        self.forward_conv(shape, activation, params, input, skip, output);
    }

    fn conv_backward_weight(
        &mut self,
        shape: &ConvShape,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        gradients: &mut Buffer<D>,
        add: bool,
    ) {
        self.backward_conv_weight(shape, input, d_output, gradients, add);
    }

    fn conv_backward_data(
        &mut self,
        shape: &ConvShape,
        into: InputGradient,
        params: &Buffer<D>,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &mut Buffer<D>,
    ) {
        self.backward_conv_data(shape, into, params, input, d_output, d_input);
    }

    fn group_norm_forward(
        &mut self,
        shape: &NormShape,
        activation: Activation,
        params: &Buffer<D>,
        input: &Buffer<D>,
        skip: Option<&Buffer<D>>,
        kept: &mut Buffer<D>,
        output: &mut Buffer<D>,
    ) {
        self.forward_norm(shape, activation, params, input, skip, kept, output);
    }

    fn group_norm_backward(
        &mut self,
        shape: &NormShape,
        params: &Buffer<D>,
        input: &Buffer<D>,
        kept: &Buffer<D>,
        d_output: &Buffer<D>,
        gradients: &mut Buffer<D>,
        add: bool,
        d_input: Option<(InputGradient, &mut Buffer<D>)>,
    ) {
        self.backward_norm(shape, params, input, kept, d_output, d_input);
        self.backward_norm_parameters(shape, kept, gradients, add);
    }

    fn max_pool_forward(&mut self, rows: usize, extent: &Extent, input: &Buffer<D>, output: &mut Buffer<D>) {
        self.forward_max_pool(rows, extent, input, output);
    }

    fn max_pool_backward(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &mut Buffer<D>,
    ) {
        self.backward_max_pool(rows, extent, into, input, d_output, d_input);
    }

    fn mean_pool_forward(&mut self, rows: usize, extent: &Extent, input: &Buffer<D>, output: &mut Buffer<D>) {
        self.forward_mean_pool(rows, extent, input, output);
    }

    fn mean_pool_backward(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &mut Buffer<D>,
    ) {
        self.backward_mean_pool(rows, extent, into, input, d_output, d_input);
    }

    fn dropout_forward(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        input: &Buffer<D>,
        output: &mut Buffer<D>,
    ) {
        self.forward_dropout(shape, masks, input, output);
    }

    fn dropout_backward(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        into: InputGradient,
        input: &Buffer<D>,
        d_output: &Buffer<D>,
        d_input: &mut Buffer<D>,
    ) {
        self.backward_dropout(shape, masks, into, input, d_output, d_input);
    }

    fn softmax_cross_entropy(
        &mut self,
        shape: &LossShape,
        weights: &Buffer<D>,
        logits: &Buffer<D>,
        labels: &Labels<D>,
        d_logits: &mut Buffer<D>,
        losses: &mut Buffer<D>,
    ) {
        self.loss(("softmax_cross_entropy", None), shape, weights, logits, labels, d_logits, losses);
    }

    fn binary_cross_entropy(
        &mut self,
        shape: &LossShape,
        weights: &Buffer<D>,
        logits: &Buffer<D>,
        labels: &Labels<D>,
        d_logits: &mut Buffer<D>,
        losses: &mut Buffer<D>,
    ) {
        self.loss(self.binary(), shape, weights, logits, labels, d_logits, losses);
    }

    fn clip(&mut self, gradients: &mut Buffer<D>, most: f32) {
        self.clip_gradients(gradients, most);
    }

    fn average(&mut self, decay: f32, params: &Buffer<D>, average: &mut Buffer<D>) {
        self.moving_average(decay, params, average);
    }

    fn sgd(
        &mut self,
        step: &SgdStep,
        params: &mut Buffer<D>,
        gradients: &Buffer<D>,
        velocity: &mut Buffer<D>,
    ) {
        self.step_sgd(step, params, gradients, velocity);
    }

    fn adamw(
        &mut self,
        step: &AdamWStep,
        params: &mut Buffer<D>,
        gradients: &Buffer<D>,
        first: &mut Buffer<D>,
        second: &mut Buffer<D>,
    ) {
        self.step_adamw(step, params, gradients, first, second);
    }
}
