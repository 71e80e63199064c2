//! `run.json`: when, where and by whom the work was done. The only file that knows.

use serde::Serialize;

use super::error::ReportError;
use super::json;

/// What happened while an audit ran; no finding depends on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunFacts {
    /// When the audit was submitted, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// When its findings were written, milliseconds since 1970.
    pub ended_unix_ms: u64,
    /// Seconds from the first pack's start to the last pack's report.
    pub training_seconds: f64,
    /// Seconds of the statistics.
    pub statistics_seconds: f64,
    /// The coordinator's host.
    pub host: String,
    /// The coordinator's version.
    pub version: String,
    /// Who trained.
    pub workers: Vec<WorkerFacts>,
    /// Packs of the plan.
    pub packs: u64,
    /// Packs whose results were there before.
    pub packs_reused: u64,
    /// Packs that went on from a checkpoint.
    pub packs_resumed: u64,
    /// Packs whose shadows another audit had trained, and that were asked only.
    pub packs_queried: u64,
}

/// One worker's part.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WorkerFacts {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its host.
    pub host: String,
    /// Its slots.
    pub slots: u32,
    /// Packs it reported.
    pub packs: u64,
}

/// The bytes of `run.json`.
pub(super) fn run_json(run: &RunFacts) -> Result<Vec<u8>, ReportError> {
    json::encode("run.json", run)
}
