//! What a model costs: operations and bytes.

use umbra_core::spec::{Optimizer, Training};

use super::{Gradients, Network};
use crate::backend::{Demands, Sizes};
use crate::layers::Layer;
use crate::params::ParamLayout;

/// Records of one query at least, however small the training batch.
pub const QUERY_ROWS: usize = 128;

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

/// The buffers of one lane, in floats unless said otherwise.
#[derive(Debug, Clone)]
pub struct Room {
    /// The records that go through the model together.
    pub rows: usize,
    /// Every value, per record.
    pub values: Vec<usize>,
    /// What every node keeps, per record.
    pub kept: Vec<usize>,
    /// The backward pass.
    pub gradients: Gradients,
    /// Where parameters lie.
    pub layout: ParamLayout,
    /// Where every node's parameters start.
    pub offsets: Vec<Vec<usize>>,
    /// How many moments the optimiser has of every parameter.
    pub moments: usize,
    /// Whether a moving average of the parameters is kept.
    pub average: bool,
    /// What a backend may want room of its own for.
    pub demands: Demands,
}

impl Room {
    /// The buffers to train `network` by `training` on a device.
    pub fn new(network: &Network, training: &Training, sizes: &impl Sizes) -> Self {
        let pitch = |columns: usize| sizes.pitch(columns);
        let layout = ParamLayout::new(network.tensors(), pitch);
        let values: Vec<usize> =
            (0..=network.nodes().len()).map(|value| network.extent(value).record(pitch)).collect();
        let kept: Vec<usize> = network
            .nodes()
            .iter()
            .map(|node| match node.layer.described().kept() {
                0 => 0,
                numbers => pitch(numbers),
            })
            .collect();
        let gradients = Gradients::plan(network, &pitch);
        let record = [&values, &kept, &gradients.buffers].into_iter().flatten().sum();
        let rows = sizes.rows_at_once(training.batch() as usize, record, layout.device_len());
        let mut offsets: Vec<Vec<usize>> = Vec::new();
        let mut tensor = 0;
        for node in network.nodes() {
            let end = tensor + node.layer.described().tensors().len();
            offsets.push((tensor..end).map(|index| layout.offset(index)).collect());
            tensor = end;
        }
        let mut demands = Demands {
            rows,
            varies: network.variation(training.augment()).is_some(),
            clips: training.clip_norm().is_some(),
            ..Demands::default()
        };
        for (node, offsets) in network.nodes().iter().zip(&offsets) {
            match &node.layer {
                Layer::Conv(conv) => demands.convolutions.push(conv.shape(offsets, rows)),
                Layer::GroupNorm(norm) => demands.norms.push(norm.shape(offsets, rows)),
                _ => {}
            }
        }
        let moments = match training.optimizer() {
            Optimizer::Sgd { .. } => 1,
            Optimizer::AdamW { .. } => 2,
        };
        Self {
            rows,
            values,
            kept,
            gradients,
            layout,
            offsets,
            moments,
            average: training.ema().is_some(),
            demands,
        }
    }

    /// Copies of all parameters in a checkpoint beside these themselves.
    pub fn state(&self) -> usize {
        self.moments + usize::from(self.average)
    }

    /// Bytes of one lane.
    pub fn bytes(&self, sizes: &impl Sizes) -> u64 {
        let record: usize = [&self.values, &self.kept, &self.gradients.buffers].into_iter().flatten().sum();
        let copies = 2 + self.state();
        let workspace = sizes.workspace(&self.demands);
        (size_of::<f32>() * (copies * self.layout.device_len() + self.rows * record + workspace)) as u64
    }
}

impl Network {
    /// What one shadow costs under `training` on a device.
    pub fn cost(&self, training: &Training, sizes: &impl Sizes) -> Cost {
        let flops = |node: &super::Node| node.layer.described().forward_flops();
        let query_flops: u64 = self.nodes().iter().map(flops).sum();
        // No gradient is computed for value 0.
        let first: u64 = self.nodes().iter().filter(|node| node.input == 0).map(flops).sum();
        let room = Room::new(self, training, sizes);
        let parameters = room.layout.host_len() as u64;
        let device = room.layout.device_len() as u64;
        let answers = (training.batch() as usize).max(QUERY_ROWS) * self.outputs();
        let host = parameters * (2 + room.state() as u64) + device + answers as u64;
        Cost {
            parameters,
            train_flops: 3 * query_flops - first,
            query_flops,
            bytes: room.bytes(sizes),
            host_bytes: 4 * host,
        }
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::shape::DataShape;
    use umbra_core::spec::{AuditSpec, ModelDraft, SpecDraft, TrainingDraft};

    use super::*;

    struct Unpadded;

    impl Sizes for Unpadded {
        fn pitch(&self, columns: usize) -> usize {
            columns
        }

        fn rows_at_once(&self, batch: usize, _record: usize, _parameters: usize) -> usize {
            batch
        }

        fn workspace(&self, _demands: &Demands) -> usize {
            0
        }
    }

    #[test]
    fn the_cost_of_a_perceptron_is_that_counted_by_hand() {
        let draft = SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "mlp".into(), widths: vec![256, 256], ..ModelDraft::default() },
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
        let network = Network::new(spec.model(), spec.training(), &shape).unwrap();
        assert_eq!((network.inputs(), network.outputs()), (64, 2));
        let cost = network.cost(spec.training(), &Unpadded);
        // 64 x 256 + 256 + 256 x 256 + 256 + 256 x 2 + 2.
        assert_eq!(cost.parameters, 82_946);
        assert_eq!(cost.query_flops, 2 * (64 * 256 + 256 * 256 + 256 * 2));
        assert_eq!(cost.train_flops, 2 * (2 * 64 * 256 + 3 * 256 * 256 + 3 * 256 * 2));
        assert_eq!(cost.bytes, 4 * (3 * 82_946 + 256 * (64 + 256 + 256 + 2 + 256 + 256)));
    }
}
