//! A model as a list of layers: pure data.
//!
//! Values are numbered: value 0 is the record, value i + 1 the output of node i. A node reads one value, as a
//! rule the one before it, and may add another before its activation: that is all a residual network needs.

mod architectures;
mod cost;
mod slots;

pub use cost::{Cost, QUERY_ROWS, Room};
pub use slots::{Gradients, Step};

use umbra_core::shape::{DataShape, Form, Targets};
use umbra_core::spec::{Augment, Model, Training};

use crate::augment::Variation;
use crate::error::TrainError;
use crate::layers::{Activation, Extent, Layer};
use crate::params::Tensor;

/// A layer and what it reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The layer.
    pub layer: Layer,
    /// The value it reads.
    pub input: usize,
    /// The value added before its activation.
    pub skip: Option<usize>,
}

/// What a model is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// One class of several: softmax cross-entropy.
    Softmax,
    /// Several labels that hold or do not, or one of two classes by a single logit: binary cross-entropy of each.
    Binary,
}

/// A model: from a record's numbers to its logits.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    shape: DataShape,
    loss: Loss,
    input: Extent,
    nodes: Vec<Node>,
}

impl Network {
    /// The layers of `model`, to be trained by `training` on data of `shape`.
    ///
    /// # Errors
    /// [`TrainError::Job`] where such data cannot be trained on so.
    pub fn new(model: &Model, training: &Training, shape: &DataShape) -> Result<Self, TrainError> {
        let input = match shape.form {
            Form::Table => Extent::flat(shape.features as usize),
            Form::Image { height, width, channels } => Extent {
                height: height as usize,
                width: width as usize,
                channels: channels as usize,
                dense: true,
            },
            Form::Signal { samples, leads } => {
                Extent { height: 1, width: samples as usize, channels: leads as usize, dense: true }
            }
        };
        if input.numbers() != shape.features as usize || input.numbers() == 0 {
            return Err(TrainError::Data(format!("{} features do not make up its form", shape.features)));
        }
        for checked in [model.check_shape(shape), training.check_shape(shape)] {
            checked.map_err(|wrong| TrainError::Job(wrong.to_string()))?;
        }
        let logits = training.logits(shape);
        let loss = match shape.targets {
            Targets::Class if logits > 1 => Loss::Softmax,
            Targets::Class | Targets::Labels => Loss::Binary,
        };
        let mut network = Self { shape: *shape, loss, input, nodes: Vec::new() };
        architectures::build(&mut network, model, training.dropout() as f32, logits as usize);
        Ok(network)
    }

    /// Adds a layer that reads the latest value, and answers the new one.
    fn push(&mut self, layer: impl FnOnce(Extent) -> Layer) -> usize {
        let latest = self.nodes.len();
        self.push_from(latest, None, layer)
    }

    /// Adds a layer that reads value `input` and adds value `skip`, and answers the new one.
    fn push_from(&mut self, input: usize, skip: Option<usize>, layer: impl FnOnce(Extent) -> Layer) -> usize {
        let layer = layer(self.extent(input));
        self.nodes.push(Node { layer, input, skip });
        self.nodes.len()
    }

    /// The variations of its records.
    pub(crate) fn variation(&self, recipe: Augment) -> Option<Variation> {
        Variation::new(recipe, &self.shape)
    }

    /// Whether its records are signals over time.
    pub fn is_over_time(&self) -> bool {
        matches!(self.shape.form, Form::Signal { .. })
    }

    /// What it is trained on.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Classes, or labels a record, each of which has a factor of the loss.
    pub fn classes(&self) -> usize {
        self.shape.classes as usize
    }

    /// The nodes, first to last.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How value `value` lies.
    pub fn extent(&self, value: usize) -> Extent {
        match value.checked_sub(1) {
            None => self.input,
            Some(node) => self.nodes[node].layer.described().output(),
        }
    }

    /// The activation that made value `value`.
    pub fn activation(&self, value: usize) -> Activation {
        value.checked_sub(1).map_or(Activation::None, |node| self.nodes[node].layer.described().activation())
    }

    /// Numbers a record must have.
    pub fn inputs(&self) -> usize {
        self.input.numbers()
    }

    /// Logits per record.
    pub fn outputs(&self) -> usize {
        self.extent(self.nodes.len()).numbers()
    }

    /// All parameters, in PyTorch's order.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor> {
        self.nodes.iter().flat_map(|node| node.layer.described().tensors())
    }
}
