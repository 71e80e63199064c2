//! `summary.json`: every figure, for programs. No time, host or path.

use serde::Serialize;
use umbra_core::shape::Targets;
use umbra_stats::{Analysis, AttackResult, Calibrated, Config, FPR_KEYS, Figures, Interval};

use super::error::ReportError;
use super::groups::AttributePart;
use super::json::{self, Ordered};
use super::limit::LimitFigures;
use super::subject::{Dataset, Tables};
use super::utility::{self, Side};
use super::words;

/// [`umbra_stats::RECOGNISABLE`] as keys.
const LEVEL_KEYS: [&str; 3] = ["0.75", "0.9", "0.99"];

/// [`umbra_stats::EXTRAPOLATED_FPRS`] as keys.
pub(super) const EXTRAPOLATED_KEYS: [&str; 2] = ["0.01", "0.001"];

/// The bytes of `summary.json`.
///
/// # Errors
/// If the figures cannot be encoded.
pub fn summary_json(tables: &Tables<'_>, analysis: &Analysis) -> Result<Vec<u8>, ReportError> {
    let attacks = analysis.attacks.iter().map(|a| (a.attack.name(), attack(a))).collect();
    let summary = &analysis.summary;
    let records = &analysis.records;
    let (inside, outside) = utility::sides(&analysis.utility);
    let null = &analysis.extrapolation;
    let nulls = null.null_mean.into_iter().zip(null.null_p99).map(|(mean, p99)| NullPart { mean, p99 });
    let document = Summary {
        attacks: Ordered(attacks),
        records: RecordsPart {
            records: records.records,
            scored: records.scored,
            mean_auc: records.mean_auc,
            mean_binormal_auc: records.mean_binormal_auc,
            extrapolated_tpr_null: Ordered(EXTRAPOLATED_KEYS.into_iter().zip(nulls).collect()),
        },
        patients: PatientsPart {
            units: summary.units,
            detected: summary.detected,
            recognisable: Ordered(LEVEL_KEYS.into_iter().zip(summary.recognisable).collect()),
            mirror: summary.mirror,
            mean_auc: summary.mean_auc,
            fdr: tables.config.fdr,
            bound_alpha: summary.bound_alpha,
            detection_limit: LimitFigures::from(&summary.limit),
            looks: summary.looks,
            detected_anytime: summary.detected_anytime,
            epsilon_worst: summary.epsilon_worst,
            delta: summary.delta,
            survival: SurvivalPart {
                auc: &analysis.survival.auc,
                observed: &analysis.survival.observed,
                null: &analysis.survival.null,
                low: &analysis.survival.low,
                high: &analysis.survival.high,
            },
        },
        groups: analysis.attributes.iter().map(AttributePart::of).collect(),
        utility: UtilityPart { inside: side(&inside), outside: side(&outside) },
        design: DesignPart {
            shadows: tables.shadows,
            block: tables.design.block,
            lost: tables.lost,
            name: &tables.design.name,
            explanation: &tables.design.explanation,
            warnings: &tables.design.warnings,
        },
        settings: settings(tables.config),
        caveats: words::CAVEATS,
        dataset: tables.dataset.as_ref().map(dataset),
    };
    json::encode("summary.json", &document)
}

#[derive(Serialize)]
struct Summary<'a> {
    attacks: Ordered<&'static str, AttackPart>,
    records: RecordsPart,
    patients: PatientsPart<'a>,
    groups: Vec<AttributePart<'a>>,
    utility: UtilityPart,
    design: DesignPart<'a>,
    settings: SettingsPart<'a>,
    caveats: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<DatasetPart<'a>>,
}

#[derive(Serialize)]
struct AttackPart {
    #[serde(flatten)]
    pooled: FiguresPart,
    targets: usize,
    scored: u64,
    dropped: u64,
    floored: u64,
    per_target: PerTargetPart,
    interval: Option<IntervalPart>,
    calibrated: Option<CalibratedPart>,
}

/// The ends of 95 % intervals, and how many sampling units they rest on.
#[derive(Serialize)]
struct IntervalPart {
    low: FiguresPart,
    high: FiguresPart,
    patients: usize,
    shadows: usize,
}

#[derive(Serialize)]
struct CalibratedPart {
    #[serde(flatten)]
    pooled: FiguresPart,
    scored: u64,
}

#[derive(Serialize)]
struct PerTargetPart {
    mean: FiguresPart,
    sd: FiguresPart,
}

#[derive(Serialize)]
struct FiguresPart {
    auc: f64,
    balanced_accuracy: f64,
    tpr_at_fpr: Ordered<&'static str, f64>,
}

#[derive(Serialize)]
struct RecordsPart {
    records: usize,
    scored: usize,
    mean_auc: f64,
    mean_binormal_auc: f64,
    extrapolated_tpr_null: Ordered<&'static str, NullPart>,
}

/// What an extrapolated true positive rate is where nothing leaks.
#[derive(Serialize)]
struct NullPart {
    mean: f64,
    p99: f64,
}

#[derive(Serialize)]
struct PatientsPart<'a> {
    units: usize,
    detected: usize,
    recognisable: Ordered<&'static str, usize>,
    mirror: usize,
    mean_auc: f64,
    fdr: f64,
    bound_alpha: f64,
    detection_limit: LimitFigures,
    looks: u32,
    detected_anytime: usize,
    epsilon_worst: f64,
    delta: f64,
    survival: SurvivalPart<'a>,
}

/// Shares of patients whose AUC is at least `auc`.
#[derive(Serialize)]
struct SurvivalPart<'a> {
    auc: &'a [f64],
    observed: &'a [f64],
    null: &'a [f64],
    low: &'a [f64],
    high: &'a [f64],
}

/// Means over the shadows that gave signals.
#[derive(Serialize)]
struct UtilityPart {
    inside: SidePart,
    outside: SidePart,
}

#[derive(Serialize)]
struct SidePart {
    records: f64,
    accuracy: f64,
    log_loss: f64,
    auc: f64,
}

#[derive(Serialize)]
struct DesignPart<'a> {
    shadows: u32,
    block: Option<u32>,
    lost: &'a [u32],
    name: &'a str,
    explanation: &'a str,
    warnings: &'a [String],
}

/// What every figure depends on besides the logits.
#[derive(Serialize)]
struct SettingsPart<'a> {
    attacks: Vec<&'a str>,
    variance: &'a str,
    center: &'a str,
    counts: &'a str,
    multivariate: bool,
    base_offline: bool,
    rmia_a: Option<f64>,
    gamma: f64,
    temperature: f64,
    permutations: usize,
    bootstrap: usize,
    intersections: &'a [(String, String)],
}

#[derive(Serialize)]
struct DatasetPart<'a> {
    name: &'a str,
    digest: String,
    records: u64,
    units: u64,
    features: u32,
    classes: u32,
    /// Whether `classes` counts labels, several a record.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    several_labels: bool,
}

fn side(side: &Side) -> SidePart {
    SidePart {
        records: side.records.mean,
        accuracy: side.accuracy.mean,
        log_loss: side.log_loss.mean,
        auc: side.auc.mean,
    }
}

fn attack(result: &AttackResult) -> AttackPart {
    AttackPart {
        pooled: figures(&result.figures),
        targets: result.targets,
        scored: result.scored,
        dropped: result.dropped,
        floored: result.floored,
        per_target: PerTargetPart {
            mean: figures(&result.per_target.mean),
            sd: figures(&result.per_target.sd),
        },
        interval: result.interval.as_ref().map(interval),
        calibrated: result.calibrated.as_ref().map(calibrated),
    }
}

fn interval(interval: &Interval) -> IntervalPart {
    IntervalPart {
        low: figures(&interval.low),
        high: figures(&interval.high),
        patients: interval.patients,
        shadows: interval.shadows,
    }
}

fn calibrated(calibrated: &Calibrated) -> CalibratedPart {
    CalibratedPart { pooled: figures(&calibrated.figures), scored: calibrated.scored }
}

fn settings(config: &Config) -> SettingsPart<'_> {
    SettingsPart {
        attacks: config.attacks.iter().map(|attack| attack.name()).collect(),
        variance: config.variance.name(),
        center: config.center.name(),
        counts: config.counts.name(),
        multivariate: config.multivariate,
        base_offline: config.base_offline,
        rmia_a: config.rmia_a,
        gamma: config.gamma,
        temperature: config.temperature,
        permutations: config.permutations,
        bootstrap: config.bootstrap,
        intersections: &config.intersections,
    }
}

fn figures(figures: &Figures) -> FiguresPart {
    FiguresPart {
        auc: figures.auc,
        balanced_accuracy: figures.balanced_accuracy,
        tpr_at_fpr: Ordered(FPR_KEYS.into_iter().zip(figures.tpr_at_fpr).collect()),
    }
}

fn dataset<'a>(dataset: &Dataset<'a>) -> DatasetPart<'a> {
    DatasetPart {
        name: dataset.name,
        digest: dataset.digest.to_string(),
        records: dataset.shape.records,
        units: dataset.shape.units,
        features: dataset.shape.features,
        classes: dataset.shape.classes,
        several_labels: dataset.shape.targets == Targets::Labels,
    }
}
