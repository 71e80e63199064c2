//! A pack on its way: training, queries, second attempts, in slices of a few steps.

use std::collections::{BTreeMap, VecDeque};

use umbra_core::digest::Digest;

use super::job::PackJob;
use super::kept::{Attempt, Collected};
use super::logits::PackLogits;
use super::weights::Weights;
use crate::data::TrainingData;
use crate::device::Device;
use crate::engine::Engine;
use crate::error::TrainError;
use crate::order::{BatchOrder, Position};

/// How far a pack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There is more to do.
    Running {
        /// Steps taken, summed over the pack's shadows.
        step: u64,
        /// Steps the pack takes in all; a second attempt adds to it.
        total_steps: u64,
        /// Shadows whose logits are complete, lost ones included.
        shadows_done: u32,
        /// Records trained on so far, repetitions counted.
        samples: u64,
    },
    /// All logits are there.
    Done,
}

/// A shadow on a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    pub shadow: u32,
    pub attempt: u32,
    /// Whether a loss or a logit was not finite.
    pub diverged: bool,
}

/// The part of a run that is not in the engine: where it stands.
#[derive(Debug)]
pub(super) struct Progress {
    /// Shadows and attempts still to be started.
    pub waiting: VecDeque<(u32, u32)>,
    /// The shadows on the engine's lanes, all at the same step.
    pub tasks: Vec<Task>,
    /// Steps they have taken.
    pub step: u64,
    /// Steps taken in all, summed over shadows.
    pub taken: u64,
    /// Of these, steps of attempts that failed.
    pub wasted: u64,
    /// Whether each shadow's logits are complete.
    pub done: Vec<bool>,
    /// The logits so far.
    pub logits: PackLogits,
    /// The weights so far, if they are collected.
    pub collected: Option<Collected>,
}

impl Progress {
    /// Notes that a shadow has no logits, for good.
    pub fn lose(&mut self, shadow: u32) {
        self.logits.shadow_mut(shadow).fill(f32::NAN);
        self.logits.lost.push(shadow);
        self.logits.lost.sort_unstable();
    }
}

/// A pack being trained and queried on one slot.
///
/// The result depends on the job and the data alone: not on the slices of [`PackRun::advance`], on
/// checkpoints, on the machine, or on which shadows share a pack.
pub struct PackRun<'d> {
    pub(super) job: PackJob,
    pub(super) identity: Digest,
    pub(super) data: TrainingData<'d>,
    pub(super) engine: Box<dyn Engine + 'd>,
    pub(super) orders: Vec<BatchOrder>,
    pub(super) progress: Progress,
    /// Whether all weights of this pack can be collected; not from a checkpoint that says nothing of them.
    pub(super) collectable: bool,
    /// Weights of shadows that wait and were trained before.
    pub(super) trained: BTreeMap<Attempt, Vec<f32>>,
    /// Records answered by the shadows on the lanes, and views of those that come next.
    queried: usize,
    viewed: u32,
    /// A lane's answers to the latest query.
    answers: Vec<f32>,
    rows: Vec<u32>,
    pub(super) state: Vec<f32>,
    /// The weights of shadows that are done, if they are to be kept, until somebody takes them.
    weights: Option<Vec<Weights>>,
}

impl<'d> PackRun<'d> {
    /// Steps between looks at the losses.
    const LOOK: u64 = 16;
    /// Attempts at a shadow.
    const ATTEMPTS: u32 = 2;

    /// A run on this thread's CPU, from the start or from a checkpoint of the same job.
    ///
    /// # Errors
    /// [`TrainError::Job`] or [`TrainError::NoMembers`] for a job that cannot be run on this data,
    /// [`TrainError::Checkpoint`] for a checkpoint that is damaged or of another job.
    pub fn new(job: PackJob, data: TrainingData<'d>, resume: Option<&[u8]>) -> Result<Self, TrainError> {
        Device::Cpu.begin(job, data, resume)
    }

    /// A run on an engine made for the job.
    ///
    /// # Errors
    /// As [`PackRun::new`].
    pub fn with_engine(
        job: PackJob,
        data: TrainingData<'d>,
        engine: Box<dyn Engine + 'd>,
        resume: Option<&[u8]>,
    ) -> Result<Self, TrainError> {
        job.check(&data)?;
        let width = job.training.logits(&data.shape()) as usize;
        let queries = job.queries.views() as usize;
        let size =
            [data.records(), queries, width].into_iter().try_fold(job.shadows.len(), usize::checked_mul);
        let needed = size.unwrap_or(usize::MAX).saturating_mul(size_of::<f32>()) as u64;
        let mut values = Vec::new();
        values.try_reserve_exact(size.unwrap_or(usize::MAX)).map_err(|_| TrainError::Memory { needed })?;
        values.resize(size.unwrap_or(0), 0.0);
        let logits = PackLogits {
            shadows: job.shadows.clone(),
            records: data.records(),
            queries,
            width,
            lost: Vec::with_capacity(job.shadows.len()),
            values,
        };
        let mut waiting = VecDeque::with_capacity(job.shadows.len() + engine.lanes());
        waiting.extend(job.shadows.clone().map(|shadow| (shadow, 0)));
        let lanes = engine.lanes();
        let batch = job.training.batch() as usize;
        let mut run = Self {
            identity: job.identity(&data),
            orders: (0..lanes).map(|_| BatchOrder::with_capacity(&job.seed, data.records())).collect(),
            progress: Progress {
                waiting,
                tasks: Vec::with_capacity(lanes),
                step: 0,
                taken: 0,
                wasted: 0,
                done: vec![false; job.shadows.len()],
                logits,
                collected: None,
            },
            collectable: true,
            trained: BTreeMap::new(),
            queried: 0,
            viewed: 0,
            answers: vec![0.0; engine.query_rows().min(data.records()) * width],
            rows: Vec::with_capacity(lanes * batch),
            state: vec![0.0; engine.state_len()],
            weights: None,
            job,
            data,
            engine,
        };
        if let Some(bytes) = resume {
            run.restore(bytes)?;
        }
        Ok(run)
    }

    /// Takes up to `slice` engine steps (a query of one view of a few hundred records counts as one) and says how far
    /// the pack is.
    ///
    /// # Errors
    /// [`TrainError::Memory`] or [`TrainError::Device`] where the device failed: the run is of no use any more.
    pub fn advance(&mut self, slice: u64) -> Result<Status, TrainError> {
        for _ in 0..slice {
            if self.progress.tasks.is_empty() && !self.start_group() {
                break;
            }
            if self.progress.step < self.job.steps {
                self.train();
            } else {
                self.query();
            }
        }
        self.engine.check()?;
        Ok(self.status())
    }

    /// Keeps the weights of shadows that become done from here on; lost ones have none.
    pub fn keep_weights(&mut self) {
        self.weights.get_or_insert_default();
    }

    /// The weights that were kept and nobody has taken yet.
    pub fn take_weights(&mut self) -> Vec<Weights> {
        self.weights.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How far the pack is.
    pub fn status(&self) -> Status {
        let progress = &self.progress;
        if progress.tasks.is_empty() && progress.waiting.is_empty() {
            return Status::Done;
        }
        Status::Running {
            step: progress.taken,
            total_steps: self.job.shadows.len() as u64 * self.job.steps + progress.wasted,
            shadows_done: progress.done.iter().filter(|&&done| done).count() as u32,
            samples: progress.taken * u64::from(self.job.training.batch()),
        }
    }

    /// The pack's logits.
    ///
    /// # Errors
    /// [`TrainError::Job`] if the pack is not done.
    pub fn finish(self) -> Result<PackLogits, TrainError> {
        match self.status() {
            Status::Done => Ok(self.progress.logits),
            Status::Running { step, total_steps, .. } => {
                Err(TrainError::Job(format!("the pack is at step {step} of {total_steps}: go on with it")))
            }
        }
    }

    /// Puts the next shadows on the lanes; false if there are none.
    fn start_group(&mut self) -> bool {
        let progress = &mut self.progress;
        progress.step = 0;
        (self.queried, self.viewed) = (0, 0);
        // All lanes are at the same step: at the first, or with shadows that were trained before at the last.
        let is_trained = progress.waiting.front().is_some_and(|next| self.trained.contains_key(next));
        if is_trained {
            progress.step = self.job.steps;
        }
        for lane in 0..self.engine.lanes() {
            let same = |next: &mut Attempt| self.trained.contains_key(next) == is_trained;
            let Some((shadow, attempt)) = progress.waiting.pop_front_if(same) else { break };
            match self.trained.remove(&(shadow, attempt)) {
                // What it answers with; the moments are not asked any more.
                Some(weights) => {
                    self.state
                        .chunks_exact_mut(weights.len())
                        .for_each(|part| part.copy_from_slice(&weights));
                    self.engine.load(lane, &self.job.seed, shadow, &self.state);
                }
                None => self.engine.start(lane, &self.job.seed, shadow, attempt),
            }
            let members = self.job.members(&self.data, shadow);
            let started = self.orders[lane].start(shadow, members, Position::default());
            assert!(started, "`check` found members for every shadow");
            progress.tasks.push(Task { shadow, attempt, diverged: false });
        }
        !progress.tasks.is_empty()
    }

    fn train(&mut self) {
        let batch = self.job.training.batch() as usize;
        self.rows.clear();
        for lane in 0..self.progress.tasks.len() {
            self.orders[lane].next_batch(batch, &mut self.rows);
        }
        // Lanes without a shadow compute along with the first.
        for _ in self.progress.tasks.len()..self.engine.lanes() {
            self.rows.extend_from_within(..batch);
        }
        self.engine.train(self.progress.step, &self.rows);
        self.progress.step += 1;
        self.progress.taken += self.progress.tasks.len() as u64;
        if self.progress.step.is_multiple_of(Self::LOOK) || self.progress.step == self.job.steps {
            self.look();
            if self.progress.tasks.iter().all(|task| task.diverged) {
                self.end_group();
            }
        }
    }

    /// Notes which shadows have diverged.
    pub(super) fn look(&mut self) {
        for (lane, task) in self.progress.tasks.iter_mut().enumerate() {
            task.diverged |= self.engine.diverged(lane);
        }
    }

    fn query(&mut self) {
        let width = self.progress.logits.width;
        let count = self.engine.query_rows().min(self.data.records() - self.queried);
        self.engine.query(self.queried as u32, count, self.viewed);
        let answers = &mut self.answers[..count * width];
        for (lane, task) in self.progress.tasks.iter_mut().enumerate().filter(|(_, task)| !task.diverged) {
            self.engine.logits(lane, answers);
            self.progress.logits.put(task.shadow, self.queried, self.viewed as usize, answers);
            if answers.iter().any(|logit| !logit.is_finite()) {
                task.diverged = true;
                // Under other queries it might not have.
                self.progress.collected = None;
            }
        }
        self.viewed += 1;
        if self.viewed < self.job.queries.views() {
            return;
        }
        self.viewed = 0;
        self.queried += count;
        if self.queried == self.data.records() {
            self.end_group();
        }
    }

    /// Takes the shadows off the lanes: done, to be tried again, or lost.
    fn end_group(&mut self) {
        let progress = &mut self.progress;
        let mut lost = Vec::new();
        for (lane, task) in progress.tasks.drain(..).enumerate().rev() {
            if task.diverged && task.attempt + 1 < Self::ATTEMPTS {
                progress.wasted += progress.step;
                progress.waiting.push_front((task.shadow, task.attempt + 1));
                continue;
            }
            progress.done[(task.shadow - self.job.shadows.start) as usize] = true;
            if task.diverged {
                // Steps the attempt did not take any more count as taken.
                progress.taken += self.job.steps - progress.step;
                lost.push(task.shadow);
            } else if self.weights.is_some() || progress.collected.is_some() {
                let mut values = vec![0.0; self.engine.parameters()];
                self.engine.answering(lane, &mut values);
                if let Some(weights) = &mut self.weights {
                    weights.push(Weights { shadow: task.shadow, values: values.clone() });
                }
                if let Some(collected) = &mut progress.collected {
                    collected.put((task.shadow, task.attempt), values);
                }
            }
        }
        lost.into_iter().for_each(|shadow| progress.lose(shadow));
        progress.step = 0;
        (self.queried, self.viewed) = (0, 0);
    }
}
