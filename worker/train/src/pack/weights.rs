//! A shadow's weights in a file that describes itself: safetensors, with the list of layers in its metadata.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensorError, serialize, tensor::TensorView};
use serde_json::{Value, json};

use crate::layers::{Activation, Layer};
use crate::network::{Network, Node};

/// The version of what the metadata says.
const VERSION: u32 = 1;

/// The weights with which a shadow answered: its moving average where the recipe keeps one.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    pub(super) shadow: u32,
    /// In PyTorch's order and shapes.
    pub(super) values: Vec<f32>,
}

impl Weights {
    /// The shadow.
    pub fn shadow(&self) -> u32 {
        self.shadow
    }

    /// As a safetensors file: the same bytes for the same weights.
    ///
    /// Tensors are `K.weight` and `K.bias`, in PyTorch's shapes, K counting the layers that have parameters from 0.
    /// The metadata has one entry, `umbra`, a JSON object: `version`, `shadow`, `form` of a record, and `layers`,
    /// the whole network as a list; each layer reads value `input` (0 is the record, i + 1 what layer i gives) and may
    /// add value `skip` before `relu`.
    ///
    /// # Errors
    /// [`SafeTensorError`] where the sizes exceed what the format holds.
    pub fn encode(&self, network: &Network) -> Result<Vec<u8>, SafeTensorError> {
        let over_time = network.is_over_time();
        let (mut tensors, mut layers, mut rest) = (Vec::new(), Vec::new(), &self.values[..]);
        let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut numbered = 0;
        for node in network.nodes() {
            let mut layer = describe(node, over_time);
            let shapes = shapes(&node.layer, over_time);
            let number = numbered;
            if !shapes.is_empty() {
                layer["parameters"] = json!(number.to_string());
                numbered += 1;
            }
            for (name, shape) in shapes {
                let start = (self.values.len() - rest.len()) * size_of::<f32>();
                let length = shape.iter().product::<usize>();
                rest = &rest[length..];
                let data = &bytes[start..start + length * size_of::<f32>()];
                tensors.push((format!("{number}.{name}"), TensorView::new(Dtype::F32, shape, data)?));
            }
            layers.push(layer);
        }
        let form = network.extent(0);
        let form = [form.height, form.width, form.channels];
        let about = json!({ "version": VERSION, "shadow": self.shadow, "form": form, "layers": layers });
        serialize(tensors, Some(HashMap::from([("umbra".to_owned(), about.to_string())])))
    }
}

/// The shapes of a layer's tensors, by PyTorch's names for them.
fn shapes(layer: &Layer, over_time: bool) -> Vec<(&'static str, Vec<usize>)> {
    match layer {
        Layer::Linear(layer) => {
            vec![("weight", vec![layer.outputs, layer.input.numbers()]), ("bias", vec![layer.outputs])]
        }
        Layer::Conv(layer) => {
            let (height, width) = layer.kernel;
            let mut shape = vec![layer.outputs, layer.input.channels];
            shape.extend(if over_time { vec![width] } else { vec![height, width] });
            let mut shapes = vec![("weight", shape)];
            shapes.extend(layer.bias.then(|| ("bias", vec![layer.outputs])));
            shapes
        }
        Layer::GroupNorm(layer) => {
            vec![("weight", vec![layer.input.channels]), ("bias", vec![layer.input.channels])]
        }
        Layer::Dropout(_) | Layer::MaxPool(_) | Layer::MeanPool(_) => Vec::new(),
    }
}

fn describe(node: &Node, over_time: bool) -> Value {
    let along = |(height, width): (usize, usize)| {
        if over_time { json!([width]) } else { json!([height, width]) }
    };
    let mut about = match &node.layer {
        Layer::Linear(_) => json!({ "kind": "linear" }),
        Layer::Conv(layer) => {
            json!({ "kind": "conv", "stride": along(layer.stride), "padding": along(layer.padding) })
        }
        Layer::GroupNorm(layer) => json!({ "kind": "group-norm", "groups": layer.groups }),
        Layer::MaxPool(_) => json!({ "kind": "max-pool" }),
        Layer::MeanPool(_) => json!({ "kind": "mean-pool" }),
        Layer::Dropout(layer) => json!({ "kind": "dropout", "rate": layer.rate }),
    };
    about["input"] = json!(node.input);
    about["skip"] = json!(node.skip);
    about["relu"] = json!(node.layer.described().activation() == Activation::Relu);
    about
}
