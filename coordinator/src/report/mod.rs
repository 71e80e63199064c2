//! The findings' files: what an analysis and the facts about its audit become for people and programs.
//!
//! [`FindingsFiles`] is the sink of an analysis: it writes `records.parquet`, `patients.parquet` and
//! `scores-<attack>.npy` while their rows are computed. [`write_all`] then adds the rest of an audit's
//! folder, `membership.npy`, `report.html`, `run.json` and `summary.json`; [`write_summary`] adds the part
//! that needs no audit. The same findings give the same bytes on every machine; only `run.json` knows
//! times, hosts and workers.

mod chart;
mod error;
mod exposed;
mod files;
mod groups;
mod json;
mod limit;
mod names;
mod npy;
mod numbers;
mod output;
mod page;
mod parquet;
mod run;
mod scores;
mod subject;
mod summary;
mod tables;
mod utility;
mod words;
mod write;

pub use error::ReportError;
pub use files::FindingsFiles;
pub use limit::LimitFigures;
pub use names::{DatasetUnits, LabelNames, Names, Numbered, SourceRows};
pub use output::FindingsFile;
pub use page::report_html;
pub use run::{RunFacts, WorkerFacts};
pub use scores::ScoreFiles;
pub use subject::{Dataset, DesignWords, Rows, Subject, Tables};
pub use summary::summary_json;
pub use tables::{Gathered, TableFiles};
pub use write::{write_all, write_summary};
