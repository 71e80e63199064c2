//! How much memory a slot must have at least, told from the recipe and the data's shape alone.

use crate::shape::{DataShape, Form};
use crate::spec::{AuditSpec, Model, Optimizer};

/// Bytes that one shadow takes on its device while it trains, from below: its parameters, their gradients,
/// what the optimiser keeps of each, and the values of all layers for a batch. What a device rounds up, and
/// the buffers of the backward pass, come on top. A pack needs no more: shadows for which there is no room
/// side by side train one after the other.
pub fn least_memory(spec: &AuditSpec, shape: &DataShape) -> u64 {
    let training = spec.training();
    let mut layers = Layers::over(shape);
    layers.add(spec.model(), u64::from(training.logits(shape)));
    let moments = match training.optimizer() {
        Optimizer::Sgd { .. } => 1,
        Optimizer::AdamW { .. } => 2,
    };
    let copies = 2 + moments + u64::from(training.ema().is_some());
    // A batch that is larger goes through the model in parts.
    let values = layers.numbers.saturating_mul(u64::from(training.batch())).min(1 << 28);
    layers.parameters.saturating_mul(copies).saturating_add(values).saturating_mul(4)
}

/// The latest value of a model under construction, and the sums so far.
struct Layers {
    height: u64,
    width: u64,
    channels: u64,
    parameters: u64,
    /// Of a record, in all values.
    numbers: u64,
}

impl Layers {
    fn over(shape: &DataShape) -> Self {
        let (height, width, channels) = match shape.form {
            Form::Table => (1, 1, shape.features),
            Form::Image { height, width, channels } => (height, width, channels),
            Form::Signal { samples, leads } => (1, samples, leads),
        };
        let (height, width, channels) = (u64::from(height), u64::from(width), u64::from(channels));
        Self { height, width, channels, parameters: 0, numbers: u64::from(shape.features) }
    }

    fn add(&mut self, model: &Model, outputs: u64) {
        match *model {
            Model::Logistic => {}
            Model::Mlp { ref widths } => widths.iter().for_each(|&width| self.linear(width.into())),
            Model::TabResnet { width, depth } => {
                self.linear(width.into());
                for _ in 0..depth {
                    self.norm();
                    self.linear(width.into());
                    self.linear(width.into());
                }
                self.norm();
            }
            Model::Cnn { width } => {
                for outputs in [u64::from(width), 2 * u64::from(width)] {
                    self.convolve(outputs, 9, 1);
                    self.parameters = self.parameters.saturating_add(outputs);
                    (self.height, self.width) = (self.height / 2, self.width / 2);
                    self.count();
                }
                self.linear(4 * u64::from(width));
            }
            Model::Wrn { depth, width } => self.wrn(depth.saturating_sub(4) / 6, width.into()),
            Model::Resnet1d { width, depth } => self.resnet1d(width.into(), depth),
        }
        self.linear(outputs);
    }

    fn wrn(&mut self, blocks: u32, width: u64) {
        self.convolve(16, 9, 1);
        for (stage, channels) in [16 * width, 32 * width, 64 * width].into_iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                self.norm();
                if stride > 1 || self.channels != channels {
                    self.parameters = self.parameters.saturating_add(self.channels * channels);
                }
                self.convolve(channels, 9, stride);
                self.norm();
                self.convolve(channels, 9, 1);
            }
        }
        self.norm();
        self.mean();
    }

    fn resnet1d(&mut self, width: u64, depth: u32) {
        self.convolve(width, 7, 1);
        self.norm();
        for block in 0..depth {
            self.convolve(width, 5, if block > 0 { 2 } else { 1 });
            self.norm();
            self.convolve(width, 3, 1);
            if block > 0 {
                self.parameters = self.parameters.saturating_add(width * width);
                self.norm();
            }
            self.norm();
        }
        self.mean();
    }

    /// The latest value is one more to keep.
    fn count(&mut self) {
        let numbers = self.height.saturating_mul(self.width).saturating_mul(self.channels);
        self.numbers = self.numbers.saturating_add(numbers);
    }

    fn linear(&mut self, outputs: u64) {
        let inputs = self.height.saturating_mul(self.width).saturating_mul(self.channels);
        let weights = inputs.saturating_mul(outputs).saturating_add(outputs);
        self.parameters = self.parameters.saturating_add(weights);
        (self.height, self.width, self.channels) = (1, 1, outputs);
        self.count();
    }

    /// Without bias, padded so that stride 1 keeps the size; signals have the height 1 before and after.
    fn convolve(&mut self, outputs: u64, taps: u64, stride: u64) {
        let weights = self.channels.saturating_mul(outputs).saturating_mul(taps);
        self.parameters = self.parameters.saturating_add(weights);
        (self.height, self.width) = (self.height.div_ceil(stride), self.width.div_ceil(stride));
        self.channels = outputs;
        self.count();
    }

    fn norm(&mut self) {
        self.parameters = self.parameters.saturating_add(2 * self.channels);
        self.count();
    }

    fn mean(&mut self) {
        (self.height, self.width) = (1, 1);
        self.count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ModelDraft, SpecDraft, TrainingDraft};

    fn least(model: ModelDraft, optimizer: &str, shape: &DataShape) -> u64 {
        let training = TrainingDraft {
            optimizer: Some(optimizer.into()),
            learning_rate: Some(0.1),
            batch: Some(256),
            epochs: Some(1),
            ..TrainingDraft::default()
        };
        let draft =
            SpecDraft { name: "a".into(), dataset: "d".into(), model, training, ..SpecDraft::default() };
        least_memory(&AuditSpec::try_new(&draft).unwrap(), shape)
    }

    #[test]
    fn the_memory_of_a_perceptron_is_that_counted_by_hand() {
        let model =
            ModelDraft { architecture: "mlp".into(), widths: vec![256, 256], ..ModelDraft::default() };
        let shape = DataShape::table(1, 1, 64, 2);
        // 64 x 256 + 256 + 256 x 256 + 256 + 256 x 2 + 2 parameters, 64 + 256 + 256 + 2 numbers a record.
        let of = |copies: u64| 4 * (copies * 82_946 + 256 * 578);
        assert_eq!(least(model.clone(), "sgd", &shape), of(3));
        assert_eq!(least(model, "adamw", &shape), of(4));
    }

    #[test]
    fn absurd_shapes_do_not_overflow() {
        let form = Form::Image { height: u32::MAX, width: u32::MAX, channels: u32::MAX };
        let shape = DataShape { form, ..DataShape::table(u64::MAX, 1, u32::MAX, u32::MAX) };
        let model = ModelDraft { architecture: "cnn".into(), width: Some(1024), ..ModelDraft::default() };
        assert!(least(model, "adamw", &shape) > 1 << 60);
    }
}
