//! The audit specification.

use prost::Message as _;
use umbra_core::digest::{Digest, FieldHasher};
use umbra_core::spec::{
    AuditSpec, AugmentDraft, ModelDraft, PlacementDraft, QueriesDraft, ShadowsDraft, SpecDraft,
    StatisticsDraft, TrainingDraft,
};

use crate::v1;

/// The draft a message says; unchecked.
pub fn draft_from(spec: v1::AuditSpec) -> SpecDraft {
    let model = spec.model.unwrap_or_default();
    let training = spec.training.unwrap_or_default();
    let augment = spec.augment.unwrap_or_default();
    let shadows = spec.shadows.unwrap_or_default();
    let statistics = spec.statistics.unwrap_or_default();
    let placement = spec.placement.unwrap_or_default();
    SpecDraft {
        name: spec.name,
        seed: spec.seed,
        dataset: spec.dataset,
        model: ModelDraft {
            architecture: model.architecture,
            widths: model.widths,
            width: model.width,
            depth: model.depth,
        },
        training: TrainingDraft {
            optimizer: training.optimizer,
            learning_rate: training.learning_rate,
            momentum: training.momentum,
            nesterov: training.nesterov,
            beta1: training.beta1,
            beta2: training.beta2,
            epsilon: training.epsilon,
            weight_decay: training.weight_decay,
            schedule: training.schedule,
            warmup_epochs: training.warmup_epochs,
            batch: training.batch,
            epochs: training.epochs,
            step_epochs: training.step_epochs,
            step_factor: training.step_factor,
            label_smoothing: training.label_smoothing,
            class_weights: Some(training.class_weights).filter(|weights| !weights.is_empty()),
            clip_norm: training.clip_norm,
            ema: training.ema,
            loss: training.loss,
            dropout: training.dropout,
        },
        augment: AugmentDraft {
            rotate: augment.rotate,
            flip: augment.flip,
            shift: augment.shift,
            brightness: augment.brightness,
            contrast: augment.contrast,
            scale: augment.scale,
            noise: augment.noise,
            drop: augment.drop,
        },
        shadows: ShadowsDraft { count: shadows.count, block: shadows.block, population: shadows.population },
        queries: QueriesDraft { views: spec.queries.and_then(|queries| queries.views) },
        statistics: StatisticsDraft {
            attacks: Some(statistics.attacks).filter(|attacks| !attacks.is_empty()),
            variance: statistics.variance,
            center: statistics.center,
            counts: statistics.counts,
            offline: statistics.offline,
            temperature: statistics.temperature,
            fdr: statistics.fdr,
            looks: statistics.looks,
            bootstrap: statistics.bootstrap,
            delta: statistics.delta,
            intersections: Some(
                statistics.intersections.into_iter().map(|crossed| crossed.attributes).collect(),
            ),
        },
        placement: PlacementDraft {
            pack: placement.pack,
            checkpoint_steps: placement.checkpoint_steps,
            priority: placement.priority,
            weight: placement.weight,
            max_slots: placement.max_slots,
            keep_weights: placement.keep_weights,
        },
    }
}

/// The message that says exactly this, with the seed.
pub fn spec_to(spec: &AuditSpec) -> v1::AuditSpec {
    let draft = spec.to_draft();
    let crossed = draft.statistics.intersections.unwrap_or_default().into_iter();
    v1::AuditSpec {
        name: draft.name,
        seed: draft.seed,
        dataset: draft.dataset,
        model: Some(v1::ModelSpec {
            architecture: draft.model.architecture,
            widths: draft.model.widths,
            width: draft.model.width,
            depth: draft.model.depth,
        }),
        training: Some(v1::TrainingSpec {
            optimizer: draft.training.optimizer,
            learning_rate: draft.training.learning_rate,
            momentum: draft.training.momentum,
            nesterov: draft.training.nesterov,
            beta1: draft.training.beta1,
            beta2: draft.training.beta2,
            epsilon: draft.training.epsilon,
            weight_decay: draft.training.weight_decay,
            schedule: draft.training.schedule,
            warmup_epochs: draft.training.warmup_epochs,
            batch: draft.training.batch,
            epochs: draft.training.epochs,
            step_epochs: draft.training.step_epochs,
            step_factor: draft.training.step_factor,
            label_smoothing: draft.training.label_smoothing,
            class_weights: draft.training.class_weights.unwrap_or_default(),
            clip_norm: draft.training.clip_norm,
            ema: draft.training.ema,
            loss: draft.training.loss,
            dropout: draft.training.dropout,
        }),
        augment: Some(v1::AugmentSpec {
            rotate: draft.augment.rotate,
            flip: draft.augment.flip,
            shift: draft.augment.shift,
            brightness: draft.augment.brightness,
            contrast: draft.augment.contrast,
            scale: draft.augment.scale,
            noise: draft.augment.noise,
            drop: draft.augment.drop,
        }),
        shadows: Some(v1::ShadowSpec {
            count: draft.shadows.count,
            block: draft.shadows.block,
            population: draft.shadows.population,
        }),
        queries: Some(v1::QuerySpec { views: draft.queries.views }),
        statistics: Some(v1::StatisticsSpec {
            attacks: draft.statistics.attacks.unwrap_or_default(),
            variance: draft.statistics.variance,
            center: draft.statistics.center,
            counts: draft.statistics.counts,
            offline: draft.statistics.offline,
            temperature: draft.statistics.temperature,
            fdr: draft.statistics.fdr,
            looks: draft.statistics.looks,
            bootstrap: draft.statistics.bootstrap,
            delta: draft.statistics.delta,
            intersections: crossed.map(|attributes| v1::Intersection { attributes }).collect(),
        }),
        placement: Some(v1::PlacementSpec {
            pack: draft.placement.pack,
            checkpoint_steps: draft.placement.checkpoint_steps,
            priority: draft.placement.priority,
            weight: draft.placement.weight,
            max_slots: draft.placement.max_slots,
            keep_weights: draft.placement.keep_weights,
        }),
    }
}

/// A specification without what says how urgent it is and what is kept of it: what names an audit. An audit that is
/// submitted again with another priority is the same audit.
pub fn named_by(mut spec: v1::AuditSpec) -> v1::AuditSpec {
    if let Some(placement) = &mut spec.placement {
        (placement.priority, placement.weight, placement.max_slots) = (None, None, None);
        placement.keep_weights = None;
    }
    spec
}

/// The request id of a specification on data with this digest: the same file on the same data is the same
/// request.
pub fn request_id(spec: &AuditSpec, data: &Digest) -> String {
    let mut hasher = FieldHasher::new("umbra request v1");
    hasher.put("spec", &named_by(spec_to(spec)).encode_to_vec());
    hasher.put("data", data.as_bytes());
    hasher.finish().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an earlier version stored has no such fields.
    #[test]
    fn a_spec_without_later_fields_has_their_defaults() {
        let message = v1::AuditSpec {
            name: "a".into(),
            dataset: "d".into(),
            model: Some(v1::ModelSpec {
                architecture: "logistic".into(),
                widths: vec![],
                ..Default::default()
            }),
            training: Some(v1::TrainingSpec {
                learning_rate: Some(0.1),
                batch: Some(8),
                epochs: Some(1),
                ..Default::default()
            }),
            statistics: Some(v1::StatisticsSpec {
                attacks: vec!["lira-online".into()],
                variance: Some("shrunk".into()),
                fdr: Some(0.05),
                ..Default::default()
            }),
            ..Default::default()
        };
        let statistics = AuditSpec::try_new(&draft_from(message)).unwrap().statistics().clone();
        assert_eq!((statistics.center().name(), statistics.counts().name()), ("mean", "equal"));
        assert_eq!((statistics.looks(), statistics.bootstrap(), statistics.delta()), (1, 400, 1e-5));
    }

    #[test]
    fn a_spec_survives_the_wire() {
        let drafts = [
            ("mlp", vec![256, 256], Some("sgd"), Some(0.5), None),
            ("wrn", vec![], Some("sgd"), None, None),
            ("logistic", vec![], Some("adamw"), None, Some(0.8)),
        ];
        for (architecture, widths, optimizer, momentum, beta1) in drafts {
            let draft = SpecDraft {
                name: "a".into(),
                seed: u64::MAX,
                dataset: "d".into(),
                model: ModelDraft { architecture: architecture.into(), widths, ..ModelDraft::default() },
                training: TrainingDraft {
                    optimizer: optimizer.map(Into::into),
                    learning_rate: Some(0.05),
                    momentum,
                    beta1,
                    batch: Some(3),
                    epochs: Some(4),
                    warmup_epochs: Some(0.5),
                    schedule: Some("step".into()),
                    step_epochs: Some(1.5),
                    label_smoothing: Some(0.1),
                    class_weights: Some(vec![1.0, 2.5]),
                    clip_norm: Some(3.0),
                    ema: Some(0.99),
                    loss: Some("bce".into()),
                    dropout: (architecture != "logistic").then_some(0.125),
                    ..TrainingDraft::default()
                },
                augment: AugmentDraft {
                    rotate: Some(15.0),
                    noise: Some(0.25),
                    drop: Some(0.1),
                    ..AugmentDraft::default()
                },
                statistics: StatisticsDraft {
                    attacks: Some(vec!["base".into(), "lira-offline".into()]),
                    center: Some("median".into()),
                    looks: Some(3),
                    delta: Some(1e-6),
                    intersections: Some(vec![vec!["sex".into(), "race".into()]]),
                    ..StatisticsDraft::default()
                },
                placement: PlacementDraft {
                    priority: Some(-7),
                    weight: Some(30),
                    max_slots: Some(4),
                    keep_weights: Some(true),
                    ..PlacementDraft::default()
                },
                ..SpecDraft::default()
            };
            let spec = AuditSpec::try_new(&draft).unwrap();
            assert_eq!(AuditSpec::try_new(&draft_from(spec_to(&spec))).unwrap(), spec);
            let calm = SpecDraft { placement: PlacementDraft::default(), ..draft.clone() };
            let calm = AuditSpec::try_new(&calm).unwrap();
            let (spec, calm) = (spec_to(&spec), spec_to(&calm));
            assert!(spec != calm && named_by(spec) == named_by(calm.clone()));
            assert_eq!(named_by(calm.clone()), calm, "names from before these fields stay");
        }
    }
}
