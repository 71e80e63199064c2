//! `summary.json`: every figure, for programs. No time, host or path.

use serde::Serialize;
use umbra_stats::{Analysis, AttackResult, FPR_KEYS, Figures};

use super::error::ReportError;
use super::groups::AttributePart;
use super::json::{self, Ordered};
use super::subject::{Dataset, Tables};
use super::utility::{self, Side};

/// [`umbra_stats::RECOGNISABLE`] as keys.
const LEVEL_KEYS: [&str; 3] = ["0.75", "0.9", "0.99"];

/// The bytes of `summary.json`.
///
/// # Errors
/// If the figures cannot be encoded.
pub fn summary_json(tables: &Tables<'_>, analysis: &Analysis) -> Result<Vec<u8>, ReportError> {
    let attacks = analysis.attacks.iter().map(|a| (a.attack.name(), attack(a))).collect();
    let summary = &analysis.summary;
    let (limit, records) = (&summary.limit, &analysis.records);
    let (inside, outside) = utility::sides(&analysis.utility);
    let document = Summary {
        attacks: Ordered(attacks),
        records: RecordsPart {
            records: records.records,
            scored: records.scored,
            mean_auc: records.mean_auc,
            mean_binormal_auc: records.mean_binormal_auc,
        },
        patients: PatientsPart {
            units: summary.units,
            detected: summary.detected,
            recognisable: Ordered(LEVEL_KEYS.into_iter().zip(summary.recognisable).collect()),
            mirror: summary.mirror,
            mean_auc: summary.mean_auc,
            fdr: tables.fdr,
            bound_alpha: summary.bound_alpha,
            detection_limit: LimitPart {
                patients: limit.patients,
                least_p: limit.least_p,
                least_q: limit.least_q,
                detectable_auc: limit.detectable_auc,
                null_sd: limit.null_sd,
                bound_alone: limit.bound_alone,
                bound_worst: limit.bound_worst,
            },
        },
        groups: analysis.attributes.iter().map(AttributePart::of).collect(),
        utility: UtilityPart { inside: side(&inside), outside: side(&outside) },
        design: DesignPart { shadows: tables.shadows, block: tables.block, lost: tables.lost },
        dataset: tables.dataset.as_ref().map(dataset),
    };
    json::encode("summary.json", &document)
}

#[derive(Serialize)]
struct Summary<'a> {
    attacks: Ordered<&'static str, AttackPart>,
    records: RecordsPart,
    patients: PatientsPart,
    groups: Vec<AttributePart<'a>>,
    utility: UtilityPart,
    design: DesignPart<'a>,
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
}

#[derive(Serialize)]
struct PatientsPart {
    units: usize,
    detected: usize,
    recognisable: Ordered<&'static str, usize>,
    mirror: usize,
    mean_auc: f64,
    fdr: f64,
    bound_alpha: f64,
    detection_limit: LimitPart,
}

#[derive(Serialize)]
struct LimitPart {
    patients: usize,
    least_p: f64,
    least_q: f64,
    detectable_auc: f64,
    null_sd: f64,
    bound_alone: f64,
    bound_worst: f64,
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
}

#[derive(Serialize)]
struct DatasetPart<'a> {
    name: &'a str,
    digest: String,
    records: u64,
    units: u64,
    features: u32,
    classes: u32,
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
    }
}
