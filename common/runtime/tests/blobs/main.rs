//! The blob store on a real folder, in memory, and on a real S3 server where there is one.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod common;
mod local;
mod remote;
#[path = "../../../../tests/src/s3.rs"]
mod s3;
mod store;
mod stores;
mod uploads;
