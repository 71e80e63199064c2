//! The commands, one a file.

pub mod attack;
pub mod audit;
pub mod cluster;
pub mod completions;
pub mod coordinator;
pub mod dataset;
pub mod doctor;
pub mod plan;
pub mod run;
pub mod worker;
