//! What can go wrong, in CUDA's words.

use std::ffi::CStr;

use cudarc::driver::result;

use crate::cuda::driver::DriverError;

/// Why a device cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The library of NVIDIA's driver is nowhere.
    #[error("no NVIDIA driver is installed here (libcuda.so.1 is not found)")]
    NoDriver,
    /// The driver is older than the kernels.
    #[error(
        "the NVIDIA driver is for CUDA {found}, the kernels are for CUDA {needed}: a newer driver is needed"
    )]
    OldDriver {
        /// What it is for.
        found: String,
        /// What it should be for.
        needed: String,
    },
    /// There are fewer devices, or none.
    #[error("there is no CUDA device {ordinal}: {visible} are visible, see CUDA_VISIBLE_DEVICES")]
    NoDevice {
        /// The one that was asked for, from 0.
        ordinal: u32,
        /// How many there are.
        visible: u32,
    },
    /// The device cannot run the kernels.
    #[error("{name} cannot be used: {reason}")]
    Unfit {
        /// Its name.
        name: String,
        /// What it lacks.
        reason: String,
    },
    /// CUDA refuses.
    #[error("{what} failed: {error}")]
    Refused {
        /// What was asked of it.
        what: &'static str,
        /// Its name and text of the error.
        error: String,
    },
}

/// For `map_err`: what was asked of CUDA when it refused.
pub fn refused(what: &'static str) -> impl Fn(result::DriverError) -> OpenError {
    move |error| OpenError::Refused { what, error: described(error) }
}

/// A device on which something failed.
pub fn lost(what: &str, error: result::DriverError) -> DriverError {
    DriverError::Lost(format!("{what}: {}", described(error)))
}

/// CUDA's name of an error, and its text.
fn described(error: result::DriverError) -> String {
    let text = |said: Result<&CStr, _>| said.map(|said| said.to_string_lossy().into_owned());
    match (text(error.error_name()), text(error.error_string())) {
        (Ok(name), Ok(text)) => format!("{name} ({text})"),
        _ => format!("{:?}", error.0),
    }
}
