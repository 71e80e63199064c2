//! `umbra attack`: arrays that another tool made, findings without a cluster.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod arrays;
mod audited;
mod findings;
mod interrupted;
mod wrong_arrays;
