//! The primitives an engine is written over: what a device must be able to do.
//!
//! A backend holds `lanes` shadows side by side; every buffer is `lanes` equal parts, and every primitive
//! does the same to each part. Matrices are row-major with rows of [`Backend::pitch`] floats; whatever is
//! beyond the true width of a row is zero, and primitives keep it so. A result never depends on the pitch,
//! on the number of lanes, or on what lies in other rows or lanes.

use crate::error::TrainError;
use crate::layers::Activation;

/// The shape of one linear layer's work, and where its parameters start.
#[derive(Debug, Clone, Copy)]
pub struct LinearShape {
    /// Records.
    pub rows: usize,
    /// Numbers per record that come in.
    pub inputs: usize,
    /// Numbers per record that go out.
    pub outputs: usize,
    /// Offset of the weight, `[inputs][pitch(outputs)]`, in a buffer of parameters or gradients.
    pub weight: usize,
    /// Offset of the bias, `[pitch(outputs)]`.
    pub bias: usize,
}

/// What a layer's backward pass reads and writes.
#[derive(Debug)]
pub struct Backward<'a, Buffer> {
    /// Records.
    pub rows: usize,
    /// All parameters.
    pub params: &'a Buffer,
    /// The layer's input.
    pub input: &'a Buffer,
    /// The gradient of the layer's sums, before its own activation.
    pub d_output: &'a Buffer,
    /// All parameters' gradients; the layer writes its own.
    pub gradients: &'a mut Buffer,
    /// Where the gradient of the input goes; none for the first layer.
    pub d_input: Option<&'a mut Buffer>,
    /// The activation that made `input`: `d_input` is taken back through it.
    pub through: Activation,
}

/// One step of stochastic gradient descent, PyTorch's `SGD` (dampening 0):
/// `g <- g + decay w; v <- momentum v + g; w <- w - rate (nesterov ? g + momentum v : v)`.
#[derive(Debug, Clone, Copy)]
pub struct SgdStep {
    /// The learning rate.
    pub rate: f32,
    /// Momentum.
    pub momentum: f32,
    /// Weight decay.
    pub decay: f32,
    /// Nesterov's variant.
    pub nesterov: bool,
}

/// One step of AdamW, PyTorch's form: `w <- w shrink; m <- m + (1 - beta1)(g - m);
/// v <- beta2 v + (1 - beta2) g^2; w <- w - size m / (sqrt(v) / root + epsilon)`.
#[derive(Debug, Clone, Copy)]
pub struct AdamWStep {
    /// `1 - rate x decay`.
    pub shrink: f32,
    /// `1 - beta1`.
    pub first: f32,
    /// `beta2`.
    pub second: f32,
    /// `1 - beta2`.
    pub second_rest: f32,
    /// `rate / (1 - beta1^t)`, t counted from 1.
    pub size: f32,
    /// `sqrt(1 - beta2^t)`.
    pub root: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
}

/// A device.
pub trait Backend {
    /// Floats on the device.
    type Buffer;
    /// Labels of a batch on the device.
    type Labels;

    /// Shadows side by side.
    fn lanes(&self) -> usize;

    /// The floats a row of `columns` takes.
    fn pitch(&self, columns: usize) -> usize;

    /// A buffer of `per_lane` zeros for every lane.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the device is full.
    fn alloc(&mut self, per_lane: usize) -> Result<Self::Buffer, TrainError>;

    /// Room for the labels of `per_lane` records for every lane.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the device is full.
    fn alloc_labels(&mut self, per_lane: usize) -> Result<Self::Labels, TrainError>;

    /// Sets one lane's part of a buffer, from its start.
    fn write(&mut self, buffer: &mut Self::Buffer, lane: usize, values: &[f32]);

    /// Reads one lane's part of a buffer, from its start.
    fn read(&mut self, buffer: &Self::Buffer, lane: usize, values: &mut [f32]);

    /// Gathers records into a batch: `rows` is `[lanes][rows per lane]`.
    fn gather(&mut self, rows: &[u32], inputs: &mut Self::Buffer, labels: &mut Self::Labels);

    /// `output = act(input W + b)`.
    fn linear_forward(
        &mut self,
        shape: &LinearShape,
        activation: Activation,
        params: &Self::Buffer,
        input: &Self::Buffer,
        output: &mut Self::Buffer,
    );

    /// `gradients.W = input^T d_output`, `gradients.b = column sums of d_output`.
    fn linear_backward_weight(
        &mut self,
        shape: &LinearShape,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        gradients: &mut Self::Buffer,
    );

    /// `d_input = act'(input) (d_output W^T)`.
    fn linear_backward_data(
        &mut self,
        shape: &LinearShape,
        through: Activation,
        params: &Self::Buffer,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        d_input: &mut Self::Buffer,
    );

    /// Softmax cross-entropy, the mean over `rows` records: its gradient by the logits, and per lane
    /// `losses = [loss of this batch, 1 if this or an earlier loss was not finite]`.
    fn softmax_cross_entropy(
        &mut self,
        rows: usize,
        classes: usize,
        logits: &Self::Buffer,
        labels: &Self::Labels,
        d_logits: &mut Self::Buffer,
        losses: &mut Self::Buffer,
    );

    /// One step of stochastic gradient descent over all parameters.
    fn sgd(
        &mut self,
        step: &SgdStep,
        params: &mut Self::Buffer,
        gradients: &Self::Buffer,
        velocity: &mut Self::Buffer,
    );

    /// One step of AdamW over all parameters.
    fn adamw(
        &mut self,
        step: &AdamWStep,
        params: &mut Self::Buffer,
        gradients: &Self::Buffer,
        first: &mut Self::Buffer,
        second: &mut Self::Buffer,
    );
}
