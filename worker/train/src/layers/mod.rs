//! The kinds of layers: pure data that any engine can run.
//!
//! Each kind has one file: its shape, parameters and cost, and its passes over a [`Backend`]'s primitives.

mod conv;
mod dropout;
mod extent;
mod group_norm;
mod linear;
mod max_pool;
mod mean_pool;

pub use conv::Conv;
pub use dropout::Dropout;
pub use extent::Extent;
pub use group_norm::GroupNorm;
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use mean_pool::MeanPool;

use crate::backend::Backend;
use crate::dropout::Masks;
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
    /// A convolution.
    Conv(Conv),
    /// Group normalisation with activation.
    GroupNorm(GroupNorm),
    /// The maximum of 2 x 2 pixels.
    MaxPool(MaxPool),
    /// The mean of all pixels.
    MeanPool(MeanPool),
    /// Numbers left out at random.
    Dropout(Dropout),
}

/// What can be said of a layer without running it.
pub trait Described {
    /// How its input lies.
    fn input(&self) -> Extent;

    /// How its output lies.
    fn output(&self) -> Extent;

    /// The activation its outputs went through.
    fn activation(&self) -> Activation {
        Activation::None
    }

    /// Its parameters, in PyTorch's order.
    fn tensors(&self) -> Vec<Tensor> {
        Vec::new()
    }

    /// Floating-point operations of one forward pass over one record; a multiply-add counts two, and only
    /// products count.
    fn forward_flops(&self) -> u64 {
        0
    }

    /// Numbers per record that the forward pass keeps for the backward pass, beside its output.
    fn kept(&self) -> usize {
        0
    }
}

/// What a layer's forward pass reads and writes.
#[derive(Debug)]
pub struct Forward<'a, Buffer> {
    /// Records.
    pub rows: usize,
    /// Where the layer's parameters start.
    pub offsets: &'a [usize],
    /// All parameters.
    pub params: &'a Buffer,
    /// The layer's input.
    pub input: &'a Buffer,
    /// What is added before the activation, laid out like the output.
    pub skip: Option<&'a Buffer>,
    /// What dropout draws from; none where it leaves nothing out.
    pub masks: Option<Masks<'a>>,
    /// What the backward pass will want.
    pub kept: &'a mut Buffer,
    /// Where the output goes.
    pub output: &'a mut Buffer,
}

/// What a layer's backward pass reads and writes.
#[derive(Debug)]
pub struct Backward<'a, Buffer> {
    /// Records.
    pub rows: usize,
    /// Where the layer's parameters start.
    pub offsets: &'a [usize],
    /// All parameters.
    pub params: &'a Buffer,
    /// The layer's input.
    pub input: &'a Buffer,
    /// The layer's output.
    pub output: &'a Buffer,
    /// What dropout drew from.
    pub masks: Option<Masks<'a>>,
    /// What the forward pass kept.
    pub kept: &'a Buffer,
    /// The gradient of the layer's sums, before its own activation.
    pub d_output: &'a Buffer,
    /// All parameters' gradients; the layer writes its own.
    pub gradients: &'a mut Buffer,
    /// Whether parameter gradients are added to what is there.
    pub add: bool,
    /// Where the gradient of the input goes; none for the first layer.
    pub d_input: Option<&'a mut Buffer>,
    /// The activation that made `input`, which `d_input` is taken back through, and whether it is added to what
    /// is there.
    pub into: InputGradient,
}

/// How an input's gradient is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputGradient {
    /// The activation that made the input: its derivative is a factor.
    pub through: Activation,
    /// Whether the gradient is added to what is there, before that factor.
    pub add: bool,
}

impl Layer {
    /// What can be said of it without running it.
    pub fn described(&self) -> &dyn Described {
        match self {
            Self::Linear(layer) => layer,
            Self::Conv(layer) => layer,
            Self::GroupNorm(layer) => layer,
            Self::MaxPool(layer) => layer,
            Self::MeanPool(layer) => layer,
            Self::Dropout(layer) => layer,
        }
    }

    /// Forward pass over the first `pass.rows` records.
    pub fn forward<B: Backend>(&self, backend: &mut B, pass: Forward<'_, B::Buffer>) {
        match self {
            Self::Linear(layer) => layer.forward(backend, pass),
            Self::Conv(layer) => layer.forward(backend, pass),
            Self::GroupNorm(layer) => layer.forward(backend, pass),
            Self::MaxPool(layer) => layer.forward(backend, pass),
            Self::MeanPool(layer) => layer.forward(backend, pass),
            Self::Dropout(layer) => layer.forward(backend, pass),
        }
    }

    /// Backward pass: parameter gradients, and the input's gradient where it is wanted.
    pub fn backward<B: Backend>(&self, backend: &mut B, pass: Backward<'_, B::Buffer>) {
        match self {
            Self::Linear(layer) => layer.backward(backend, pass),
            Self::Conv(layer) => layer.backward(backend, pass),
            Self::GroupNorm(layer) => layer.backward(backend, pass),
            Self::MaxPool(layer) => layer.backward(backend, pass),
            Self::MeanPool(layer) => layer.backward(backend, pass),
            Self::Dropout(layer) => layer.backward(backend, pass),
        }
    }
}
