//! What people who run a cluster look at: traces, metrics, and the words about them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod collector;
mod exposition;
mod metrics;
mod stored;
mod traces;
