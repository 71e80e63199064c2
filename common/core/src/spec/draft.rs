//! What a file or a message says about an audit, before it is checked. Absent means: the default.

/// An unchecked audit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpecDraft {
    /// The audit's name.
    pub name: String,
    /// The root of the seed tree.
    pub seed: u64,
    /// The name of an imported data set.
    pub dataset: String,
    /// The model.
    pub model: ModelDraft,
    /// The training recipe.
    pub training: TrainingDraft,
    /// How training records are varied.
    pub augment: AugmentDraft,
    /// The shadows.
    pub shadows: ShadowsDraft,
    /// The queries.
    pub queries: QueriesDraft,
    /// The statistics.
    pub statistics: StatisticsDraft,
    /// The placement.
    pub placement: PlacementDraft,
}

/// An unchecked model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelDraft {
    /// `logistic`, `mlp`, `tab-resnet`, `cnn`, `wrn` or `resnet1d`.
    pub architecture: String,
    /// The hidden layers' widths (`mlp`).
    pub widths: Vec<u32>,
    /// The width: numbers of a block (`tab-resnet`, default 300), channels of the first convolution (`cnn`,
    /// default 32) or of all (`resnet1d`, default 128), or the widening factor (`wrn`, default 2).
    pub width: Option<u32>,
    /// The depth: blocks (`tab-resnet`, default 6; `resnet1d`, default 3) or convolutions (`wrn`, 6 n + 4,
    /// default 28).
    pub depth: Option<u32>,
}

/// An unchecked training recipe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingDraft {
    /// `sgd` (default) or `adamw`.
    pub optimizer: Option<String>,
    /// The peak learning rate.
    pub learning_rate: Option<f64>,
    /// Momentum of `sgd`; default 0.9.
    pub momentum: Option<f64>,
    /// Nesterov's momentum; default off.
    pub nesterov: Option<bool>,
    /// Decay of AdamW's first moment; default 0.9.
    pub beta1: Option<f64>,
    /// Decay of AdamW's second moment; default 0.999.
    pub beta2: Option<f64>,
    /// AdamW's epsilon; default 1e-8.
    pub epsilon: Option<f64>,
    /// Weight decay; default 0.
    pub weight_decay: Option<f64>,
    /// `cosine` (default), `constant` or `step`.
    pub schedule: Option<String>,
    /// Epochs from step to step of a `step` schedule.
    pub step_epochs: Option<f64>,
    /// What a step multiplies the rate by; default 0.1.
    pub step_factor: Option<f64>,
    /// Epochs of linear warm-up; default 0.
    pub warmup_epochs: Option<f64>,
    /// Records per step.
    pub batch: Option<u32>,
    /// Passes over the expected half of the records.
    pub epochs: Option<u32>,
    /// `cross-entropy` (default for classes) or `bce` (default for several labels; one logit for two classes).
    pub loss: Option<String>,
    /// The probability that a hidden unit is left out of a step; default 0.
    pub dropout: Option<f64>,
    /// Share of a label that is spread over all classes; default 0.
    pub label_smoothing: Option<f64>,
    /// A factor of the loss for each class; default none.
    pub class_weights: Option<Vec<f64>>,
    /// The largest norm of a step's gradient; default none.
    pub clip_norm: Option<f64>,
    /// Decay of the moving average of the weights, which then answers the queries; default none.
    pub ema: Option<f64>,
}

/// Unchecked variations of training records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AugmentDraft {
    /// The most degrees that an image is turned about its centre, either way; default 0.
    pub rotate: Option<f64>,
    /// Whether images are mirrored left to right, half of the time; default no.
    pub flip: Option<bool>,
    /// The most pixels or points in time that a record is moved by; default 0.
    pub shift: Option<u32>,
    /// The most that is added to all of an image, or taken away; default 0.
    pub brightness: Option<f64>,
    /// The largest share by which an image's distance from its mean changes; default 0.
    pub contrast: Option<f64>,
    /// The largest share by which a signal grows or shrinks; default 0.
    pub scale: Option<f64>,
    /// The standard deviation of the noise on every number; default 0.
    pub noise: Option<f64>,
    /// The probability that a lead, or a feature of a table, is set to 0; default 0.
    pub drop: Option<f64>,
}

/// Unchecked shadows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShadowsDraft {
    /// How many shadows; default 128.
    pub count: Option<u32>,
    /// Shadows per block; default: the largest even divisor of `count` from 8 to 20.
    pub block: Option<u32>,
    /// Share of the units that no shadow trains on, for `rmia` to compare with; default 0.
    pub population: Option<f64>,
}

/// Unchecked queries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueriesDraft {
    /// Views per record, up to 64: the clean record, then augmented ones; default 1.
    pub views: Option<u32>,
}

/// Unchecked statistics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatisticsDraft {
    /// `lira-online`, `lira-offline`, `base`, `global`; default `lira-online` and `global`.
    pub attacks: Option<Vec<String>>,
    /// `per-record` (default), `pooled`, `shrunk` or `reference`.
    pub variance: Option<String>,
    /// `mean` (default) or `median`.
    pub center: Option<String>,
    /// `equal` (default), `first` or `all`.
    pub counts: Option<String>,
    /// Whether `base` uses OUT references only; default no.
    pub offline: Option<bool>,
    /// Temperature of `base`; default 2.
    pub temperature: Option<f64>,
    /// False discovery rate of the patient test; default 0.05.
    pub fdr: Option<f64>,
    /// Planned looks at the growing audit; default 1.
    pub looks: Option<u32>,
    /// Replicates of the bootstrap, 0 for none; default 400.
    pub bootstrap: Option<u32>,
    /// The delta of the lower bounds of epsilon; default 0.00001.
    pub delta: Option<f64>,
    /// Pairs of attributes whose crossed groups are compared; default none.
    pub intersections: Option<Vec<Vec<String>>>,
}

/// Unchecked placement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlacementDraft {
    /// Shadows per pack; default 4.
    pub pack: Option<u32>,
    /// Steps between checkpoints; default 1000.
    pub checkpoint_steps: Option<u64>,
    /// Higher goes first, from -100 to 100; default 0.
    pub priority: Option<i32>,
    /// Its share among audits of its priority, from 1 to 1000; default 1.
    pub weight: Option<u32>,
    /// The most slots at a time; default: any number.
    pub max_slots: Option<u32>,
    /// Whether the shadows' weights stay in the blob store; default: no.
    pub keep_weights: Option<bool>,
}
