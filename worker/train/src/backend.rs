//! The primitives an engine is written over: what a device must be able to do.
//!
//! A backend holds `lanes` shadows side by side; every buffer is `lanes` equal parts, and every primitive
//! does the same to each part. Matrices are row-major with rows of [`Backend::pitch`] floats; whatever is
//! beyond the true width of a row is zero, and primitives keep it so. A result never depends on the pitch,
//! on the number of lanes, or on what lies in other rows or lanes.

use crate::augment::Variation;
use crate::dropout::Masks;
use crate::error::TrainError;
use crate::layers::{Activation, Extent, InputGradient};

/// The shape of one linear layer's work, and where its parameters start.
#[derive(Debug, Clone, Copy)]
pub struct LinearShape {
    /// Records.
    pub rows: usize,
    /// What comes in: all pixels of a record are one row, padding between them included.
    pub input: Extent,
    /// Numbers per record that go out.
    pub outputs: usize,
    /// Offset of the weight, `[inputs][pitch(outputs)]`, in a buffer of parameters or gradients.
    pub weight: usize,
    /// Offset of the bias, `[pitch(outputs)]`.
    pub bias: usize,
}

impl LinearShape {
    /// Numbers of a row, padding between pixels included where there are several.
    pub fn inputs(&self, pitch: impl Fn(usize) -> usize) -> usize {
        match self.input.pixels() {
            1 => self.input.channels,
            pixels => pixels * self.input.pixel(pitch),
        }
    }
}

/// The shape of one convolution's work, and where its parameters start. Pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Records.
    pub rows: usize,
    /// What comes in.
    pub input: Extent,
    /// What goes out.
    pub output: Extent,
    /// Pixels of the kernel.
    pub kernel: (usize, usize),
    /// Pixels from window to window.
    pub stride: (usize, usize),
    /// Pixels of zeros on each side.
    pub padding: (usize, usize),
    /// Offset of the weight, `[kernel height][kernel width][input pixel][pitch(outputs)]`.
    pub weight: usize,
    /// Offset of the bias, `[pitch(outputs)]`, if there is one.
    pub bias: Option<usize>,
}

/// The shape of one group norm's work, and where its parameters start.
#[derive(Debug, Clone, Copy)]
pub struct NormShape {
    /// Records.
    pub rows: usize,
    /// What comes in and goes out.
    pub extent: Extent,
    /// Groups of neighbouring channels.
    pub groups: usize,
    /// Offset of the factors, `[pitch(channels)]`.
    pub gamma: usize,
    /// Offset of the summands, `[pitch(channels)]`.
    pub beta: usize,
}

/// The shape of one dropout's work.
#[derive(Debug, Clone, Copy)]
pub struct DropoutShape {
    /// Records.
    pub rows: usize,
    /// What comes in and goes out.
    pub extent: Extent,
    /// The probability that a number is left out.
    pub rate: f32,
    /// The number of the layer that draws.
    pub layer: u32,
}

/// The part of a batch that a loss is taken over.
#[derive(Debug, Clone, Copy)]
pub struct LossPart {
    /// Records of the part.
    pub rows: usize,
    /// Records of the whole batch, which the mean is over.
    pub of: usize,
    /// Whether it is the batch's first part; the others add to its loss.
    pub first: bool,
}

/// A loss over a part of a batch.
#[derive(Debug, Clone, Copy)]
pub struct LossShape {
    /// The part.
    pub part: LossPart,
    /// Logits per record.
    pub logits: usize,
    /// The share of a label that is spread over all.
    pub smoothing: f32,
}

/// How gathered records are varied.
#[derive(Debug, Clone, Copy)]
pub struct Varied<'a> {
    /// The variation.
    pub variation: &'a Variation,
    /// The key of each lane's draws.
    pub keys: &'a [[u32; 2]],
    /// The place of each lane's record 0; the others follow.
    pub place: u32,
}

/// Records to gather for every lane: `count` from `from` on, out of `per_lane` a lane.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// `[lanes][per_lane]` record indices.
    pub all: &'a [u32],
    /// Indices per lane.
    pub per_lane: usize,
    /// The first of each lane.
    pub from: usize,
    /// How many of each lane.
    pub count: usize,
    /// How they are varied.
    pub varied: Option<Varied<'a>>,
}

impl<'a> Rows<'a> {
    /// One lane's records.
    pub fn of(&self, lane: usize) -> &'a [u32] {
        &self.all[lane * self.per_lane + self.from..][..self.count]
    }
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

/// What a backend may want room of its own for, with the most records there are at once.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// The convolutions.
    pub convolutions: Vec<ConvShape>,
    /// The group norms.
    pub norms: Vec<NormShape>,
    /// Records that go through the model together.
    pub rows: usize,
    /// Whether records are varied.
    pub varies: bool,
    /// Whether gradients are clipped.
    pub clips: bool,
}

/// How a device lays its memory out.
pub trait Sizes {
    /// The floats a row of `columns` takes.
    fn pitch(&self, columns: usize) -> usize;

    /// How many records of a batch go through the model together, where each takes `record` floats and the model
    /// `parameters`. No result depends on it.
    fn rows_at_once(&self, batch: usize, record: usize, parameters: usize) -> usize;

    /// Floats a lane takes beside its buffers for what is demanded.
    fn workspace(&self, demands: &Demands) -> usize;
}

/// A device. Work may be queued: what it comes to is known once something is read, and what went wrong once
/// [`Backend::check`] is asked.
pub trait Backend: Sizes {
    /// Floats on the device.
    type Buffer;
    /// Labels of a batch on the device.
    type Labels;

    /// Shadows side by side.
    fn lanes(&self) -> usize;

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

    /// Makes room for what is demanded, which is all that will be asked for.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the device is full.
    fn prepare(&mut self, demands: &Demands) -> Result<(), TrainError>;

    /// Whether all that was asked for so far was done.
    ///
    /// # Errors
    /// The first thing that went wrong, for good; numbers read since then mean nothing.
    fn check(&mut self) -> Result<(), TrainError> {
        Ok(())
    }

    /// Sets one lane's part of a buffer, from its start.
    fn write(&mut self, buffer: &mut Self::Buffer, lane: usize, values: &[f32]);

    /// Reads one lane's part of a buffer, from its start.
    fn read(&mut self, buffer: &Self::Buffer, lane: usize, values: &mut [f32]);

    /// Gathers records into a batch.
    fn gather(&mut self, rows: Rows<'_>, inputs: &mut Self::Buffer, labels: &mut Self::Labels);

    /// `output = act(input W + b + skip)`.
    fn linear_forward(
        &mut self,
        shape: &LinearShape,
        activation: Activation,
        params: &Self::Buffer,
        input: &Self::Buffer,
        skip: Option<&Self::Buffer>,
        output: &mut Self::Buffer,
    );

    /// `gradients.W (+)= input^T d_output`, `gradients.b (+)= column sums of d_output`.
    fn linear_backward_weight(
        &mut self,
        shape: &LinearShape,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        gradients: &mut Self::Buffer,
        add: bool,
    );

    /// `d_input = act'(input) ((d_input) + d_output W^T)`.
    fn linear_backward_data(
        &mut self,
        shape: &LinearShape,
        into: InputGradient,
        params: &Self::Buffer,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        d_input: &mut Self::Buffer,
    );

    /// `output = act(conv(input, W) + b + skip)`.
    fn conv_forward(
        &mut self,
        shape: &ConvShape,
        activation: Activation,
        params: &Self::Buffer,
        input: &Self::Buffer,
        skip: Option<&Self::Buffer>,
        output: &mut Self::Buffer,
    );

    /// `gradients.W (+)=` the sum over records and windows of input times `d_output`, `gradients.b (+)=` that of
    /// `d_output`.
    fn conv_backward_weight(
        &mut self,
        shape: &ConvShape,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        gradients: &mut Self::Buffer,
        add: bool,
    );

    /// `d_input = act'(input) ((d_input) + conv^T(d_output, W))`.
    fn conv_backward_data(
        &mut self,
        shape: &ConvShape,
        into: InputGradient,
        params: &Self::Buffer,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        d_input: &mut Self::Buffer,
    );

    /// `output = act((input - mean) / sqrt(variance + 1e-5) gamma + beta + skip)`; keeps mean and
    /// `1 / sqrt(variance + 1e-5)` of every group, `[rows][pitch(2 groups)]`.
    fn group_norm_forward(
        &mut self,
        shape: &NormShape,
        activation: Activation,
        params: &Self::Buffer,
        input: &Self::Buffer,
        skip: Option<&Self::Buffer>,
        kept: &mut Self::Buffer,
        output: &mut Self::Buffer,
    );

    /// The gradients of `gamma` and `beta`, and that of the input where it is wanted.
    fn group_norm_backward(
        &mut self,
        shape: &NormShape,
        params: &Self::Buffer,
        input: &Self::Buffer,
        kept: &Self::Buffer,
        d_output: &Self::Buffer,
        gradients: &mut Self::Buffer,
        add: bool,
        d_input: Option<(InputGradient, &mut Self::Buffer)>,
    );

    /// The maximum of every 2 x 2 pixels.
    fn max_pool_forward(
        &mut self,
        rows: usize,
        extent: &Extent,
        input: &Self::Buffer,
        output: &mut Self::Buffer,
    );

    /// Gives each gradient to the first of its 2 x 2 pixels that is the maximum.
    fn max_pool_backward(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        d_input: &mut Self::Buffer,
    );

    /// The mean over all pixels.
    fn mean_pool_forward(
        &mut self,
        rows: usize,
        extent: &Extent,
        input: &Self::Buffer,
        output: &mut Self::Buffer,
    );

    /// Gives every pixel its share of the gradient.
    fn mean_pool_backward(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        d_input: &mut Self::Buffer,
    );

    /// `output = input / (1 - rate)` where [`crate::dropout::stays`] says so, else 0; the input as it is where there are
    /// no masks.
    fn dropout_forward(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        input: &Self::Buffer,
        output: &mut Self::Buffer,
    );

    /// `d_input = act'(input) ((d_input) + d_output / (1 - rate))` where the number stayed, else without `d_output`.
    fn dropout_backward(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        into: InputGradient,
        input: &Self::Buffer,
        d_output: &Self::Buffer,
        d_input: &mut Self::Buffer,
    );

    /// Softmax cross-entropy, the mean over the batch of each record's loss times its class's weight
    /// (`[pitch(classes)]`): its gradient by the logits, and per lane
    /// `losses = [loss of this batch so far, 1 if this or an earlier loss was not finite]`.
    fn softmax_cross_entropy(
        &mut self,
        shape: &LossShape,
        weights: &Self::Buffer,
        logits: &Self::Buffer,
        labels: &Self::Labels,
        d_logits: &mut Self::Buffer,
        losses: &mut Self::Buffer,
    );

    /// Binary cross-entropy of several labels, the mean over all labels of the batch of each one's loss times the
    /// label's weight (`[pitch(labels)]`), where one that is missing has the loss 0; or, where a record has one of
    /// two classes, of the one logit of class 1, each loss times its class's weight (`[pitch(2)]`). Else as
    /// [`Backend::softmax_cross_entropy`].
    fn binary_cross_entropy(
        &mut self,
        shape: &LossShape,
        weights: &Self::Buffer,
        logits: &Self::Buffer,
        labels: &Self::Labels,
        d_logits: &mut Self::Buffer,
        losses: &mut Self::Buffer,
    );

    /// Scales gradients whose norm is over `most` down to it: PyTorch's `clip_grad_norm_`.
    fn clip(&mut self, gradients: &mut Self::Buffer, most: f32);

    /// `average += (1 - decay) (params - average)`.
    fn average(&mut self, decay: f32, params: &Self::Buffer, average: &mut Self::Buffer);

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
