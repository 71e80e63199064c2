//! What a slot is asked to do.

use std::ops::Range;

use umbra_core::digest::{Digest, FieldHasher};
use umbra_core::membership::Membership;
use umbra_core::seed::Seed;
use umbra_core::spec::{Model, Optimizer, Queries, Schedule, Training};

use crate::cpu::IsaLevel;
use crate::data::TrainingData;
use crate::error::TrainError;
use crate::numerics::numerics_class;

/// One pack of one audit.
#[derive(Debug, Clone)]
pub struct PackJob {
    /// The audit's seed tree.
    pub seed: Seed,
    /// The digest of the data set the pack is trained on.
    pub data: Digest,
    /// The shadows' architecture.
    pub model: Model,
    /// The recipe.
    pub training: Training,
    /// How every record is put to every shadow.
    pub queries: Queries,
    /// Optimiser steps of every shadow.
    pub steps: u64,
    /// The pack's shadows.
    pub shadows: Range<u32>,
    /// Which units they train on.
    pub membership: PackMembership,
    /// The highest instruction set to use. It changes no result.
    pub isa_limit: Option<IsaLevel>,
}

/// Which units each shadow of a pack trains on: a bit per shadow and unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackMembership {
    shadows: Range<u32>,
    units: usize,
    /// `[shadows][units.div_ceil(64)]`, unit u in bit `u % 64` of word `u / 64`.
    bits: Vec<u64>,
}

impl PackMembership {
    /// The rows of `shadows` out of an audit's membership.
    ///
    /// # Errors
    /// [`TrainError::Job`] where the membership has no such shadows.
    pub fn select(membership: &Membership, shadows: Range<u32>) -> Result<Self, TrainError> {
        if shadows.is_empty() || shadows.end > membership.shadows() {
            let (start, end, all) = (shadows.start, shadows.end, membership.shadows());
            return Err(TrainError::Job(format!("shadows {start} to {end} of an audit that has {all}")));
        }
        let units = membership.units();
        let words = units.div_ceil(64);
        let mut bits = vec![0u64; words * shadows.len()];
        for (row, shadow) in bits.chunks_exact_mut(words.max(1)).zip(shadows.clone()) {
            for unit in (0..units).filter(|&unit| membership.is_in(shadow, unit)) {
                row[unit / 64] |= 1 << (unit % 64);
            }
        }
        Ok(Self { shadows, units, bits })
    }

    /// How many units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Whether `shadow` trains on `unit`.
    ///
    /// # Panics
    /// If the pack has no such shadow or unit.
    pub fn is_in(&self, shadow: u32, unit: usize) -> bool {
        assert!(self.shadows.contains(&shadow) && unit < self.units, "no such shadow or unit in the pack");
        let row = (shadow - self.shadows.start) as usize * self.units.div_ceil(64);
        self.bits[row + unit / 64] >> (unit % 64) & 1 == 1
    }

    fn digest(&self) -> Digest {
        let mut hasher = FieldHasher::new("umbra pack membership v1");
        hasher.put_u64("units", self.units as u64);
        let bytes: Vec<u8> = self.bits.iter().flat_map(|word| word.to_le_bytes()).collect();
        hasher.put("bits", &bytes);
        hasher.finish()
    }
}

impl PackJob {
    /// The most steps of a pack: far beyond any training, and far from overflow.
    const MAX_STEPS: u64 = 1 << 40;

    pub(super) fn check(&self, data: &TrainingData<'_>) -> Result<(), TrainError> {
        let wrong = |message: String| Err(TrainError::Job(message));
        let Range { start, end } = self.shadows;
        if start >= end || end - start > 65_536 {
            return wrong(format!("shadows {start} to {end}: a pack holds 1 to 65536"));
        }
        if self.membership.shadows != self.shadows {
            let Range { start: from, end: to } = self.membership.shadows;
            return wrong(format!("shadows {start} to {end} with the membership of {from} to {to}"));
        }
        let units = data.shape().units;
        if self.membership.units as u64 != units {
            let found = self.membership.units;
            return wrong(format!("the membership covers {found} units, the data set has {units}"));
        }
        if !(1..=Self::MAX_STEPS).contains(&self.steps) {
            return wrong(format!("{} steps: give 1 to {}", self.steps, Self::MAX_STEPS));
        }
        let views = self.queries.views();
        if views > 1 && self.training.augment().is_none() {
            return wrong(format!("{views} views of records that the recipe does not vary: ask for 1"));
        }
        for shadow in self.shadows.clone() {
            if self.members(data, shadow).next().is_none() {
                return Err(TrainError::NoMembers { shadow });
            }
        }
        Ok(())
    }

    /// The records `shadow` trains on, in canonical order.
    pub(super) fn members<'a>(
        &'a self,
        data: &TrainingData<'a>,
        shadow: u32,
    ) -> impl Iterator<Item = u32> + 'a {
        let units = data.record_units().iter().enumerate();
        units
            .filter(move |&(_, &unit)| self.membership.is_in(shadow, unit as usize))
            .map(|(record, _)| record as u32)
    }

    /// What a checkpoint must have been made for to be continued: everything the result depends on, and the
    /// pack's shadows.
    pub(super) fn identity(&self, data: &TrainingData<'_>) -> Digest {
        self.identify("umbra pack job v1", data, self.queries.views())
    }

    /// What weights must have been trained for to be asked: everything they depend on, which is all but the
    /// queries, and the pack's shadows.
    pub(super) fn trained_identity(&self, data: &TrainingData<'_>) -> Digest {
        self.identify("umbra pack weights v1", data, 1)
    }

    fn identify(&self, domain: &'static str, data: &TrainingData<'_>, views: u32) -> Digest {
        let mut hasher = FieldHasher::new(domain);
        hasher.put("numerics", numerics_class().as_bytes());
        hasher.put("seed", self.seed.commitment().as_bytes());
        hasher.put("data", self.data.as_bytes());
        let shape = data.shape();
        hasher.put_u64("records", shape.records);
        hasher.put_u64("features", u64::from(shape.features));
        hasher.put_u64("classes", u64::from(shape.classes));
        // Where it is not the number of classes, the loss is another one.
        let logits = self.training.logits(&shape);
        if logits != shape.classes {
            hasher.put_u64("logits", u64::from(logits));
        }
        hasher.put("membership", self.membership.digest().as_bytes());
        hasher.put_u64("first shadow", u64::from(self.shadows.start));
        hasher.put_u64("end shadow", u64::from(self.shadows.end));
        hasher.put_u64("steps", self.steps);
        hasher.put("architecture", self.model.architecture().as_bytes());
        self.model.widths().iter().for_each(|&width| hasher.put_u64("width", u64::from(width)));
        hasher.put_u64("capacity width", u64::from(self.model.width().unwrap_or(0)));
        hasher.put_u64("capacity depth", u64::from(self.model.depth().unwrap_or(0)));
        let training = &self.training;
        match training.optimizer() {
            Optimizer::Sgd { momentum, nesterov } => {
                hasher.put_f64("momentum", momentum);
                hasher.put_u64("nesterov", u64::from(nesterov));
            }
            Optimizer::AdamW { beta1, beta2, epsilon } => {
                hasher.put_f64("beta1", beta1);
                hasher.put_f64("beta2", beta2);
                hasher.put_f64("epsilon", epsilon);
            }
        }
        for (name, value) in training.augment().settings() {
            hasher.put("augmentation", name.as_bytes());
            hasher.put_f64("by", value);
        }
        // Left out where there is one, so that checkpoints without views stay good.
        if views > 1 {
            hasher.put_u64("views", u64::from(views));
        }
        hasher.put_f64("rate", training.learning_rate());
        hasher.put_f64("decay", training.weight_decay());
        let schedule = match training.schedule() {
            Schedule::Constant => 0,
            Schedule::Cosine => 1,
            Schedule::Step { epochs, factor } => {
                hasher.put_f64("step epochs", epochs);
                hasher.put_f64("step factor", factor);
                2
            }
        };
        // Left out where there is none, so that checkpoints without it stay good.
        if training.dropout() > 0.0 {
            hasher.put_f64("dropout", training.dropout());
        }
        hasher.put_f64("label smoothing", training.label_smoothing());
        training.class_weights().iter().for_each(|&weight| hasher.put_f64("class weight", weight));
        hasher.put_f64("clip norm", training.clip_norm().unwrap_or(0.0));
        hasher.put_f64("moving average", training.ema().unwrap_or(-1.0));
        hasher.put_u64("schedule", schedule);
        hasher.put_f64("warm-up", training.warmup_epochs());
        hasher.put_u64("batch", u64::from(training.batch()));
        hasher.put_u64("epochs", u64::from(training.epochs()));
        hasher.finish()
    }
}
