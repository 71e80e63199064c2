//! Tests over a stand-in for NVIDIA's driver, which build.sh makes and settings.h describes.
//!
//! The system looks for libraries where it was told when the process started: every test runs itself again, alone in a
//! process that has been told.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Set for processes that run one test.
const ALONE: &str = "UMBRA_FAKE_ALONE";

/// Runs a test in a process of its own over the stand-in, with these settings.
///
/// # Panics
/// Where it fails there, with all that it wrote.
pub fn alone(settings: &[(&str, &str)], test: fn()) {
    if std::env::var_os(ALONE).is_some() {
        test();
        return;
    }
    let thread = std::thread::current();
    let name = thread.name().expect("a test's thread has its name");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .env("LD_LIBRARY_PATH", folder())
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, wrong) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{settings:?}: {said}{wrong}");
}

/// Where the stand-in is, built once.
fn folder() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake/build.sh");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake-cuda");
        let output = Command::new("bash").arg(script).arg(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    })
}

/// Handles that nobody has given back to the driver.
pub fn held() -> u64 {
    // SAFETY: the stand-in is loaded already, and its function takes nothing and counts.
    unsafe {
        let library = libloading::Library::new("libcuda.so.1").unwrap();
        let count = library.get::<unsafe extern "C" fn() -> u64>("fake_cuda_held").unwrap();
        count()
    }
}
