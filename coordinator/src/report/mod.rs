//! The findings' files: what an analysis and the facts about its audit become for people and programs.
//!
//! [`StreamedFiles`] takes scores and records while they are computed and writes `scores-<attack>.npy` and
//! `records.parquet`; [`write_all`] writes the rest of an audit's folder: `summary.json`, `patients.parquet`,
//! `membership.npy`, `report.html` and `run.json`; [`write_tables`] writes the part that needs no audit. The
//! same findings give the same bytes on every machine; only `run.json` knows times, hosts and workers.

mod chart;
mod error;
mod groups;
mod json;
mod npy;
mod numbers;
mod output;
mod page;
mod parquet;
mod run;
mod scores;
mod streamed;
mod subject;
mod summary;
mod tables;
mod utility;
mod words;
mod write;

pub use error::ReportError;
pub use output::FindingsFile;
pub use page::report_html;
pub use run::{RunFacts, WorkerFacts};
pub use scores::ScoreFiles;
pub use streamed::{StreamedFiles, Strongest};
pub use subject::{Dataset, Rows, Subject, Tables};
pub use summary::summary_json;
pub use write::{write_all, write_tables};
