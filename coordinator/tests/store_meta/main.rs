//! The meta store: one contract for every backend, and what each backend owes beyond it.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod contract;
mod embedded;
#[cfg(feature = "etcd")]
mod etcd;
