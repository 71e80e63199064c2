//! The reference engine: the same list of layers as a graph of candle's, differentiated by candle, in double
//! precision, one shadow after the other. Nothing of it is shared with the lockstep engine but the list of layers,
//! the order of the parameters and the schedule.

mod graph;
mod operations;
mod traps;

use candle_core::{DType, Device, Result, Tensor, Var};
use umbra_core::seed::Seed;
use umbra_core::shape::{DataShape, Form};
use umbra_core::spec::{Optimizer, Training};
use umbra_train::TrainingData;
use umbra_train::augment::{self, Variation};
use umbra_train::dropout;
use umbra_train::engine::Engine;
use umbra_train::network::Network;
use umbra_train::params::{ParamLayout, TensorShape};
use umbra_train::schedule::LearningRate;

pub use operations::{max_pool, relu};

/// The engine; all of its lanes are on the CPU.
pub struct Candle<'d> {
    data: TrainingData<'d>,
    network: Network,
    layout: ParamLayout,
    training: Training,
    rate: LearningRate,
    variation: Option<Variation>,
    lanes: Vec<Lane>,
}

/// A shadow; all tensors in PyTorch's order.
struct Lane {
    shadow: (Seed, u32),
    params: Vec<Var>,
    /// Velocity, or the first and second moment.
    moments: Vec<Vec<Tensor>>,
    average: Option<Vec<Tensor>>,
    loss: f32,
    diverged: bool,
    answers: Vec<f32>,
}

impl<'d> Candle<'d> {
    /// An engine of so many lanes that trains `network` by `training` in `steps` steps.
    pub fn new(
        data: TrainingData<'d>,
        network: Network,
        training: &Training,
        steps: u64,
        lanes: usize,
    ) -> Result<Self> {
        let layout = ParamLayout::new(network.tensors(), |n| n);
        let zeros = vec![0.0; layout.host_len()];
        let moments = match training.optimizer() {
            Optimizer::Sgd { .. } => 1,
            Optimizer::AdamW { .. } => 2,
        };
        let lane = |_| {
            let tensors = tensors(&network, &zeros)?;
            Ok(Lane {
                shadow: (Seed::new(0), 0),
                params: tensors.iter().map(Var::from_tensor).collect::<Result<_>>()?,
                moments: vec![tensors.clone(); moments],
                average: training.ema().map(|_| tensors),
                loss: 0.0,
                diverged: false,
                answers: Vec::new(),
            })
        };
        Ok(Self {
            variation: Variation::new(training.augment(), &data.shape()),
            lanes: (0..lanes).map(lane).collect::<Result<_>>()?,
            rate: LearningRate::new(training, steps),
            training: training.clone(),
            layout,
            network,
            data,
        })
    }

    /// Sets one lane's parameters, and rests its optimiser.
    pub fn set_parameters(&mut self, lane: usize, values: &[f32]) -> Result<()> {
        let found = tensors(&self.network, values)?;
        let lane = &mut self.lanes[lane];
        for (var, tensor) in lane.params.iter().zip(&found) {
            var.set(tensor)?;
        }
        for moment in lane.moments.iter_mut().flatten() {
            *moment = moment.zeros_like()?;
        }
        lane.average = lane.average.as_ref().map(|_| found);
        (lane.loss, lane.diverged) = (0.0, false);
        Ok(())
    }

    /// One lane's loss on records as they are, and its gradients.
    pub fn differentiate(&mut self, lane: usize, rows: &[u32]) -> Result<(f64, Vec<f64>)> {
        let (loss, slopes) = self.slopes(lane, rows, None, None)?;
        Ok((loss, flat(&slopes)?))
    }

    /// Records `[rows][channels][height][width]`, varied by a key and from a place on.
    fn gather(&self, rows: &[u32], varied: Option<([u32; 2], u32)>) -> Result<Tensor> {
        let shape = self.data.shape();
        let features = shape.features as usize;
        let (mut values, mut scratch) = (vec![0.0; rows.len() * features], vec![0.0; features]);
        self.data.gather(rows, features, &mut values);
        if let (Some((key, place)), Some(variation)) = (varied, &self.variation) {
            for (record, place) in values.chunks_exact_mut(features).zip(place..) {
                variation.apply(key, place, record, &mut scratch);
            }
        }
        let (height, width, channels) = space(&shape);
        let last = Tensor::from_vec(values, (rows.len(), height, width, channels), &Device::Cpu)?;
        last.to_dtype(DType::F64)?.permute((0, 3, 1, 2))?.contiguous()
    }

    fn slopes(
        &self,
        lane: usize,
        rows: &[u32],
        key: Option<[u32; 2]>,
        masks: Option<[u32; 2]>,
    ) -> Result<(f64, Vec<Tensor>)> {
        let records = self.gather(rows, key.map(|key| (key, 0)))?;
        let params: Vec<Tensor> = self.lanes[lane].params.iter().map(|var| var.as_tensor().clone()).collect();
        let logits = graph::logits(&self.network, &params, &records, masks)?;
        let mut factors = self.training.class_weights().to_vec();
        factors.resize(self.data.shape().classes as usize, 1.0);
        let (kind, smoothing) = (self.network.loss(), self.training.label_smoothing());
        let loss = graph::loss(kind, &logits, self.data.labels(), rows, smoothing, &factors)?;
        let found = loss.backward()?;
        let of =
            |param: &Tensor| found.get(param).map_or_else(|| param.zeros_like(), |slope| Ok(slope.clone()));
        Ok((loss.to_scalar()?, params.iter().map(of).collect::<Result<_>>()?))
    }

    fn step(&mut self, lane: usize, step: u64, rows: &[u32]) -> Result<()> {
        let (seed, shadow) = &self.lanes[lane].shadow;
        let key = self.variation.map(|_| augment::key(seed, *shadow, step));
        let masks = dropout::key(seed, *shadow, step);
        let (loss, mut slopes) = self.slopes(lane, rows, key, Some(masks))?;
        let (rate, decay) = (self.rate.at(step), self.training.weight_decay());
        if let Some(most) = self.training.clip_norm() {
            let norm = flat(&slopes)?.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
            let factor = (most / (norm + 1e-6)).min(1.0);
            slopes = slopes.iter().map(|slope| slope * factor).collect::<Result<_>>()?;
        }
        let lane = &mut self.lanes[lane];
        lane.loss = loss as f32;
        lane.diverged |= !loss.is_finite();
        for (index, (param, slope)) in lane.params.iter().zip(&slopes).enumerate() {
            let w = param.as_tensor().detach();
            let moved = match self.training.optimizer() {
                Optimizer::Sgd { momentum, nesterov } => {
                    let slope = (slope + (&w * decay)?)?;
                    let velocity = ((&lane.moments[0][index] * momentum)? + &slope)?;
                    lane.moments[0][index] = velocity.clone();
                    let by = if nesterov { (slope + (velocity * momentum)?)? } else { velocity };
                    (w - (by * rate)?)?
                }
                Optimizer::AdamW { beta1, beta2, epsilon } => {
                    let first = ((&lane.moments[0][index] * beta1)? + (slope * (1.0 - beta1))?)?;
                    let second = ((&lane.moments[1][index] * beta2)? + (slope.sqr()? * (1.0 - beta2))?)?;
                    lane.moments[0][index] = first.clone();
                    lane.moments[1][index] = second.clone();
                    let count = (step + 1) as i32;
                    let first = (first / (1.0 - beta1.powi(count)))?;
                    let second = (second / (1.0 - beta2.powi(count)))?;
                    ((w * (1.0 - rate * decay))? - ((first / (second.sqrt()? + epsilon)?)? * rate)?)?
                }
            };
            param.set(&moved)?;
            if let (Some(average), Some(keep)) = (&mut lane.average, self.training.ema()) {
                average[index] = ((&average[index] * keep)? + (moved * (1.0 - keep))?)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, lane: usize, rows: &[u32], varied: Option<([u32; 2], u32)>) -> Result<()> {
        let records = self.gather(rows, varied)?;
        let of = &self.lanes[lane];
        let own = || of.params.iter().map(|var| var.as_tensor().clone()).collect();
        let params = of.average.clone().unwrap_or_else(own);
        let logits = graph::logits(&self.network, &params, &records, None)?;
        self.lanes[lane].answers = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(())
    }

    /// The buffers of a lane's state, in the order in which they are saved.
    fn state(&self, lane: usize) -> Vec<Vec<Tensor>> {
        let lane = &self.lanes[lane];
        let params = lane.params.iter().map(|var| var.as_tensor().clone()).collect();
        std::iter::once(params).chain(lane.moments.clone()).chain(lane.average.clone()).collect()
    }
}

/// Height, width and channels of a record.
fn space(shape: &DataShape) -> (usize, usize, usize) {
    let (height, width, channels) = match shape.form {
        Form::Table => (1, 1, shape.features),
        Form::Image { height, width, channels } => (height, width, channels),
        Form::Signal { samples, leads } => (1, samples, leads),
    };
    (height as usize, width as usize, channels as usize)
}

/// Parameters one after the other, as tensors.
fn tensors(network: &Network, values: &[f32]) -> Result<Vec<Tensor>> {
    let mut rest = values;
    let of = |tensor: umbra_train::params::Tensor| {
        let (own, others) = rest.split_at(tensor.len());
        rest = others;
        let doubles: Vec<f64> = own.iter().map(|&value| value.into()).collect();
        match tensor.shape {
            TensorShape::Kernel { outputs, .. } => {
                Tensor::from_vec(doubles, (outputs, own.len() / outputs), &Device::Cpu)
            }
            TensorShape::Vector { outputs } => Tensor::from_vec(doubles, outputs, &Device::Cpu),
        }
    };
    network.tensors().map(of).collect()
}

fn flat(tensors: &[Tensor]) -> Result<Vec<f64>> {
    let each = tensors.iter().map(|tensor| tensor.flatten_all()?.to_vec1()).collect::<Result<Vec<_>>>()?;
    Ok(each.concat())
}

impl Engine for Candle<'_> {
    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn parameters(&self) -> usize {
        self.layout.host_len()
    }

    fn start(&mut self, lane: usize, seed: &Seed, shadow: u32, attempt: u32) {
        self.lanes[lane].shadow = (seed.clone(), shadow);
        let mut values = vec![0.0; self.layout.host_len()];
        self.layout.init(seed, shadow, attempt, &mut values);
        self.set_parameters(lane, &values).unwrap();
    }

    fn train(&mut self, step: u64, rows: &[u32]) {
        let batch = rows.len() / self.lanes.len();
        for (lane, rows) in rows.chunks_exact(batch).enumerate() {
            self.step(lane, step, rows).unwrap();
        }
    }

    fn loss(&mut self, lane: usize) -> f32 {
        self.lanes[lane].loss
    }

    fn diverged(&mut self, lane: usize) -> bool {
        self.lanes[lane].diverged
    }

    fn query_rows(&self) -> usize {
        self.training.batch() as usize
    }

    fn query(&mut self, first: u32, count: usize, view: u32) {
        let rows: Vec<u32> = (first..).take(count).collect();
        for lane in 0..self.lanes.len() {
            let key = (view > 0).then(|| augment::view_key(&self.lanes[lane].shadow.0, view));
            self.answer(lane, &rows, key.map(|key| (key, first))).unwrap();
        }
    }

    fn logits(&mut self, lane: usize, into: &mut [f32]) {
        into.copy_from_slice(&self.lanes[lane].answers);
    }

    fn answering(&mut self, lane: usize, into: &mut [f32]) {
        let answering = self.state(lane).into_iter();
        let buffer =
            if self.lanes[lane].average.is_some() { answering.last() } else { answering.take(1).last() };
        let values = flat(&buffer.unwrap()).unwrap();
        into.iter_mut().zip(values).for_each(|(into, value)| *into = value as f32);
    }

    fn state_len(&self) -> usize {
        self.layout.host_len() * self.state(0).len()
    }

    fn save(&mut self, lane: usize, into: &mut [f32]) {
        let state = self.state(lane).concat();
        let values = flat(&state).unwrap();
        into.iter_mut().zip(values).for_each(|(into, value)| *into = value as f32);
    }

    fn load(&mut self, lane: usize, seed: &Seed, shadow: u32, state: &[f32]) {
        let mut parts = state.chunks_exact(self.layout.host_len());
        self.set_parameters(lane, parts.next().unwrap()).unwrap();
        let mut part = || tensors(&self.network, parts.next().unwrap()).unwrap();
        let lane = &mut self.lanes[lane];
        lane.shadow = (seed.clone(), shadow);
        lane.moments.iter_mut().for_each(|moment| *moment = part());
        lane.average = lane.average.as_ref().map(|_| part());
    }
}
