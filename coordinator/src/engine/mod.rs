//! The engine loop: the shell around the pure scheduler.
//!
//! One task owns the [`umbra_core::cluster::Cluster`]. Every command becomes an event; the records of the
//! step's actions are committed in one transaction guarded by the leader's epoch, and only then are
//! workers told and tasks begun. A transaction that fails, or may have failed, drops the cluster and all
//! sessions, and a new term starts from what the store holds.

mod allowance;
mod backup;
mod chronicle;
mod collection;
mod command;
mod deletion;
mod glance;
mod handle;
mod leftovers;
mod lived;
mod load;
mod member;
mod outlook;
mod progress;
mod queue;
pub mod records;
mod run;
mod running;
mod sessions;
mod show;
mod spans;
mod term;
mod wire;
mod workers;

pub use chronicle::RunNotes;
pub use command::{Command, Engine, EngineGone, SubmitError};
pub use run::run;
pub use sessions::Outbox;
pub use wire::MAX_RUNNING;
