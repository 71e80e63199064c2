//! The learning rate of a step.

use umbra_core::spec::{Schedule, Training};

/// The learning rate over the steps of one shadow, with T steps of which W warm up:
///
/// - step t < W: `peak (t + 1) / W`;
/// - constant: `peak`;
/// - cosine: `peak (1 + cos(pi (t - W) / (T - W))) / 2`, which is PyTorch's `CosineAnnealingLR` with
///   `T_max = T - W`, stepped once per batch after the warm-up;
/// - step: `peak factor^floor((t - W) E / (T n))` for E epochs in all and n from step to step.
///
/// W is `round(T warmup_epochs / epochs)`.
#[derive(Debug, Clone, Copy)]
pub struct LearningRate {
    peak: f64,
    schedule: Schedule,
    steps: u64,
    warmup: u64,
    epochs: f64,
}

impl LearningRate {
    /// The rates of `training` over `steps` steps.
    pub fn new(training: &Training, steps: u64) -> Self {
        let share = (training.warmup_epochs() / f64::from(training.epochs())).clamp(0.0, 1.0);
        let warmup = libm::round(share * steps as f64) as u64;
        Self {
            peak: training.learning_rate(),
            schedule: training.schedule(),
            steps,
            warmup,
            epochs: f64::from(training.epochs()),
        }
    }

    /// The rate of step `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        match self.schedule {
            Schedule::Constant => self.peak,
            Schedule::Step { epochs, factor } => {
                let passed = (step - self.warmup) as f64 * self.epochs / self.steps.max(1) as f64;
                self.peak * libm::pow(factor, (passed / epochs).floor())
            }
            Schedule::Cosine => {
                let span = (self.steps - self.warmup).max(1) as f64;
                let phase = (step - self.warmup) as f64 / span;
                self.peak * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * phase))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::spec::{AuditSpec, ModelDraft, SpecDraft, TrainingDraft};

    use super::*;

    #[test]
    fn a_step_schedule_falls_every_few_epochs() {
        let draft = TrainingDraft { step_epochs: Some(4.0), step_factor: Some(0.5), ..training("step", 0.0) };
        // Ten epochs of two steps each.
        let rate = of(draft, 20);
        let found: Vec<f64> = [0, 7, 8, 15, 16, 19].map(|step| rate.at(step)).to_vec();
        assert_eq!(found, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]);
    }

    fn rates(schedule: &str, warmup: f64) -> LearningRate {
        of(training(schedule, warmup), 10)
    }

    fn training(schedule: &str, warmup: f64) -> TrainingDraft {
        TrainingDraft {
            learning_rate: Some(0.1),
            batch: Some(1),
            epochs: Some(10),
            schedule: Some(schedule.into()),
            warmup_epochs: Some(warmup),
            ..TrainingDraft::default()
        }
    }

    fn of(training: TrainingDraft, steps: u64) -> LearningRate {
        let draft = SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "logistic".into(), ..ModelDraft::default() },
            training,
            ..SpecDraft::default()
        };
        LearningRate::new(AuditSpec::try_new(&draft).unwrap().training(), steps)
    }

    #[test]
    fn cosine_is_that_of_pytorch() {
        // torch 2.15.0: CosineAnnealingLR(SGD(lr=0.1), T_max=10), get_last_lr() before each of steps 0..10.
        let expected = [
            0.1,
            0.097_552_825_814_757_68,
            0.090_450_849_718_747_38,
            0.079_389_262_614_623_67,
            0.065_450_849_718_747_39,
            0.050_000_000_000_000_01,
            0.034_549_150_281_252_64,
            0.020_610_737_385_376_353,
            0.009_549_150_281_252_635,
            0.002_447_174_185_242_324,
        ];
        let rate = rates("cosine", 0.0);
        for (step, expected) in expected.into_iter().enumerate() {
            assert!((rate.at(step as u64) - expected).abs() < 1e-15, "{step}");
        }
    }

    #[test]
    fn warm_up_rises_to_the_peak_and_the_cosine_starts_there() {
        let rate = rates("cosine", 4.0);
        let first: Vec<f64> = (0..5).map(|step| rate.at(step)).collect();
        assert_eq!(first, [0.025, 0.05, 0.075_000_000_000_000_01, 0.1, 0.1]);
        // Half of the remaining six steps: the cosine's middle.
        assert!((rate.at(7) - 0.05).abs() < 1e-15);
        let constant = rates("constant", 10.0);
        assert_eq!((constant.at(9), constant.at(0)), (0.1, 0.01));
    }
}
