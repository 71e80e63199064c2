//! The CPU backend: one thread, one shadow at a time, every buffer made once.

mod columns;
mod floats;
pub mod gemm;
mod loss;
mod math;
mod optimizer;
mod simd;

pub use floats::Floats;
pub use simd::{Isa, IsaLevel};

use crate::backend::{AdamWStep, Backend, LinearShape, SgdStep};
use crate::data::TrainingData;
use crate::error::TrainError;
use crate::layers::Activation;
use columns::ColumnSums;
use gemm::{Finish, Gemm, Matrix, Product, Start};

/// The backend of one CPU thread over a data set in memory.
pub struct Cpu<'d> {
    data: TrainingData<'d>,
    isa: Isa,
    gemm: Gemm,
}

impl<'d> Cpu<'d> {
    /// A backend that gathers from `data` and computes with `isa`.
    pub fn new(data: TrainingData<'d>, isa: Isa) -> Self {
        Self { data, isa, gemm: Gemm::new(isa) }
    }
}

/// The floats a row takes: whole vectors of 16, on every instruction set.
pub fn pitch(columns: usize) -> usize {
    columns.next_multiple_of(gemm::LANES)
}

impl Backend for Cpu<'_> {
    type Buffer = Floats;
    type Labels = Vec<u32>;

    fn lanes(&self) -> usize {
        1
    }

    fn pitch(&self, columns: usize) -> usize {
        pitch(columns)
    }

    fn alloc(&mut self, per_lane: usize) -> Result<Floats, TrainError> {
        let needed = (per_lane as u64).saturating_mul(size_of::<f32>() as u64);
        Floats::try_zeros(per_lane).ok_or(TrainError::Memory { needed })
    }

    fn alloc_labels(&mut self, per_lane: usize) -> Result<Vec<u32>, TrainError> {
        Ok(vec![0; per_lane])
    }

    fn write(&mut self, buffer: &mut Floats, _lane: usize, values: &[f32]) {
        buffer[..values.len()].copy_from_slice(values);
    }

    fn read(&mut self, buffer: &Floats, _lane: usize, values: &mut [f32]) {
        values.copy_from_slice(&buffer[..values.len()]);
    }

    fn gather(&mut self, rows: &[u32], inputs: &mut Floats, labels: &mut Vec<u32>) {
        let width = self.data.shape().features as usize;
        let batch = inputs.chunks_exact_mut(pitch(width)).zip(&mut labels[..rows.len()]);
        for (&row, (input, label)) in rows.iter().zip(batch) {
            input[..width].copy_from_slice(self.data.row(row as usize));
            *label = self.data.labels()[row as usize];
        }
    }

    fn linear_forward(
        &mut self,
        shape: &LinearShape,
        activation: Activation,
        params: &Floats,
        input: &Floats,
        output: &mut Floats,
    ) {
        let columns = pitch(shape.outputs);
        let product = Product {
            rows: shape.rows,
            columns: shape.outputs,
            depth: shape.inputs,
            left: Matrix::as_is(input, pitch(shape.inputs)),
            right: Matrix::as_is(&params[shape.weight..], columns),
            start: Start::Row(&params[shape.bias..][..columns]),
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
    ) {
        let columns = pitch(shape.outputs);
        let d_output = &d_output[..shape.rows * columns];
        let product = Product {
            rows: shape.inputs,
            columns: shape.outputs,
            depth: shape.rows,
            left: Matrix::transposed(input, pitch(shape.inputs)),
            right: Matrix::as_is(d_output, columns),
            start: Start::Zero,
            finish: Finish::Keep,
        };
        self.gemm.run(&product, &mut gradients[shape.weight..], columns);
        let sums = &mut gradients[shape.bias..][..columns];
        self.isa.run(ColumnSums { values: d_output, pitch: columns, sums });
    }

    fn linear_backward_data(
        &mut self,
        shape: &LinearShape,
        through: Activation,
        params: &Floats,
        input: &Floats,
        d_output: &Floats,
        d_input: &mut Floats,
    ) {
        let columns = pitch(shape.inputs);
        let product = Product {
            rows: shape.rows,
            columns: shape.inputs,
            depth: shape.outputs,
            left: Matrix::as_is(d_output, pitch(shape.outputs)),
            right: Matrix::transposed(&params[shape.weight..], pitch(shape.outputs)),
            start: Start::Zero,
            finish: match through {
                Activation::None => Finish::Keep,
                Activation::Relu => Finish::WherePositive { mask: input, pitch: columns },
            },
        };
        self.gemm.run(&product, d_input, columns);
    }

    fn softmax_cross_entropy(
        &mut self,
        rows: usize,
        classes: usize,
        logits: &Floats,
        labels: &Vec<u32>,
        d_logits: &mut Floats,
        losses: &mut Floats,
    ) {
        let pitch = pitch(classes);
        let loss = self.isa.run(loss::SoftmaxCrossEntropy { rows, classes, pitch, logits, labels, d_logits });
        losses[0] = loss;
        if !loss.is_finite() {
            losses[1] = 1.0;
        }
    }

    fn sgd(&mut self, step: &SgdStep, params: &mut Floats, gradients: &Floats, velocity: &mut Floats) {
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
        self.isa.run(optimizer::AdamW { step, params, gradients, first, second });
    }
}
