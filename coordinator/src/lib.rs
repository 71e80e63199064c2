//! The coordinator: it takes audits, schedules their packs on workers, takes in the logits and computes the
//! findings.
//!
//! [`serve`] is the only way in, for the daemon, for `umbra run` and for simulations alike. Inside, the
//! [`api`] checks calls and puts them to the [`engine`], one task around the pure scheduler of
//! `umbra-core`; small state goes to the [`store`], bytes to a blob store; [`findings`] and [`report`] turn
//! verified packs into what people read.

mod api;
mod audit_task;
pub mod backup;
mod board;
mod config;
mod datasets;
mod engine;
mod facts;
mod files;
mod findings;
mod gc;
mod incoming;
mod ingest;
mod keys;
mod limits;
mod measures;
mod patience;
pub mod report;
mod reuse;
mod serve;
mod shell;
mod standing;
pub mod store;
mod time;

pub use config::{Config, Storage};
pub use findings::FileScratch;
pub use incoming::Incoming;
pub use measures::{Kind, MEASURES, Measure};
pub use serve::{Listeners, ServeError, serve};
