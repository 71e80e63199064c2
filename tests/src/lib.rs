//! Whole processes under test: the binary started as people start it, watched through what it logs and
//! prints, stopped by real signals.
//!
//! A test waits for *events*, which are lines that some process wrote (see [`Journal`]), never for time to
//! pass; every wait has a bound and fails with the last lines of everybody.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod audit;
mod binary;
mod cluster;
mod errands;
mod etcd;
mod findings;
mod fleet;
mod http;
mod journal;
mod process;
mod results;
mod s3;
mod signal;
pub mod streaming;
mod turn;

pub use audit::Audit;
pub use binary::{Done, command, run, umbra};
pub use cluster::{Cluster, Worker};
pub use etcd::EtcdNodes;
pub use findings::Findings;
pub use fleet::{COORDINATORS, Fleet};
pub use http::{Metrics, get};
pub use journal::{Entry, Journal, Place, Stream};
pub use process::Process;
pub use results::{Committed, committed};
pub use s3::S3;
pub use signal::Signal;
pub use turn::{Turn, turn};
