//! What a design can show, for programs.

use serde::Serialize;
use umbra_stats::DetectionLimit;

/// [`DetectionLimit`] as `summary.json` and plans write it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the detection limit")]
pub struct LimitFigures {
    pub patients: usize,
    pub least_p: f64,
    pub least_q: f64,
    pub detectable_auc: f64,
    pub null_sd: f64,
    pub bound_alone: f64,
    pub bound_worst: f64,
    pub certifiable_alone: f64,
    pub certifiable_worst: f64,
    pub epsilon_alone: f64,
    pub epsilon_worst: f64,
}

impl From<&DetectionLimit> for LimitFigures {
    fn from(limit: &DetectionLimit) -> Self {
        Self {
            patients: limit.patients,
            least_p: limit.least_p,
            least_q: limit.least_q,
            detectable_auc: limit.detectable_auc,
            null_sd: limit.null_sd,
            bound_alone: limit.bound_alone,
            bound_worst: limit.bound_worst,
            certifiable_alone: limit.certifiable_alone,
            certifiable_worst: limit.certifiable_worst,
            epsilon_alone: limit.epsilon_alone,
            epsilon_worst: limit.epsilon_worst,
        }
    }
}
