//! Analyses of audits far larger than memory: generated, mapped from files, watched while they run.

mod generated;
mod mapped;
mod meter;
mod run;

pub use generated::Plan;
pub use meter::anonymous_bytes;
pub use run::{Outcome, Room, run};
