//! The three result keys. A result that exists under its key is reused, never recomputed.
//!
//! train = (data, the shadow's membership, recipe, initial weights, seed, shadow, numerics class);
//! logits = train + queries; findings = logits of all shadows + statistics. The placement is in none.

use crate::digest::{Digest, FieldHasher};
use crate::shape::DataShape;
use crate::spec::{AuditSpec, Augment, Model, Optimizer, Schedule, Statistics, Training};

macro_rules! key {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub Digest);

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

key!(
    /// Names the trained weights of one shadow.
    TrainKey
);
key!(
    /// Names the logits of one shadow.
    LogitsKey
);
key!(
    /// Names the findings of one audit.
    FindingsKey
);

/// The key of one shadow's weights, trained on data of `shape` with the digest `data`.
pub fn train_key(
    spec: &AuditSpec,
    (data, shape): (&Digest, &DataShape),
    membership: &Digest,
    shadow: u32,
    steps: u64,
    numerics: &str,
) -> TrainKey {
    let mut hasher = FieldHasher::new("umbra train key v1");
    hasher.put("data", data.as_bytes());
    hasher.put("membership", membership.as_bytes());
    hasher.put_u64("seed", spec.seed().reveal());
    hasher.put_u64("shadow", u64::from(shadow));
    hasher.put_u64("steps", steps);
    hasher.put("numerics", numerics.as_bytes());
    // Weights start from the seed tree; a start from a file will put its digest here.
    hasher.put("init", b"random v1");
    put_model(&mut hasher, spec.model());
    put_training(&mut hasher, spec.training());
    // A loss that is the data's own anyway is no other recipe.
    if spec.training().logits(shape) != shape.classes {
        hasher.put("loss", b"bce");
    }
    TrainKey(hasher.finish())
}

/// The key of one shadow's logits.
pub fn logits_key(train: &TrainKey, spec: &AuditSpec) -> LogitsKey {
    let mut hasher = FieldHasher::new("umbra logits key v1");
    hasher.put("train", train.0.as_bytes());
    let views = spec.queries().views();
    hasher.put_u64("views", u64::from(views));
    // The clean record alone is the same question under every augmentation.
    if views > 1 {
        put_augment(&mut hasher, &spec.training().augment());
    }
    LogitsKey(hasher.finish())
}

/// The key of an audit's findings; `logits` in shadow order.
pub fn findings_key(logits: &[LogitsKey], statistics: &Statistics) -> FindingsKey {
    let mut hasher = FieldHasher::new("umbra findings key v3");
    logits.iter().for_each(|key| hasher.put("logits", key.0.as_bytes()));
    statistics.attacks().iter().for_each(|attack| hasher.put("attack", attack.name().as_bytes()));
    hasher.put("variance", statistics.variance().name().as_bytes());
    hasher.put("center", statistics.center().name().as_bytes());
    hasher.put("counts", statistics.counts().name().as_bytes());
    hasher.put_u64("offline", u64::from(statistics.offline()));
    hasher.put_f64("temperature", statistics.temperature());
    hasher.put_f64("fdr", statistics.fdr());
    hasher.put_u64("looks", u64::from(statistics.looks()));
    hasher.put_u64("bootstrap", u64::from(statistics.bootstrap()));
    hasher.put_f64("delta", statistics.delta());
    for (first, second) in statistics.intersections() {
        hasher.put("crossed", first.as_bytes());
        hasher.put("with", second.as_bytes());
    }
    FindingsKey(hasher.finish())
}

fn put_model(hasher: &mut FieldHasher, model: &Model) {
    hasher.put("architecture", model.architecture().as_bytes());
    model.widths().iter().for_each(|&width| hasher.put_u64("width", u64::from(width)));
    // What an architecture does not have is left out, so that its keys do not change with others' numbers.
    if let Some(width) = model.width() {
        hasher.put_u64("capacity width", u64::from(width));
    }
    if let Some(depth) = model.depth() {
        hasher.put_u64("capacity depth", u64::from(depth));
    }
}

fn put_augment(hasher: &mut FieldHasher, augment: &Augment) {
    for (name, value) in augment.settings() {
        hasher.put("augmentation", name.as_bytes());
        hasher.put_f64("by", value);
    }
}

fn put_training(hasher: &mut FieldHasher, training: &Training) {
    match training.optimizer() {
        Optimizer::Sgd { momentum, nesterov } => {
            hasher.put("optimizer", b"sgd");
            hasher.put_f64("momentum", momentum);
            hasher.put_u64("nesterov", u64::from(nesterov));
        }
        Optimizer::AdamW { beta1, beta2, epsilon } => {
            hasher.put("optimizer", b"adamw");
            hasher.put_f64("beta1", beta1);
            hasher.put_f64("beta2", beta2);
            hasher.put_f64("epsilon", epsilon);
        }
    }
    hasher.put_f64("learning rate", training.learning_rate());
    hasher.put_f64("weight decay", training.weight_decay());
    hasher.put(
        "schedule",
        match training.schedule() {
            Schedule::Constant => &b"constant"[..],
            Schedule::Cosine => &b"cosine"[..],
            Schedule::Step { .. } => &b"step"[..],
        },
    );
    // What is not set is left out, so that recipes without it keep their keys.
    if let Schedule::Step { epochs, factor } = training.schedule() {
        hasher.put_f64("step epochs", epochs);
        hasher.put_f64("step factor", factor);
    }
    if training.dropout() > 0.0 {
        hasher.put_f64("dropout", training.dropout());
    }
    if training.label_smoothing() > 0.0 {
        hasher.put_f64("label smoothing", training.label_smoothing());
    }
    training.class_weights().iter().for_each(|&weight| hasher.put_f64("class weight", weight));
    if let Some(norm) = training.clip_norm() {
        hasher.put_f64("clip norm", norm);
    }
    if let Some(decay) = training.ema() {
        hasher.put_f64("moving average", decay);
    }
    put_augment(hasher, &training.augment());
    hasher.put_f64("warm-up epochs", training.warmup_epochs());
    hasher.put_u64("batch", u64::from(training.batch()));
    hasher.put_u64("epochs", u64::from(training.epochs()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Targets;
    use crate::spec::{ModelDraft, SpecDraft, StatisticsDraft, TrainingDraft};

    fn draft() -> SpecDraft {
        SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "mlp".into(), widths: vec![8], ..ModelDraft::default() },
            training: TrainingDraft {
                learning_rate: Some(0.1),
                batch: Some(256),
                epochs: Some(40),
                ..TrainingDraft::default()
            },
            ..SpecDraft::default()
        }
    }

    fn keys(draft: &SpecDraft) -> (TrainKey, LogitsKey, FindingsKey) {
        let spec = AuditSpec::try_new(draft).unwrap();
        let shape = DataShape::table(10, 10, 4, 2);
        let train = train_key(&spec, (&Digest::of(b"data"), &shape), &Digest::of(b"members"), 3, 10, "cpu");
        let logits = logits_key(&train, &spec);
        (train, logits, findings_key(&[logits], spec.statistics()))
    }

    fn resnet(width: u32, depth: u32) -> ModelDraft {
        ModelDraft {
            architecture: "tab-resnet".into(),
            width: Some(width),
            depth: Some(depth),
            ..ModelDraft::default()
        }
    }

    #[test]
    fn capacity_is_in_the_key() {
        let of = |width, depth| keys(&SpecDraft { model: resnet(width, depth), ..draft() }).0;
        assert!(of(8, 2) != of(9, 2) && of(8, 2) != of(8, 3) && of(8, 2) != of(2, 8));
    }

    #[test]
    fn a_loss_that_is_the_data_s_own_leaves_the_key_alone() {
        let key = |loss: Option<&str>, targets| {
            let training = TrainingDraft { loss: loss.map(str::to_owned), ..draft().training };
            let spec = AuditSpec::try_new(&SpecDraft { training, ..draft() }).unwrap();
            let shape = DataShape { targets, ..DataShape::table(10, 10, 4, 2) };
            let digest = Digest::of(b"data");
            train_key(&spec, (&digest, &shape), &digest, 3, 10, "cpu")
        };
        assert_eq!(key(Some("bce"), Targets::Labels), key(None, Targets::Labels));
        assert_eq!(key(Some("cross-entropy"), Targets::Class), key(None, Targets::Class));
        assert_ne!(key(Some("bce"), Targets::Class), key(None, Targets::Class));
    }

    #[test]
    fn views_are_another_result_of_the_same_weights() {
        let mut one = draft();
        one.augment.noise = Some(0.5);
        let mut two = one.clone();
        two.queries.views = Some(2);
        let (one, two) = (keys(&one), keys(&two));
        assert!(one.0 == two.0 && one.1 != two.1 && one.2 != two.2);
    }

    #[test]
    fn a_key_changes_with_its_own_stage_and_the_stages_before_it() {
        let (train, logits, findings) = keys(&draft());

        let mut placed = draft();
        placed.name = "b".into();
        placed.placement.pack = Some(2);
        placed.placement.checkpoint_steps = Some(5);
        placed.placement.priority = Some(9);
        placed.placement.weight = Some(3);
        placed.placement.max_slots = Some(2);
        placed.placement.keep_weights = Some(true);
        assert_eq!(keys(&placed), (train, logits, findings));

        let statistics: [fn(&mut StatisticsDraft); 11] = [
            |s| s.attacks = Some(vec!["base".into()]),
            |s| s.variance = Some("reference".into()),
            |s| s.center = Some("median".into()),
            |s| s.counts = Some("all".into()),
            |s| s.offline = Some(true),
            |s| s.temperature = Some(1.0),
            |s| s.fdr = Some(0.1),
            |s| s.looks = Some(3),
            |s| s.bootstrap = Some(0),
            |s| s.delta = Some(0.0),
            |s| s.intersections = Some(vec![vec!["a".into(), "b".into()]]),
        ];
        for change in statistics {
            let mut draft = draft();
            change(&mut draft.statistics);
            let other = keys(&draft);
            assert_eq!((other.0, other.1), (train, logits));
            assert_ne!(other.2, findings);
        }

        let changes: [fn(&mut SpecDraft); 20] = [
            |d| d.seed = 1,
            |d| d.model.widths = vec![9],
            |d| d.model = resnet(8, 2),
            |d| d.model = ModelDraft { architecture: "logistic".into(), ..ModelDraft::default() },
            |d| d.training.momentum = Some(0.8),
            |d| d.training.weight_decay = Some(0.1),
            |d| d.training.schedule = Some("constant".into()),
            |d| d.training.warmup_epochs = Some(1.0),
            |d| d.training.dropout = Some(0.5),
            |d| d.training.dropout = Some(0.25),
            |d| d.training.loss = Some("bce".into()),
            |d| d.training.label_smoothing = Some(0.1),
            |d| d.training.class_weights = Some(vec![1.0, 2.0]),
            |d| d.training.clip_norm = Some(1.0),
            |d| d.training.ema = Some(0.99),
            |d| d.augment.rotate = Some(15.0),
            |d| d.augment.rotate = Some(30.0),
            |d| d.augment.noise = Some(0.5),
            |d| d.augment.scale = Some(0.5),
            |d| {
                d.training.schedule = Some("step".into());
                d.training.step_epochs = Some(2.0);
            },
        ];
        for change in changes {
            let mut draft = draft();
            change(&mut draft);
            let other = keys(&draft);
            assert!(other.0 != train && other.1 != logits && other.2 != findings);
        }
    }
}
