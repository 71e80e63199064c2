//! What an audit will take and what it can show, before anything is spent.

use serde_json::{Value, json};
use umbra_coordinator::report::LimitFigures;
use umbra_core::plan::plan;
use umbra_core::shape::DataShape;
use umbra_core::spec::AuditSpec;
use umbra_stats::{Config, Design, DetectionLimit, RECOGNISABLE, StatsError, detection_limit};
use umbra_train::TrainError;
use umbra_train::cpu::CpuSizes;
use umbra_train::network::{Cost, Network};

use crate::human;
use crate::output::pairs;

/// Floating-point operations a second of one core, as a rough range: AVX2 on an old one, AVX-512 on a new
/// one. Nothing is measured.
const CORE: (f64, f64) = (30e9, 150e9);

/// Work, room and limits of an audit.
#[derive(Debug, Clone)]
pub struct Forecast {
    spec: AuditSpec,
    shape: DataShape,
    /// Bytes of the encoded data set.
    data_bytes: u64,
    packs: usize,
    steps: u64,
    cost: Cost,
    limit: DetectionLimit,
}

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// The model does not fit the data.
    #[error(transparent)]
    Model(#[from] TrainError),
    /// The statistics cannot be computed.
    #[error(transparent)]
    Statistics(#[from] StatsError),
}

impl Forecast {
    /// Of an audit of data of this shape, which takes so many bytes encoded.
    ///
    /// # Errors
    /// If the model does not fit the data, or the statistics cannot be computed for these shadows.
    pub fn of(spec: AuditSpec, shape: DataShape, data_bytes: u64) -> Result<Self, ForecastError> {
        let work = plan(&spec, &shape);
        let network = Network::new(spec.model(), spec.training(), &shape)?;
        let cost = network.cost(spec.training(), &CpuSizes);
        let shadows = spec.shadows();
        let statistics = spec.statistics();
        let config = Config {
            fdr: statistics.fdr(),
            looks: statistics.looks(),
            delta: statistics.delta(),
            ..Config::default()
        };
        // Those that are reserved are not tested.
        let patients = (shape.units as f64 * (1.0 - shadows.population())).round() as usize;
        let design = Design::blocks(shadows.block() as usize);
        let limit = detection_limit(&design, shadows.count() as usize, patients, &config)?;
        Ok(Self { shape, data_bytes, packs: work.packs.len(), steps: work.steps, cost, limit, spec })
    }

    /// Floating-point operations of all shadows, training and queries.
    fn flops(&self) -> f64 {
        let trained = self.steps as f64 * f64::from(self.spec.training().batch());
        let queried = self.shape.records as f64 * f64::from(self.spec.queries().views());
        let shadow = trained * self.cost.train_flops as f64 + queried * self.cost.query_flops as f64;
        f64::from(self.spec.shadows().count()) * shadow
    }

    /// Bytes of all logits before compression, and of all scores.
    fn bytes(&self) -> (u64, u64) {
        let pairs = self.shape.records.saturating_mul(u64::from(self.spec.shadows().count()));
        let attacks = self.spec.statistics().attacks().len() as u64;
        let views = u64::from(self.spec.queries().views());
        let width = u64::from(self.spec.training().logits(&self.shape));
        let logits = pairs.saturating_mul(4 * width).saturating_mul(views);
        (logits, pairs.saturating_mul(8 * attacks))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let (shadows, (logits, scores)) = (self.spec.shadows(), self.bytes());
        let flops = self.flops();
        json!({
            "name": self.spec.name().as_str(),
            "shape": {
                "records": self.shape.records, "units": self.shape.units,
                "features": self.shape.features, "classes": self.shape.classes,
            },
            "shadows": shadows.count(),
            "block": shadows.block(),
            "packs": self.packs,
            "views": self.spec.queries().views(),
            "steps": self.steps,
            "batch": self.spec.training().batch(),
            "parameters": self.cost.parameters,
            "flops": flops,
            "core_seconds_estimate": { "low": flops / CORE.1, "high": flops / CORE.0, "measured": false },
            "bytes": {
                "data": self.data_bytes,
                "slot": self.cost.bytes.saturating_add(self.cost.host_bytes),
                "logits": logits,
                "scores": scores,
            },
            "limit": self.limit_json(),
        })
    }

    /// The limit, with what it was computed for.
    fn limit_json(&self) -> Value {
        let mut limit = json!(LimitFigures::from(&self.limit));
        limit["fdr"] = json!(self.spec.statistics().fdr());
        limit["looks"] = json!(self.spec.statistics().looks());
        limit
    }

    /// For people.
    pub fn text(&self) -> String {
        let (limit, shadows, (logits, scores)) = (&self.limit, self.spec.shadows(), self.bytes());
        let flops = self.flops();
        let slot = self.cost.bytes.saturating_add(self.cost.host_bytes);
        let detectable = if limit.detectable_auc.is_nan() {
            format!("no patient can be detected alone: use more than {} shadows", shadows.count())
        } else {
            format!("a patient who leaks alone is detected from an AUC of about {:.2}", limit.detectable_auc)
        };
        pairs(&[
            ("audit", self.spec.name().to_string()),
            ("data set", self.shape_text()),
            (
                "shadows",
                format!(
                    "{} in blocks of {}, each trained on a random half of the patients",
                    human::thousands(u64::from(shadows.count())),
                    shadows.block()
                ),
            ),
            (
                "work",
                format!(
                    "{} of up to {} shadows, {} of {} records a shadow, {} of each record",
                    human::count(self.packs as u64, "pack"),
                    self.spec.placement().pack(),
                    human::count(self.steps, "step"),
                    human::thousands(u64::from(self.spec.training().batch())),
                    human::count(u64::from(self.spec.queries().views()), "view")
                ),
            ),
            (
                "operations",
                format!(
                    "{} in all, for {} a shadow",
                    operations(flops),
                    human::count(self.cost.parameters, "parameter")
                ),
            ),
            (
                "time",
                format!(
                    "roughly {} to {} on one core, if it does 150 to 30 GFLOP/s (an assumption: nothing was \
                     measured)",
                    human::duration(flops / CORE.1),
                    human::duration(flops / CORE.0)
                ),
            ),
            (
                "memory",
                format!(
                    "{} a slot, beside the data set's {}",
                    human::bytes(slot),
                    human::bytes(self.data_bytes)
                ),
            ),
            (
                "disk",
                format!(
                    "logits {} before compression, scores {}",
                    human::bytes(logits),
                    human::bytes(scores)
                ),
            ),
            (
                "least p",
                format!(
                    "{}; q of a patient alone among {}: {}",
                    small(limit.least_p),
                    human::thousands(limit.patients as u64),
                    small(limit.least_q)
                ),
            ),
            ("detection", detectable),
            (
                "certainty",
                format!(
                    "at an AUC of 1 the lower bound is {:.3} taken alone, {:.3} as the only one detected",
                    limit.bound_alone, limit.bound_worst
                ),
            ),
            (
                "levels",
                format!(
                    "{} can be certified taken alone, {} as the only one detected",
                    levels(limit.certifiable_alone),
                    levels(limit.certifiable_worst)
                ),
            ),
            (
                "epsilon",
                format!(
                    "at most {:.2} can be proven taken alone, {:.2} as the only one detected",
                    limit.epsilon_alone, limit.epsilon_worst
                ),
            ),
        ])
    }

    fn shape_text(&self) -> String {
        format!(
            "{} of {}, {}, {} classes",
            human::count(self.shape.records, "record"),
            human::count(self.shape.units, "unit"),
            human::count(u64::from(self.shape.features), "feature"),
            self.shape.classes
        )
    }
}

/// `5.2 TFLOP`.
fn operations(flops: f64) -> String {
    const UNITS: [&str; 6] = ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"];
    let mut value = flops;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A probability with two digits.
fn small(p: f64) -> String {
    if p >= 0.001 { format!("{p:.2}") } else { format!("{p:.1e}") }
}

/// The levels up to the highest that can be reached.
fn levels(highest: f64) -> String {
    let reached: Vec<String> = RECOGNISABLE
        .iter()
        .filter(|&&level| level <= highest)
        .map(|level| format!("{level}").trim_start_matches('0').to_owned())
        .collect();
    if reached.is_empty() { "no level".to_owned() } else { format!("an AUC of {}", reached.join(", ")) }
}

#[cfg(test)]
mod tests {
    use umbra_core::spec::{AugmentDraft, ModelDraft, QueriesDraft, ShadowsDraft, SpecDraft, TrainingDraft};

    use super::*;

    fn forecast(shadows: u32) -> Forecast {
        let draft = SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "mlp".into(), widths: vec![256, 256], ..ModelDraft::default() },
            training: TrainingDraft {
                learning_rate: Some(0.05),
                batch: Some(256),
                epochs: Some(40),
                ..TrainingDraft::default()
            },
            shadows: ShadowsDraft { count: Some(shadows), block: None, population: None },
            ..SpecDraft::default()
        };
        let shape = DataShape::table(9105, 9105, 64, 2);
        Forecast::of(AuditSpec::try_new(&draft).unwrap(), shape, 3 << 20).unwrap()
    }

    #[test]
    fn work_and_limits_are_those_counted_by_hand() {
        let json = forecast(64).json();
        assert_eq!((json["packs"].as_u64(), json["steps"].as_u64()), (Some(16), Some(712)));
        // 712 steps of 256 records, forward and backward, and one query of each record.
        let train = 2.0 * (2.0 * 64.0 * 256.0 + 3.0 * 65_536.0 + 3.0 * 512.0);
        let query = 2.0 * (64.0 * 256.0 + 65_536.0 + 512.0);
        let flops = 64.0 * (712.0 * 256.0 * train + 9105.0 * query);
        assert_eq!(json["flops"].as_f64(), Some(flops));
        assert_eq!(json["bytes"]["scores"].as_u64(), Some(9105 * 64 * 8 * 2));
        // Perfect in every of the four blocks: C(16, 8)^-4.
        let least = 12_870f64.powi(-4);
        assert!((json["limit"]["least_p"].as_f64().unwrap() / least - 1.0).abs() < 1e-9);
        // .05^(1/32) and (.05/9105)^(1/32).
        let bound = |key: &str| json["limit"][key].as_f64().unwrap();
        assert!((bound("bound_alone") - 0.9106).abs() < 1e-4 && (bound("bound_worst") - 0.6849).abs() < 1e-4);
    }

    #[test]
    fn every_view_is_a_query_with_logits_of_its_own() {
        let one = forecast(64);
        let mut draft = one.spec.to_draft();
        draft.augment = AugmentDraft { noise: Some(0.1), ..AugmentDraft::default() };
        draft.queries = QueriesDraft { views: Some(5) };
        let spec = AuditSpec::try_new(&draft).unwrap();
        let (one, five) = (one.json(), Forecast::of(spec, one.shape, 3 << 20).unwrap().json());
        assert_eq!(five["bytes"]["logits"].as_u64(), Some(5 * 9105 * 64 * 2 * 4));
        let query = 2.0 * (64.0 * 256.0 + 65_536.0 + 512.0);
        let more = five["flops"].as_f64().unwrap() - one["flops"].as_f64().unwrap();
        assert_eq!(more, 4.0 * 64.0 * 9105.0 * query);
    }

    #[test]
    fn two_classes_take_one_logit_where_the_recipe_says_so() {
        let two = forecast(64);
        let mut draft = two.spec.to_draft();
        draft.training.loss = Some("bce".into());
        let spec = AuditSpec::try_new(&draft).unwrap();
        let (one, two) = (Forecast::of(spec, two.shape, 3 << 20).unwrap().json(), two.json());
        assert_eq!(one["bytes"]["logits"].as_u64(), Some(9105 * 64 * 4));
        // A weight for each of 256 hidden units, and a bias.
        assert_eq!(two["parameters"].as_u64().unwrap() - one["parameters"].as_u64().unwrap(), 257);
    }

    #[test]
    fn a_smoke_test_is_called_what_it_is() {
        let text = forecast(8).text();
        assert!(text.contains("no patient can be detected alone: use more than 8 shadows"), "{text}");
        assert!(text.contains("no level as the only one detected"), "{text}");
        let text = forecast(64).text();
        assert!(text.contains("an AUC of .75, .9 can be certified taken alone"), "{text}");
        assert!(text.contains("16 packs of up to 4 shadows, 712 steps of 256 records a shadow"), "{text}");
    }
}
