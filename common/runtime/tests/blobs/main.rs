//! The blob store on a real folder and in memory.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod common;
mod local;
mod store;
mod uploads;
