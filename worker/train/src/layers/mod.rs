//! A model as a list of layers: pure data that any engine can run.
//!
//! Each kind of layer has one file: its shape, parameters and cost, and its passes over a
//! [`Backend`]'s primitives.

mod linear;

pub use linear::Linear;

use umbra_core::shape::DataShape;
use umbra_core::spec::{Model, Optimizer, Training};

use crate::backend::{Backend, Backward};
use crate::params::Tensor;

/// What is applied to a layer's outputs, element by element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`, with derivative 0 at 0.
    Relu,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// A linear map with bias and activation.
    Linear(Linear),
}

impl Layer {
    /// Numbers per record that come in.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Linear(layer) => layer.inputs,
        }
    }

    /// Numbers per record that go out.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Linear(layer) => layer.outputs,
        }
    }

    /// The activation its outputs went through.
    pub fn activation(&self) -> Activation {
        match self {
            Self::Linear(layer) => layer.activation,
        }
    }

    /// Its parameters, in PyTorch's order.
    pub fn tensors(&self) -> Vec<Tensor> {
        match self {
            Self::Linear(layer) => layer.tensors(),
        }
    }

    /// Floating-point operations of one forward pass over one record; a multiply-add counts two.
    pub fn forward_flops(&self) -> u64 {
        match self {
            Self::Linear(layer) => layer.forward_flops(),
        }
    }

    /// Forward pass over the first `rows` records of `input`; parameters from `offsets` on.
    pub fn forward<B: Backend>(
        &self,
        backend: &mut B,
        offsets: &[usize],
        rows: usize,
        params: &B::Buffer,
        input: &B::Buffer,
        output: &mut B::Buffer,
    ) {
        match self {
            Self::Linear(layer) => layer.forward(backend, offsets, rows, params, input, output),
        }
    }

    /// Backward pass: parameter gradients, and the input's gradient where it is wanted.
    pub fn backward<B: Backend>(&self, backend: &mut B, offsets: &[usize], pass: Backward<'_, B::Buffer>) {
        match self {
            Self::Linear(layer) => layer.backward(backend, offsets, pass),
        }
    }
}

/// Records of one query at least, however small the training batch.
pub const QUERY_ROWS: usize = 128;

/// A model: layers from a record's features to its logits.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    layers: Vec<Layer>,
}

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Parameters of one shadow.
    pub parameters: u64,
    /// Floating-point operations of training on one record once (forward and backward; no gradient is
    /// computed for the features).
    pub train_flops: u64,
    /// Floating-point operations of one query.
    pub query_flops: u64,
    /// Bytes one shadow takes on its device while it trains: parameters, gradients, optimiser state,
    /// activations.
    pub bytes: u64,
    /// Bytes a slot takes beside it on the host: copies for start values and checkpoints.
    pub host_bytes: u64,
}

impl Network {
    /// The layers of `model` on data of `shape`.
    pub fn new(model: &Model, shape: &DataShape) -> Self {
        let mut inputs = shape.features as usize;
        let mut layers = Vec::new();
        for &width in model.widths() {
            let outputs = width as usize;
            layers.push(Layer::Linear(Linear { inputs, outputs, activation: Activation::Relu }));
            inputs = outputs;
        }
        let outputs = shape.classes as usize;
        layers.push(Layer::Linear(Linear { inputs, outputs, activation: Activation::None }));
        Self { layers }
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Features a record must have.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, Layer::inputs)
    }

    /// Logits per record.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Layer::outputs)
    }

    /// All parameters, in PyTorch's order.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor> {
        self.layers.iter().flat_map(Layer::tensors)
    }

    /// What one shadow costs under `training`, its rows padded by `pitch`.
    pub fn cost(&self, training: &Training, pitch: impl Fn(usize) -> usize) -> Cost {
        let parameters = self.tensors().map(|tensor| tensor.len() as u64).sum();
        let query_flops: u64 = self.layers.iter().map(Layer::forward_flops).sum();
        let first = self.layers.first().map_or(0, Layer::forward_flops);
        let copies = match training.optimizer() {
            Optimizer::Sgd { .. } => 3,
            Optimizer::AdamW { .. } => 4,
        };
        let layout = crate::params::ParamLayout::new(self.tensors(), &pitch);
        let widths = || self.layers.iter().map(|layer| pitch(layer.outputs()) as u64);
        // Activations of every layer, the batch, and two gradients of the widest layer.
        let row = widths().sum::<u64>() + pitch(self.inputs()) as u64;
        let batch = u64::from(training.batch());
        let activations = batch.max(QUERY_ROWS as u64) * row + batch * 2 * widths().max().unwrap_or(0);
        let floats = copies * layout.device_len() as u64 + activations;
        let host = (copies + 1) * layout.device_len() as u64;
        let train_flops = 3 * query_flops - first;
        Cost { parameters, train_flops, query_flops, bytes: 4 * floats, host_bytes: 4 * host }
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::spec::{AuditSpec, ModelDraft, SpecDraft, TrainingDraft};

    use super::*;

    #[test]
    fn the_cost_of_a_perceptron_is_that_counted_by_hand() {
        let draft = SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "mlp".into(), widths: vec![256, 256] },
            training: TrainingDraft {
                learning_rate: Some(0.1),
                batch: Some(256),
                epochs: Some(1),
                ..TrainingDraft::default()
            },
            ..SpecDraft::default()
        };
        let spec = AuditSpec::try_new(&draft).unwrap();
        let shape = DataShape::table(1, 1, 64, 2);
        let network = Network::new(spec.model(), &shape);
        assert_eq!((network.inputs(), network.outputs()), (64, 2));
        let cost = network.cost(spec.training(), |n| n);
        // 64 x 256 + 256 + 256 x 256 + 256 + 256 x 2 + 2.
        assert_eq!(cost.parameters, 82_946);
        assert_eq!(cost.query_flops, 2 * (64 * 256 + 256 * 256 + 256 * 2));
        assert_eq!(cost.train_flops, 2 * (2 * 64 * 256 + 3 * 256 * 256 + 3 * 256 * 2));
        assert_eq!(cost.bytes, 4 * (3 * 82_946 + 256 * (64 + 256 + 256 + 2 + 512)));
    }
}
