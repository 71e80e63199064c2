//! The scheduler, as a state machine: `Cluster::step(now, Event) -> Vec<Action>`.

mod action;
mod config;
mod event;
mod record;
mod status;

pub use action::{Action, MAX_RECORDS, RevokeReason};
pub use config::ClusterConfig;
pub use event::{Event, MAX_SLOTS, Outcome, StillRunning};
pub use record::{
    AuditDemand, AuditRecord, Checkpoint, ClusterRecord, PackRecord, PackResult, Record, RecordKey,
};
pub use status::{AuditStatus, PackCounts, RunningPack, WaitingReason, WorkerStatus};
