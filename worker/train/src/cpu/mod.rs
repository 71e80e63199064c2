//! The CPU backend: one thread, one shadow at a time, every buffer made once.

mod columns;
mod conv;
mod dropout;
mod floats;
pub mod gemm;
mod labels;
mod loss;
mod norm;
mod optimizer;
mod pool;
pub(crate) mod simd;
mod sizes;

pub use floats::Floats;
pub use labels::BatchLabels;
pub use simd::{Isa, IsaLevel};
pub use sizes::CpuSizes;

use crate::backend::{
    AdamWStep, Backend, ConvShape, Demands, DropoutShape, LinearShape, LossPart, LossShape, NormShape, Rows,
    SgdStep, Varied,
};
use crate::data::TrainingData;
use crate::dropout::Masks;
use crate::error::TrainError;
use crate::layers::{Activation, Extent, InputGradient};
use columns::ColumnSums;
use conv::Convolutions;
use gemm::{Finish, Gemm, Matrix, Product, Start};

/// The backend of one CPU thread over a data set in memory.
pub struct Cpu<'d> {
    data: TrainingData<'d>,
    isa: Isa,
    gemm: Gemm,
    convolutions: Convolutions,
    norms: norm::Scratch,
    dropouts: dropout::Scratch,
    /// A record.
    scratch: Vec<f32>,
    /// Counts the changes of buffers, so that what was made from parameters is known to be old.
    version: u64,
}

impl<'d> Cpu<'d> {
    /// A backend that gathers from `data` and computes with `isa`.
    pub fn new(data: TrainingData<'d>, isa: Isa) -> Self {
        let (gemm, convolutions) = (Gemm::new(isa), Convolutions::new(isa));
        Self {
            data,
            isa,
            gemm,
            convolutions,
            norms: norm::Scratch::default(),
            dropouts: dropout::Scratch::default(),
            scratch: Vec::new(),
            version: 0,
        }
    }
}

/// Adds a part's loss to the batch's, and notes for good whether it is finite.
fn note_loss(losses: &mut Floats, loss: f32, first: bool) {
    losses[0] = if first { loss } else { losses[0] + loss };
    if !loss.is_finite() {
        losses[1] = 1.0;
    }
}

/// The floats a row takes: whole vectors of 16, on every instruction set.
pub fn pitch(columns: usize) -> usize {
    columns.next_multiple_of(gemm::LANES)
}

impl Backend for Cpu<'_> {
    type Buffer = Floats;
    type Labels = BatchLabels;

    fn lanes(&self) -> usize {
        1
    }

    fn alloc(&mut self, per_lane: usize) -> Result<Floats, TrainError> {
        let needed = (per_lane as u64).saturating_mul(size_of::<f32>() as u64);
        Floats::try_zeros(per_lane).ok_or(TrainError::Memory { needed })
    }

    fn alloc_labels(&mut self, per_lane: usize) -> Result<BatchLabels, TrainError> {
        Ok(BatchLabels::new(self.data.labels(), per_lane))
    }

    fn prepare(&mut self, demands: &Demands) -> Result<(), TrainError> {
        self.convolutions.prepare(&demands.convolutions)
    }

    fn write(&mut self, buffer: &mut Floats, _lane: usize, values: &[f32]) {
        self.version += 1;
        buffer[..values.len()].copy_from_slice(values);
    }

    fn read(&mut self, buffer: &Floats, _lane: usize, values: &mut [f32]) {
        values.copy_from_slice(&buffer[..values.len()]);
    }

    fn gather(&mut self, rows: Rows<'_>, inputs: &mut Floats, labels: &mut BatchLabels) {
        let width = self.data.shape().features as usize;
        let (varied, from) = (rows.varied, rows.from as u32);
        let rows = rows.of(0);
        self.data.gather(rows, pitch(width), inputs);
        if let Some(Varied { variation, keys, place }) = varied {
            // Grows once.
            self.scratch.resize(width, 0.0);
            for (input, place) in inputs.chunks_exact_mut(pitch(width)).take(rows.len()).zip(place + from..) {
                variation.apply(keys[0], place, &mut input[..width], &mut self.scratch);
            }
        }
        labels.gather(self.data.labels(), rows);
    }

    fn linear_forward(
        &mut self,
        shape: &LinearShape,
        activation: Activation,
        params: &Floats,
        input: &Floats,
        skip: Option<&Floats>,
        output: &mut Floats,
    ) {
        let columns = pitch(shape.outputs);
        let bias = &params[shape.bias..][..columns];
        let product = Product {
            rows: shape.rows,
            columns: shape.outputs,
            depth: shape.inputs(pitch),
            left: Matrix::as_is(input, shape.input.record(pitch)),
            right: Matrix::as_is(&params[shape.weight..], columns),
            start: skip.map_or(Start::Row(bias), |skip| Start::Sum(bias, skip)),
            finish: match activation {
                Activation::None => Finish::Keep,
                Activation::Relu => Finish::Relu,
            },
        };
        self.gemm.run(&product, output, columns);
    }

    fn linear_backward_weight(
        &mut self,
        shape: &LinearShape,
        input: &Floats,
        d_output: &Floats,
        gradients: &mut Floats,
        add: bool,
    ) {
        let columns = pitch(shape.outputs);
        let d_output = &d_output[..shape.rows * columns];
        let product = Product {
            rows: shape.inputs(pitch),
            columns: shape.outputs,
            depth: shape.rows,
            left: Matrix::transposed(input, shape.input.record(pitch)),
            right: Matrix::as_is(d_output, columns),
            start: if add { Start::Output } else { Start::Zero },
            finish: Finish::Keep,
        };
        self.gemm.run(&product, &mut gradients[shape.weight..], columns);
        let sums = &mut gradients[shape.bias..][..columns];
        self.isa.run(ColumnSums { values: d_output, pitch: columns, add, sums });
    }

    fn linear_backward_data(
        &mut self,
        shape: &LinearShape,
        into: InputGradient,
        params: &Floats,
        input: &Floats,
        d_output: &Floats,
        d_input: &mut Floats,
    ) {
        let (columns, inputs) = (shape.input.record(pitch), shape.inputs(pitch));
        let product = Product {
            rows: shape.rows,
            columns: inputs,
            depth: shape.outputs,
            left: Matrix::as_is(d_output, pitch(shape.outputs)),
            right: Matrix::transposed(&params[shape.weight..], pitch(shape.outputs)),
            start: if into.add { Start::Output } else { Start::Zero },
            finish: match into.through {
                Activation::None => Finish::Keep,
                Activation::Relu => Finish::WherePositive { mask: input, pitch: columns },
            },
        };
        self.gemm.run(&product, d_input, columns);
    }

    fn conv_forward(
        &mut self,
        shape: &ConvShape,
        activation: Activation,
        params: &Floats,
        input: &Floats,
        skip: Option<&Floats>,
        output: &mut Floats,
    ) {
        let skip = skip.map(|skip| &**skip);
        self.convolutions.forward(shape, activation, (params, self.version), input, skip, output);
    }

    fn conv_backward_weight(
        &mut self,
        shape: &ConvShape,
        input: &Floats,
        d_output: &Floats,
        gradients: &mut Floats,
        add: bool,
    ) {
        self.convolutions.backward_weight(shape, input, d_output, gradients, add);
    }

    fn conv_backward_data(
        &mut self,
        shape: &ConvShape,
        into: InputGradient,
        params: &Floats,
        input: &Floats,
        d_output: &Floats,
        d_input: &mut Floats,
    ) {
        self.convolutions.backward_data(shape, into, (params, self.version), input, d_output, d_input);
    }

    fn group_norm_forward(
        &mut self,
        shape: &NormShape,
        activation: Activation,
        params: &Floats,
        input: &Floats,
        skip: Option<&Floats>,
        kept: &mut Floats,
        output: &mut Floats,
    ) {
        let skip = skip.map(|skip| &**skip);
        let scratch = &mut self.norms;
        self.isa.run(norm::Forward { shape, activation, params, input, skip, kept, output, scratch });
    }

    fn group_norm_backward(
        &mut self,
        shape: &NormShape,
        params: &Floats,
        input: &Floats,
        kept: &Floats,
        d_output: &Floats,
        gradients: &mut Floats,
        add: bool,
        d_input: Option<(InputGradient, &mut Floats)>,
    ) {
        let d_input = d_input.map(|(into, d_input)| (into, &mut **d_input));
        let scratch = &mut self.norms;
        let sums = norm::Backward { shape, params, input, kept, d_output, gradients, add, d_input, scratch };
        self.isa.run(sums);
    }

    fn max_pool_forward(&mut self, rows: usize, extent: &Extent, input: &Floats, output: &mut Floats) {
        self.isa.run(pool::MaxForward { rows, extent, input, output });
    }

    fn max_pool_backward(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Floats,
        d_output: &Floats,
        d_input: &mut Floats,
    ) {
        self.isa.run(pool::MaxBackward { rows, extent, into, input, d_output, d_input });
    }

    fn mean_pool_forward(&mut self, rows: usize, extent: &Extent, input: &Floats, output: &mut Floats) {
        self.isa.run(pool::MeanForward { rows, extent, input, output });
    }

    fn mean_pool_backward(
        &mut self,
        rows: usize,
        extent: &Extent,
        into: InputGradient,
        input: &Floats,
        d_output: &Floats,
        d_input: &mut Floats,
    ) {
        self.isa.run(pool::MeanBackward { rows, extent, into, input, d_output, d_input });
    }

    fn dropout_forward(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        input: &Floats,
        output: &mut Floats,
    ) {
        let len = shape.rows * shape.extent.record(pitch);
        match masks {
            None => output[..len].copy_from_slice(&input[..len]),
            Some(masks) => {
                let scratch = &mut self.dropouts;
                self.isa.run(dropout::Forward { shape, masks, input, output, scratch });
            }
        }
    }

    fn dropout_backward(
        &mut self,
        shape: &DropoutShape,
        masks: Option<Masks<'_>>,
        into: InputGradient,
        input: &Floats,
        d_output: &Floats,
        d_input: &mut Floats,
    ) {
        // Nothing is left out at a rate of 0.
        let shape = &DropoutShape { rate: if masks.is_some() { shape.rate } else { 0.0 }, ..*shape };
        let masks = masks.unwrap_or(Masks { keys: &[[0; 2]], place: 0 });
        let scratch = &mut self.dropouts;
        self.isa.run(dropout::Backward { shape, masks, into, input, d_output, d_input, scratch });
    }

    fn softmax_cross_entropy(
        &mut self,
        shape: &LossShape,
        weights: &Floats,
        logits: &Floats,
        labels: &BatchLabels,
        d_logits: &mut Floats,
        losses: &mut Floats,
    ) {
        let LossShape { part: LossPart { rows, of, first }, logits: classes, smoothing } = *shape;
        let (pitch, labels) = (pitch(classes), &labels.classes[..]);
        let entropy = loss::SoftmaxCrossEntropy {
            rows,
            of,
            classes,
            smoothing,
            pitch,
            weights,
            logits,
            labels,
            d_logits,
        };
        note_loss(losses, self.isa.run(entropy), first);
    }

    fn binary_cross_entropy(
        &mut self,
        shape: &LossShape,
        weights: &Floats,
        logits: &Floats,
        labels: &BatchLabels,
        d_logits: &mut Floats,
        losses: &mut Floats,
    ) {
        let LossShape { part: LossPart { rows, of, first }, logits: count, smoothing } = *shape;
        let pitch = pitch(count);
        let loss = if labels.several.is_empty() {
            let labels = &labels.classes[..];
            self.isa.run(loss::OneLogit { rows, of, smoothing, pitch, weights, logits, labels, d_logits })
        } else {
            let labels = &labels.several[..];
            let entropy = loss::BinaryCrossEntropy {
                rows,
                of,
                count,
                smoothing,
                pitch,
                weights,
                logits,
                labels,
                d_logits,
            };
            self.isa.run(entropy)
        };
        note_loss(losses, loss, first);
    }

    fn clip(&mut self, gradients: &mut Floats, most: f32) {
        self.isa.run(optimizer::Clip { gradients, most });
    }

    fn average(&mut self, decay: f32, params: &Floats, average: &mut Floats) {
        self.version += 1;
        self.isa.run(optimizer::Average { decay, params, average });
    }

    fn sgd(&mut self, step: &SgdStep, params: &mut Floats, gradients: &Floats, velocity: &mut Floats) {
        self.version += 1;
        self.isa.run(optimizer::Sgd { step, params, gradients, velocity });
    }

    fn adamw(
        &mut self,
        step: &AdamWStep,
        params: &mut Floats,
        gradients: &Floats,
        first: &mut Floats,
        second: &mut Floats,
    ) {
        self.version += 1;
        self.isa.run(optimizer::AdamW { step, params, gradients, first, second });
    }
}
