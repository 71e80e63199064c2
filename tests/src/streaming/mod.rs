//! Analyses of audits far larger than memory: generated, mapped from files, watched while they run.

mod generated;
mod meter;
mod run;
mod saved;

pub use generated::Plan;
pub use meter::{anonymous_bytes, ran_to_its_end};
pub use run::{Outcome, Room, run};
pub use saved::save;
