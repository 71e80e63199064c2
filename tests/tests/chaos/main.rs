//! Chaos, on real processes, a real etcd of three nodes and a real S3 server: three coordinators, workers that
//! follow whoever leads, and faults in the middle of an audit. Every one is proven to have struck, and ends with
//! the findings of the undisturbed run, byte for byte.
//!
//! The first test runs wherever there are programs for both stores, all others if `UMBRA_CHAOS=1` asks for
//! them, as `bash tests/run chaos` does.

#![allow(clippy::print_stdout, reason = "what was measured, and a test that is skipped, is said")]

mod baseline;
mod disks;
mod leaders;
mod network;
mod random;
mod stores;
mod workers;

/// Whether all of it is asked for; if not, a line counts the test.
fn wanted() -> bool {
    let wanted = std::env::var_os("UMBRA_CHAOS").is_some_and(|value| value == "1");
    if !wanted {
        println!("skipped 1: UMBRA_CHAOS is not 1");
    }
    wanted
}
