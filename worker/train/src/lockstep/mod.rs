//! The default engine: explicit forward and backward passes over a backend's primitives. Every buffer is
//! made once; no step allocates.

mod draws;

use umbra_core::seed::Seed;
use umbra_core::spec::{Optimizer, Training};

use crate::backend::{AdamWStep, Backend, LossPart, LossShape, Rows, SgdStep};
use crate::engine::Engine;
use crate::error::TrainError;
use crate::layers::{Activation, Backward, Forward, InputGradient};
use crate::network::{Loss, Network, QUERY_ROWS, Room, Step};
use crate::schedule::LearningRate;
use draws::Draws;

/// The lockstep engine on backend `B`.
pub struct Lockstep<B: Backend> {
    backend: B,
    network: Network,
    room: Room,
    optimizer: Optimizer,
    rate: LearningRate,
    decay: f64,
    loss: Loss,
    smoothing: f32,
    clip: Option<f32>,
    params: B::Buffer,
    gradients: B::Buffer,
    /// Velocity, or the first and second moment.
    moments: Vec<B::Buffer>,
    /// The moving average of the parameters with its decay, which answers queries.
    average: Option<(f32, B::Buffer)>,
    /// A factor of the loss for each class or label.
    weights: B::Buffer,
    /// The records that go through the model together, then every node's output.
    values: Vec<B::Buffer>,
    /// What every node keeps for its backward pass.
    kept: Vec<B::Buffer>,
    /// The gradients of values, taking turns.
    deltas: Vec<B::Buffer>,
    labels: B::Labels,
    losses: B::Buffer,
    batch: usize,
    draws: Draws,
    rows: Vec<u32>,
    host: Vec<f32>,
    device: Vec<f32>,
    /// Answers to the latest query: `[lanes][query rows][logits]`.
    answers: Vec<f32>,
}

impl<B: Backend> Lockstep<B> {
    /// What it computes with.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// An engine that trains `network` by `training` in `steps` steps.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the device cannot hold it.
    pub fn new(backend: B, network: Network, training: &Training, steps: u64) -> Result<Self, TrainError> {
        let rows = training.batch() as usize;
        Self::with_rows(backend, network, training, steps, rows)
    }

    /// The same with at most `rows` records going through the model together. No result depends on it.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the device cannot hold it.
    pub fn with_rows(
        mut backend: B,
        network: Network,
        training: &Training,
        steps: u64,
        rows: usize,
    ) -> Result<Self, TrainError> {
        let mut room = Room::new(&network, training, &backend);
        room.rows = room.rows.min(rows);
        let batch = training.batch() as usize;
        let (size, answers) = (room.layout.device_len(), batch.max(QUERY_ROWS) * network.outputs());
        backend.prepare(&room.demands)?;
        let rows = room.rows;
        let mut all = |lens: &[usize]| -> Result<Vec<B::Buffer>, TrainError> {
            lens.iter().map(|len| backend.alloc(rows * len)).collect()
        };
        let (values, kept, deltas) = (all(&room.values)?, all(&room.kept)?, all(&room.gradients.buffers)?);
        let classes = network.classes();
        let mut weights = backend.alloc(backend.pitch(classes))?;
        let mut each: Vec<f32> = training.class_weights().iter().map(|&weight| weight as f32).collect();
        each.resize(classes, 1.0);
        (0..backend.lanes()).for_each(|lane| backend.write(&mut weights, lane, &each));
        let mut alloc = |per_lane| backend.alloc(per_lane);
        Ok(Self {
            params: alloc(size)?,
            gradients: alloc(size)?,
            moments: (0..room.moments).map(|_| alloc(size)).collect::<Result<_, _>>()?,
            average: match training.ema() {
                Some(decay) => Some((decay as f32, alloc(size)?)),
                None => None,
            },
            weights,
            losses: alloc(2)?,
            labels: backend.alloc_labels(rows)?,
            rows: Vec::with_capacity(batch.max(QUERY_ROWS) * backend.lanes()),
            host: vec![0.0; room.layout.host_len()],
            device: vec![0.0; size.max(rows * room.values.last().copied().unwrap_or(0))],
            answers: vec![0.0; answers * backend.lanes()],
            draws: Draws::new(
                network.variation(training.augment()),
                training.dropout() > 0.0,
                backend.lanes(),
            ),
            optimizer: training.optimizer(),
            rate: LearningRate::new(training, steps),
            decay: training.weight_decay(),
            loss: network.loss(),
            smoothing: training.label_smoothing() as f32,
            clip: training.clip_norm().map(|norm| norm as f32),
            values,
            kept,
            deltas,
            backend,
            network,
            room,
            batch,
        })
    }

    /// Sets one lane's parameters, in PyTorch's order, and rests its optimiser.
    pub fn set_parameters(&mut self, lane: usize, values: &[f32]) {
        let size = self.room.layout.device_len();
        self.room.layout.import(values, &mut self.device[..size]);
        self.backend.write(&mut self.params, lane, &self.device[..size]);
        if let Some((_, average)) = &mut self.average {
            self.backend.write(average, lane, &self.device[..size]);
        }
        self.device.fill(0.0);
        for moment in &mut self.moments {
            self.backend.write(moment, lane, &self.device[..size]);
        }
        self.backend.write(&mut self.losses, lane, &[0.0, 0.0]);
    }

    /// Computes gradients on the records `rows` (`[lanes][batch]`) as they are, without taking a step.
    pub fn differentiate(&mut self, rows: &[u32]) {
        self.draws.nothing();
        self.pass(rows);
    }

    /// The same with all that step `step` draws: variations of the records, and units left out.
    pub fn differentiate_at(&mut self, step: u64, rows: &[u32]) {
        self.draws.step(step);
        self.pass(rows);
    }

    fn pass(&mut self, rows: &[u32]) {
        let of = rows.len() / self.backend.lanes();
        assert!(of > 0 && of <= self.batch, "a batch of {of} where {} fit", self.batch);
        for from in (0..of).step_by(self.room.rows) {
            let count = self.room.rows.min(of - from);
            self.forward(Rows { all: rows, per_lane: of, from, count, varied: None }, false);
            let last = self.network.nodes().len();
            let slot = self.room.gradients.steps[last - 1].d_output;
            let part = LossPart { rows: count, of, first: from == 0 };
            let (logits, d_logits) = (&self.values[last], &mut self.deltas[slot]);
            let shape = LossShape { part, logits: self.network.outputs(), smoothing: self.smoothing };
            let (weights, labels, losses) = (&self.weights, &self.labels, &mut self.losses);
            match self.loss {
                Loss::Softmax => {
                    self.backend.softmax_cross_entropy(&shape, weights, logits, labels, d_logits, losses);
                }
                Loss::Binary => {
                    self.backend.binary_cross_entropy(&shape, weights, logits, labels, d_logits, losses);
                }
            }
            self.backward(count, from);
        }
    }

    /// One lane's gradients, in PyTorch's order: `[parameters]`.
    pub fn gradients(&mut self, lane: usize, into: &mut [f32]) {
        let size = self.room.layout.device_len();
        self.backend.read(&self.gradients, lane, &mut self.device[..size]);
        self.room.layout.export(&self.device[..size], into);
    }

    /// Takes records through the model, varied and masked as is drawn now, or through its moving average if it is
    /// `queried` and there is one.
    fn forward(&mut self, rows: Rows<'_>, queried: bool) {
        let params = match &self.average {
            Some((_, average)) if queried => average,
            _ => &self.params,
        };
        let rows = Rows { varied: self.draws.varied(), ..rows };
        self.backend.gather(rows, &mut self.values[0], &mut self.labels);
        for (index, node) in self.network.nodes().iter().enumerate() {
            let (before, after) = self.values.split_at_mut(index + 1);
            let pass = Forward {
                rows: rows.count,
                offsets: &self.room.offsets[index],
                params,
                input: &before[node.input],
                skip: node.skip.map(|skip| &before[skip]),
                masks: self.draws.masks(rows.from),
                kept: &mut self.kept[index],
                output: &mut after[0],
            };
            node.layer.forward(&mut self.backend, pass);
        }
    }

    /// Takes the gradient of the logits back, of records from `from` on in their batch; what earlier records left in
    /// the parameters' gradients is added to.
    fn backward(&mut self, rows: usize, from: usize) {
        for (index, node) in self.network.nodes().iter().enumerate().rev() {
            let Step { d_output, d_input } = self.room.gradients.steps[index];
            let (d_output, d_input, into) = match d_input {
                Some((slot, into)) => {
                    let [d_output, d_input] =
                        self.deltas.get_disjoint_mut([d_output, slot]).expect("a layer's two buffers differ");
                    (&*d_output, Some(d_input), into)
                }
                None => {
                    (&self.deltas[d_output], None, InputGradient { through: Activation::None, add: false })
                }
            };
            let pass = Backward {
                rows,
                offsets: &self.room.offsets[index],
                params: &self.params,
                input: &self.values[node.input],
                output: &self.values[index + 1],
                masks: self.draws.masks(from),
                kept: &self.kept[index],
                d_output,
                gradients: &mut self.gradients,
                add: from > 0,
                d_input,
                into,
            };
            node.layer.backward(&mut self.backend, pass);
        }
    }

    fn update(&mut self, step: u64) {
        let rate = self.rate.at(step);
        if let Some(most) = self.clip {
            self.backend.clip(&mut self.gradients, most);
        }
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
        if let Some((decay, average)) = &mut self.average {
            self.backend.average(*decay, &self.params, average);
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

    fn check(&mut self) -> Result<(), TrainError> {
        self.backend.check()
    }

    fn parameters(&self) -> usize {
        self.room.layout.host_len()
    }

    fn start(&mut self, lane: usize, seed: &Seed, shadow: u32, attempt: u32) {
        self.draws.place(lane, seed, shadow);
        let mut host = std::mem::take(&mut self.host);
        self.room.layout.init(seed, shadow, attempt, &mut host);
        self.set_parameters(lane, &host);
        self.host = host;
    }

    fn train(&mut self, step: u64, rows: &[u32]) {
        self.differentiate_at(step, rows);
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

    fn query(&mut self, first: u32, count: usize, view: u32) {
        self.draws.view(view, first);
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        for _ in 0..self.backend.lanes() {
            rows.extend((0..count as u32).map(|row| first + row));
        }
        let classes = self.network.outputs();
        let (pitch, per_lane) = (self.backend.pitch(classes), self.query_rows());
        for from in (0..count).step_by(self.room.rows) {
            let some = self.room.rows.min(count - from);
            self.forward(Rows { all: &rows, per_lane: count, from, count: some, varied: None }, true);
            let logits = &self.values[self.network.nodes().len()];
            for lane in 0..self.backend.lanes() {
                self.backend.read(logits, lane, &mut self.device[..some * pitch]);
                let answers = &mut self.answers[(lane * per_lane + from) * classes..][..some * classes];
                for (row, into) in answers.chunks_exact_mut(classes).enumerate() {
                    into.copy_from_slice(&self.device[row * pitch..][..classes]);
                }
            }
        }
        self.rows = rows;
    }

    fn logits(&mut self, lane: usize, into: &mut [f32]) {
        let from = lane * self.query_rows() * self.network.outputs();
        into.copy_from_slice(&self.answers[from..][..into.len()]);
    }

    fn answering(&mut self, lane: usize, into: &mut [f32]) {
        let size = self.room.layout.device_len();
        let params = self.average.as_ref().map_or(&self.params, |(_, average)| average);
        self.backend.read(params, lane, &mut self.device[..size]);
        self.room.layout.export(&self.device[..size], into);
    }

    fn state_len(&self) -> usize {
        self.room.layout.host_len() * (1 + self.room.state())
    }

    fn save(&mut self, lane: usize, into: &mut [f32]) {
        let size = self.room.layout.device_len();
        let parts = into.chunks_exact_mut(self.room.layout.host_len());
        let average = self.average.iter().map(|(_, average)| average);
        let buffers = std::iter::once(&self.params).chain(&self.moments).chain(average);
        for (buffer, part) in buffers.zip(parts) {
            self.backend.read(buffer, lane, &mut self.device[..size]);
            self.room.layout.export(&self.device[..size], part);
        }
    }

    fn load(&mut self, lane: usize, seed: &Seed, shadow: u32, state: &[f32]) {
        self.draws.place(lane, seed, shadow);
        let size = self.room.layout.device_len();
        let parts = state.chunks_exact(self.room.layout.host_len());
        let average = self.average.iter_mut().map(|(_, average)| average);
        let buffers = std::iter::once(&mut self.params).chain(&mut self.moments).chain(average);
        for (buffer, part) in buffers.zip(parts) {
            self.room.layout.import(part, &mut self.device[..size]);
            self.backend.write(buffer, lane, &self.device[..size]);
        }
        self.backend.write(&mut self.losses, lane, &[0.0, 0.0]);
    }
}
