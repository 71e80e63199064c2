//! The command line `umbra`: audits a data set on this machine, runs the daemons, and talks to them.

mod attack;
mod audit_file;
mod cli;
mod command;
mod daemon;
mod dataset;
mod devices;
mod exit;
mod forecast;
mod headlines;
mod host;
mod human;
mod out_folder;
mod output;
mod progress;
mod remote;
mod settings;
mod view;
mod workers;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
