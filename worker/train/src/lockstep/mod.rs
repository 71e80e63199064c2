//! The default engine: explicit forward and backward passes over a backend's primitives. Every buffer is
//! made once; no step allocates.

use umbra_core::seed::Seed;
use umbra_core::spec::{Optimizer, Training};

use crate::backend::{AdamWStep, Backend, Backward, SgdStep};
use crate::engine::Engine;
use crate::error::TrainError;
use crate::layers::{Activation, Layer, Network, QUERY_ROWS};
use crate::params::ParamLayout;
use crate::schedule::LearningRate;

/// The lockstep engine on backend `B`.
pub struct Lockstep<B: Backend> {
    backend: B,
    network: Network,
    layout: ParamLayout,
    /// Parameter offsets of every layer.
    offsets: Vec<Vec<usize>>,
    optimizer: Optimizer,
    rate: LearningRate,
    decay: f64,
    params: B::Buffer,
    gradients: B::Buffer,
    /// Velocity, or the first and second moment.
    moments: Vec<B::Buffer>,
    /// The batch, then every layer's output.
    activations: Vec<B::Buffer>,
    /// The gradients of two neighbouring layers, taking turns.
    deltas: [B::Buffer; 2],
    labels: B::Labels,
    losses: B::Buffer,
    batch: usize,
    rows: Vec<u32>,
    host: Vec<f32>,
    device: Vec<f32>,
}

impl<B: Backend> Lockstep<B> {
    /// An engine that trains `network` by `training` in `steps` steps.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the device cannot hold it.
    pub fn new(
        mut backend: B,
        network: Network,
        training: &Training,
        steps: u64,
    ) -> Result<Self, TrainError> {
        let layout = ParamLayout::new(network.tensors(), |columns| backend.pitch(columns));
        let mut offsets = Vec::new();
        let mut tensor = 0;
        for layer in network.layers() {
            let end = tensor + layer.tensors().len();
            offsets.push((tensor..end).map(|index| layout.offset(index)).collect());
            tensor = end;
        }
        let moments = match training.optimizer() {
            Optimizer::Sgd { .. } => 1,
            Optimizer::AdamW { .. } => 2,
        };
        let batch = training.batch() as usize;
        let capacity = batch.max(QUERY_ROWS);
        let size = layout.device_len();
        let widths = std::iter::once(network.inputs()).chain(network.layers().iter().map(Layer::outputs));
        let widths: Vec<usize> = widths.map(|width| backend.pitch(width)).collect();
        let widest = widths[1..].iter().copied().max().unwrap_or(0);
        let mut alloc = |per_lane| backend.alloc(per_lane);
        Ok(Self {
            params: alloc(size)?,
            gradients: alloc(size)?,
            moments: (0..moments).map(|_| alloc(size)).collect::<Result<_, _>>()?,
            activations: widths.iter().map(|width| alloc(capacity * width)).collect::<Result<_, _>>()?,
            deltas: [alloc(batch * widest)?, alloc(batch * widest)?],
            losses: alloc(2)?,
            labels: backend.alloc_labels(capacity)?,
            rows: Vec::with_capacity(capacity * backend.lanes()),
            host: vec![0.0; layout.host_len()],
            device: vec![0.0; size.max(capacity * widths.last().copied().unwrap_or(0))],
            optimizer: training.optimizer(),
            rate: LearningRate::new(training, steps),
            decay: training.weight_decay(),
            backend,
            network,
            layout,
            offsets,
            batch,
        })
    }

    /// Sets one lane's parameters, in PyTorch's order, and rests its optimiser.
    pub fn set_parameters(&mut self, lane: usize, values: &[f32]) {
        let size = self.layout.device_len();
        self.layout.import(values, &mut self.device[..size]);
        self.backend.write(&mut self.params, lane, &self.device[..size]);
        self.device.fill(0.0);
        for moment in &mut self.moments {
            self.backend.write(moment, lane, &self.device[..size]);
        }
        self.backend.write(&mut self.losses, lane, &[0.0, 0.0]);
    }

    /// Computes gradients on the records `rows` (`[lanes][batch]`) without taking a step.
    pub fn differentiate(&mut self, rows: &[u32]) {
        let count = rows.len() / self.backend.lanes();
        assert!(count > 0 && count <= self.batch, "a batch of {count} where {} fit", self.batch);
        self.forward(rows);
        let layers = self.network.layers();
        let [mut d_output, mut d_input] = self.deltas.each_mut();
        let classes = self.network.outputs();
        let logits = &self.activations[layers.len()];
        self.backend.softmax_cross_entropy(count, classes, logits, &self.labels, d_output, &mut self.losses);
        for (index, layer) in layers.iter().enumerate().rev() {
            let pass = Backward {
                rows: count,
                params: &self.params,
                input: &self.activations[index],
                d_output: &*d_output,
                gradients: &mut self.gradients,
                d_input: (index > 0).then_some(&mut *d_input),
                through: if index > 0 { layers[index - 1].activation() } else { Activation::None },
            };
            layer.backward(&mut self.backend, &self.offsets[index], pass);
            std::mem::swap(&mut d_output, &mut d_input);
        }
    }

    /// One lane's gradients, in PyTorch's order: `[parameters]`.
    pub fn gradients(&mut self, lane: usize, into: &mut [f32]) {
        let size = self.layout.device_len();
        self.backend.read(&self.gradients, lane, &mut self.device[..size]);
        self.layout.export(&self.device[..size], into);
    }

    fn forward(&mut self, rows: &[u32]) {
        let count = rows.len() / self.backend.lanes();
        self.backend.gather(rows, &mut self.activations[0], &mut self.labels);
        for (index, layer) in self.network.layers().iter().enumerate() {
            let (before, after) = self.activations.split_at_mut(index + 1);
            let (input, output) = (&before[index], &mut after[0]);
            layer.forward(&mut self.backend, &self.offsets[index], count, &self.params, input, output);
        }
    }

    fn update(&mut self, step: u64) {
        let rate = self.rate.at(step);
        match (self.optimizer, &mut self.moments[..]) {
            (Optimizer::Sgd { momentum, nesterov }, [velocity]) => {
                let (momentum, decay) = (momentum as f32, self.decay as f32);
                let step = SgdStep { rate: rate as f32, momentum, decay, nesterov };
                self.backend.sgd(&step, &mut self.params, &self.gradients, velocity);
            }
            (Optimizer::AdamW { beta1, beta2, epsilon }, [first, second]) => {
                let count = (step + 1) as f64;
                let step = AdamWStep {
                    shrink: (1.0 - rate * self.decay) as f32,
                    first: (1.0 - beta1) as f32,
                    second: beta2 as f32,
                    second_rest: (1.0 - beta2) as f32,
                    size: (rate / (1.0 - libm::pow(beta1, count))) as f32,
                    root: (1.0 - libm::pow(beta2, count)).sqrt() as f32,
                    epsilon: epsilon as f32,
                };
                self.backend.adamw(&step, &mut self.params, &self.gradients, first, second);
            }
            _ => unreachable!("every optimiser's moments were made in `new`"),
        }
    }

    fn loss_state(&mut self, lane: usize) -> [f32; 2] {
        let mut state = [0.0; 2];
        self.backend.read(&self.losses, lane, &mut state);
        state
    }
}

impl<B: Backend> Engine for Lockstep<B> {
    fn lanes(&self) -> usize {
        self.backend.lanes()
    }

    fn parameters(&self) -> usize {
        self.layout.host_len()
    }

    fn start(&mut self, lane: usize, seed: &Seed, shadow: u32, attempt: u32) {
        let mut host = std::mem::take(&mut self.host);
        self.layout.init(seed, shadow, attempt, &mut host);
        self.set_parameters(lane, &host);
        self.host = host;
    }

    fn train(&mut self, step: u64, rows: &[u32]) {
        self.differentiate(rows);
        self.update(step);
    }

    fn loss(&mut self, lane: usize) -> f32 {
        self.loss_state(lane)[0]
    }

    fn diverged(&mut self, lane: usize) -> bool {
        self.loss_state(lane)[1] != 0.0
    }

    fn query_rows(&self) -> usize {
        self.batch.max(QUERY_ROWS)
    }

    fn query(&mut self, first: u32, count: usize) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        for _ in 0..self.backend.lanes() {
            rows.extend((0..count as u32).map(|row| first + row));
        }
        self.forward(&rows);
        self.rows = rows;
    }

    fn logits(&mut self, lane: usize, into: &mut [f32]) {
        let classes = self.network.outputs();
        let pitch = self.backend.pitch(classes);
        let rows = into.len() / classes;
        let logits = &self.activations[self.network.layers().len()];
        self.backend.read(logits, lane, &mut self.device[..rows * pitch]);
        for (row, into) in into.chunks_exact_mut(classes).enumerate() {
            into.copy_from_slice(&self.device[row * pitch..][..classes]);
        }
    }

    fn state_len(&self) -> usize {
        self.layout.host_len() * (1 + self.moments.len())
    }

    fn save(&mut self, lane: usize, into: &mut [f32]) {
        let size = self.layout.device_len();
        let parts = into.chunks_exact_mut(self.layout.host_len());
        for (buffer, part) in std::iter::once(&self.params).chain(&self.moments).zip(parts) {
            self.backend.read(buffer, lane, &mut self.device[..size]);
            self.layout.export(&self.device[..size], part);
        }
    }

    fn load(&mut self, lane: usize, state: &[f32]) {
        let size = self.layout.device_len();
        let parts = state.chunks_exact(self.layout.host_len());
        let buffers = std::iter::once(&mut self.params).chain(&mut self.moments);
        for (buffer, part) in buffers.zip(parts) {
            self.layout.import(part, &mut self.device[..size]);
            self.backend.write(buffer, lane, &self.device[..size]);
        }
        self.backend.write(&mut self.losses, lane, &[0.0, 0.0]);
    }
}
