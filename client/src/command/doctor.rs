//! `umbra doctor`.

use serde_json::json;
use umbra_train::Device;
use umbra_train::cpu::{Isa, IsaLevel};
use umbra_train::device::Found;
use umbra_train::numerics_class;

use crate::exit::Failure;
use crate::host;
use crate::output::Output;

/// Arguments of `umbra doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  umbra doctor\n  umbra doctor --format json")]
pub struct Args {}

/// Says what this machine trains on.
///
/// # Errors
/// If nothing can be printed.
pub fn run(_: &Args, out: &Output) -> Result<(), Failure> {
    let instructions = match Isa::best().level() {
        IsaLevel::Avx512 => "AVX-512",
        IsaLevel::Avx2 => "AVX2 with FMA",
        IsaLevel::Portable => "no vector instructions that umbra knows, so training is slow",
    };
    let cores = host::cores();
    let found = Device::cuda();
    let text = || {
        let mut lines = vec![
            format!("umbra {}, numerics class {}", env!("CARGO_PKG_VERSION"), numerics_class()),
            format!("cpu: {cores} threads, {instructions}"),
        ];
        match &found {
            Err(reason) => lines.push(format!("cuda: {reason}")),
            Ok(found) => lines.extend(found.iter().map(|device| {
                let (major, minor) = device.capability;
                let (gib, ordinal) = (device.memory >> 30, device.ordinal);
                let Found { name, uuid, .. } = device;
                let unfit = device.unfit.as_ref().map(|why| format!("; it cannot be used: {why}"));
                let unfit = unfit.unwrap_or_default();
                format!(
                    "cuda:{ordinal}: {name}, {gib} GiB, compute capability {major}.{minor}, {uuid}{unfit}"
                )
            })),
        }
        lines.join("\n")
    };
    let cuda = |found: &[Found]| {
        let one = |device: &Found| {
            json!({
                "ordinal": device.ordinal,
                "name": device.name,
                "uuid": device.uuid,
                "capability": [device.capability.0, device.capability.1],
                "memory_bytes": device.memory,
                "unfit": device.unfit,
            })
        };
        found.iter().map(one).collect::<Vec<_>>()
    };
    out.result(text, || {
        json!({
            "event": "doctor",
            "version": env!("CARGO_PKG_VERSION"),
            "numerics": numerics_class(),
            "threads": cores,
            "instructions": instructions,
            "cuda": found.as_deref().map(cuda).unwrap_or_default(),
            "cuda_missing": found.as_ref().err(),
        })
    })
}
