//! The training recipe.

use super::augment::Augment;
use super::check::Violations;
use super::draft::{AugmentDraft, TrainingDraft};
use crate::shape::{DataShape, Targets};

/// How weights follow gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent: v <- momentum v + (g + decay w), w <- w - rate v (PyTorch's form, with
    /// its Nesterov variant).
    Sgd {
        /// Momentum, 0 to below 1.
        momentum: f64,
        /// Nesterov's variant.
        nesterov: bool,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).
    AdamW {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
}

/// How the learning rate moves after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// It stays at its peak.
    Constant,
    /// Half a cosine from the peak to 0 (Loshchilov and Hutter 2017, arXiv 1608.03983, one cycle).
    Cosine,
    /// It is multiplied every few epochs (PyTorch's `StepLR`).
    Step {
        /// Epochs from step to step, counted from the end of the warm-up.
        epochs: f64,
        /// The factor.
        factor: f64,
    },
}

/// What training makes small, where the recipe names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// The cross-entropy of a softmax over all classes: a logit for each.
    CrossEntropy,
    /// The binary cross-entropy of sigmoids: one logit for two classes (that of class 1), one for each of several
    /// labels.
    Bce,
}

impl Objective {
    const WORDS: [(&'static str, Self); 2] = [("cross-entropy", Self::CrossEntropy), ("bce", Self::Bce)];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross-entropy",
            Self::Bce => "bce",
        }
    }
}

/// A checked training recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    optimizer: Optimizer,
    learning_rate: f64,
    weight_decay: f64,
    schedule: Schedule,
    warmup_epochs: f64,
    batch: u32,
    epochs: u32,
    loss: Option<Objective>,
    dropout: f64,
    label_smoothing: f64,
    class_weights: Vec<f64>,
    clip_norm: Option<f64>,
    ema: Option<f64>,
    augment: Augment,
}

impl Training {
    const MAX_CLASSES: usize = 65_536;

    pub(super) fn check(
        draft: &TrainingDraft,
        augment: &AugmentDraft,
        wrong: &mut Violations,
    ) -> Option<Self> {
        let optimizer = optimizer(draft, wrong);
        let learning_rate = match draft.learning_rate {
            None => wrong.keep("training.learning_rate", Err("it is missing: give the peak learning rate")),
            Some(rate) => wrong.within("training.learning_rate", rate, 1e-9, 1e3),
        };
        let weight_decay = draft.weight_decay.unwrap_or(0.0);
        let weight_decay = wrong.within("training.weight_decay", weight_decay, 0.0, 1e3);
        let schedule = schedule(draft, wrong);
        let batch = match draft.batch {
            None => wrong.keep("training.batch", Err("it is missing: give the records per step")),
            Some(batch) => wrong.within("training.batch", batch, 1, 65_536),
        };
        let epochs = match draft.epochs {
            None => wrong.keep("training.epochs", Err("it is missing: give the passes over the data")),
            Some(epochs) => wrong.within("training.epochs", epochs, 1, 100_000),
        };
        let most = f64::from(draft.epochs.unwrap_or(100_000));
        let warmup = draft.warmup_epochs.unwrap_or(0.0);
        let warmup_epochs = wrong.within("training.warmup_epochs", warmup, 0.0, most);
        let loss = draft.loss.as_deref().map(|word| wrong.word("training.loss", word, &Objective::WORDS));
        let dropout = wrong.within("training.dropout", draft.dropout.unwrap_or(0.0), 0.0, 0.9);
        let smoothing = draft.label_smoothing.unwrap_or(0.0);
        let label_smoothing = wrong.within("training.label_smoothing", smoothing, 0.0, 0.9);
        let class_weights = draft.class_weights.clone().unwrap_or_default();
        if class_weights.len() > Self::MAX_CLASSES {
            wrong.push("training.class_weights", format!("{} are too many", class_weights.len()));
        }
        for &weight in class_weights.iter().take(Self::MAX_CLASSES) {
            wrong.within("training.class_weights", weight, 1e-6, 1e6)?;
        }
        let clip_norm = draft.clip_norm.map(|norm| wrong.within("training.clip_norm", norm, 1e-6, 1e9));
        let ema = draft.ema.map(|decay| wrong.within("training.ema", decay, 0.0, 0.999_999));
        let augment = Augment::check(augment, wrong);
        Some(Self {
            augment: augment?,
            loss: loss.map_or(Some(None), |loss| loss.map(Some))?,
            dropout: dropout?,
            label_smoothing: label_smoothing?,
            class_weights,
            clip_norm: clip_norm.map_or(Some(None), |norm| norm.map(Some))?,
            ema: ema.map_or(Some(None), |decay| decay.map(Some))?,
            optimizer: optimizer?,
            learning_rate: learning_rate?,
            weight_decay: weight_decay?,
            schedule: schedule?,
            warmup_epochs: warmup_epochs?,
            batch: batch?,
            epochs: epochs?,
        })
    }

    pub(super) fn to_draft(&self) -> TrainingDraft {
        let mut draft = TrainingDraft {
            learning_rate: Some(self.learning_rate),
            weight_decay: Some(self.weight_decay),
            schedule: Some(
                match self.schedule {
                    Schedule::Cosine => "cosine",
                    Schedule::Constant => "constant",
                    Schedule::Step { .. } => "step",
                }
                .to_owned(),
            ),
            warmup_epochs: Some(self.warmup_epochs),
            batch: Some(self.batch),
            epochs: Some(self.epochs),
            loss: self.loss.map(|loss| loss.name().to_owned()),
            dropout: (self.dropout > 0.0).then_some(self.dropout),
            label_smoothing: (self.label_smoothing > 0.0).then_some(self.label_smoothing),
            class_weights: (!self.class_weights.is_empty()).then(|| self.class_weights.clone()),
            clip_norm: self.clip_norm,
            ema: self.ema,
            ..TrainingDraft::default()
        };
        if let Schedule::Step { epochs, factor } = self.schedule {
            draft.step_epochs = Some(epochs);
            draft.step_factor = Some(factor);
        }
        match self.optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                draft.optimizer = Some("sgd".to_owned());
                draft.momentum = Some(momentum);
                draft.nesterov = Some(nesterov);
            }
            Optimizer::AdamW { beta1, beta2, epsilon } => {
                draft.optimizer = Some("adamw".to_owned());
                draft.beta1 = Some(beta1);
                draft.beta2 = Some(beta2);
                draft.epsilon = Some(epsilon);
            }
        }
        draft
    }

    /// The optimiser.
    pub fn optimizer(&self) -> Optimizer {
        self.optimizer
    }

    /// The peak learning rate.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Weight decay: added to the gradient by SGD, decoupled in AdamW; on weights and biases alike.
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    /// The schedule after the warm-up.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// Epochs of linear warm-up.
    pub fn warmup_epochs(&self) -> f64 {
        self.warmup_epochs
    }

    /// Records per step.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// Passes over the expected half of the records.
    pub fn epochs(&self) -> u32 {
        self.epochs
    }

    /// The loss, where the recipe names it; else softmax cross-entropy of classes and binary cross-entropy of
    /// several labels.
    pub fn loss(&self) -> Option<Objective> {
        self.loss
    }

    /// Logits of one record of data of `shape`: one a class or label, but a single one for two classes under
    /// [`Objective::Bce`].
    pub fn logits(&self, shape: &DataShape) -> u32 {
        match (self.loss, shape.targets, shape.classes) {
            (Some(Objective::Bce), Targets::Class, 2) => 1,
            (_, _, classes) => classes,
        }
    }

    /// The probability that a hidden unit is left out of a training step; the others grow by 1 / (1 - p), so that
    /// queries need no factor (Srivastava et al. 2014, JMLR 15, section 10).
    pub fn dropout(&self) -> f64 {
        self.dropout
    }

    /// The share of a label that is spread evenly over all classes (Szegedy et al. 2016, arXiv 1512.00567,
    /// section 7).
    pub fn label_smoothing(&self) -> f64 {
        self.label_smoothing
    }

    /// A factor of the loss for each class (or each of several labels); empty for none.
    pub fn class_weights(&self) -> &[f64] {
        &self.class_weights
    }

    /// The largest norm of a step's gradient over all parameters; longer ones are scaled down to it.
    pub fn clip_norm(&self) -> Option<f64> {
        self.clip_norm
    }

    /// The decay of the moving average of the weights, if it answers the queries in their place.
    pub fn ema(&self) -> Option<f64> {
        self.ema
    }

    /// How training records are varied.
    pub fn augment(&self) -> Augment {
        self.augment
    }

    /// Checks that the recipe fits data of `shape`.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check_shape(&self, shape: &DataShape) -> Result<(), Violations> {
        let mut wrong = Violations::default();
        let (weights, classes) = (self.class_weights.len(), shape.classes);
        if weights != 0 && weights as u64 != u64::from(classes) {
            let message = format!("{weights} weights for {classes} classes: give one for each");
            wrong.push("training.class_weights", message);
        }
        match (self.loss, shape.targets) {
            (Some(Objective::Bce), Targets::Class) if classes != 2 => {
                let message = format!(
                    "\"bce\" is for two classes or several labels, the data set has {classes} classes: use \
                     \"cross-entropy\""
                );
                wrong.push("training.loss", message);
            }
            (Some(Objective::CrossEntropy), Targets::Labels) => {
                let message = "\"cross-entropy\" is for one class a record, the data set has several labels: use \
                               \"bce\"";
                wrong.push("training.loss", message);
            }
            _ => {}
        }
        self.augment.check_shape(shape, &mut wrong);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn schedule(draft: &TrainingDraft, wrong: &mut Violations) -> Option<Schedule> {
    let step =
        Schedule::Step { epochs: draft.step_epochs.unwrap_or(0.0), factor: draft.step_factor.unwrap_or(0.1) };
    let words = [("cosine", Schedule::Cosine), ("constant", Schedule::Constant), ("step", step)];
    let found = wrong.word("training.schedule", draft.schedule.as_deref().unwrap_or("cosine"), &words)?;
    let Schedule::Step { epochs, factor } = found else {
        for (key, given) in [("step_epochs", draft.step_epochs), ("step_factor", draft.step_factor)] {
            if given.is_some() {
                let message = "it belongs to schedule \"step\": leave it out";
                wrong.push(&format!("training.{key}"), message);
            }
        }
        return Some(found);
    };
    if draft.step_epochs.is_none() {
        wrong.push("training.step_epochs", "it is missing: give the epochs from step to step");
        return None;
    }
    wrong.within("training.step_epochs", epochs, 1e-3, 1e5)?;
    wrong.within("training.step_factor", factor, 1e-6, 1.0)?;
    Some(found)
}

fn optimizer(draft: &TrainingDraft, wrong: &mut Violations) -> Option<Optimizer> {
    let words = [("sgd", true), ("adamw", false)];
    let sgd = wrong.word("training.optimizer", draft.optimizer.as_deref().unwrap_or("sgd"), &words)?;
    let mut foreign = |given: bool, key: &str, owner: &str| {
        if given {
            wrong.push(
                &format!("training.{key}"),
                format!("it belongs to optimizer \"{owner}\": leave it out"),
            );
        }
    };
    if sgd {
        foreign(draft.beta1.is_some(), "beta1", "adamw");
        foreign(draft.beta2.is_some(), "beta2", "adamw");
        foreign(draft.epsilon.is_some(), "epsilon", "adamw");
        let momentum = wrong.within("training.momentum", draft.momentum.unwrap_or(0.9), 0.0, 0.9999)?;
        let nesterov = draft.nesterov.unwrap_or(false);
        if nesterov && momentum == 0.0 {
            wrong.push("training.nesterov", "it needs a momentum above 0");
        }
        return Some(Optimizer::Sgd { momentum, nesterov });
    }
    foreign(draft.momentum.is_some(), "momentum", "sgd");
    foreign(draft.nesterov.is_some(), "nesterov", "sgd");
    let beta1 = wrong.within("training.beta1", draft.beta1.unwrap_or(0.9), 0.0, 0.9999);
    let beta2 = wrong.within("training.beta2", draft.beta2.unwrap_or(0.999), 0.0, 0.999_999);
    let epsilon = wrong.within("training.epsilon", draft.epsilon.unwrap_or(1e-8), 1e-12, 1.0);
    Some(Optimizer::AdamW { beta1: beta1?, beta2: beta2?, epsilon: epsilon? })
}
