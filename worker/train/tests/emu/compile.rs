//! Makes shared libraries of kernels with the host's C++ compiler.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::source::{self, Declared};

/// A shared library and the kernels in it.
pub struct Compiled {
    pub library: PathBuf,
    pub kernels: Vec<Declared>,
}

/// Whether kernels run under AddressSanitizer and UndefinedBehaviorSanitizer.
///
/// # Panics
/// Where the setting is another one, or the test binary lacks the sanitizer's library.
pub fn sanitized() -> bool {
    match std::env::var("UMBRA_EMU_SANITIZE").as_deref() {
        Err(_) | Ok("") => false,
        Ok("address") => {
            let preloaded = std::env::var("LD_PRELOAD").unwrap_or_default();
            assert!(
                preloaded.contains("libasan"),
                "UMBRA_EMU_SANITIZE=address needs LD_PRELOAD=$(g++ -print-file-name=libasan.so), see tests/emu/mod.rs"
            );
            true
        }
        Ok(other) => panic!("UMBRA_EMU_SANITIZE is address or nothing, not {other:?}"),
    }
}

fn flags() -> Vec<&'static str> {
    let mut flags =
        vec!["-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-ffp-contract=off"];
    flags.extend(["-fno-math-errno", "-Wno-unknown-pragmas"]);
    if sanitized() {
        flags.extend(["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]);
        flags.push("-fno-sanitize-recover=undefined");
    } else {
        flags.push("-O2");
    }
    // Without it, fmaf is a call of the C library: slower by far, and the same bits.
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        flags.push("-mfma");
    }
    flags
}

/// Compiles one source, or finds what was compiled of the same text before.
///
/// # Panics
/// With the compiler's own words.
pub fn compile(kernel_source: &Path) -> Compiled {
    let emulator = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emu");
    let flags = flags();
    let preprocessed = compiler(
        flags.iter().map(OsStr::new).chain([
            OsStr::new("-E"),
            OsStr::new("-x"),
            OsStr::new("c++"),
            OsStr::new("-include"),
            emulator.join("cuda_cpu.h").as_os_str(),
            kernel_source.as_os_str(),
        ]),
        kernel_source,
    );
    let preprocessed = String::from_utf8(preprocessed).expect("sources are UTF-8");
    let kernels = source::kernels(&preprocessed);
    assert!(!kernels.is_empty(), "{} has no kernels", kernel_source.display());
    let text = source::hosted(&preprocessed, &kernels);

    let mut hasher = DefaultHasher::new();
    (&text, &flags, compiler([OsStr::new("--version")], kernel_source)).hash(&mut hasher);
    let stem = kernel_source.file_stem().expect("a source has a name").to_string_lossy();
    let name = format!("emu-{stem}-{:016x}", hasher.finish());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("{name}.so"));
    if !library.exists() {
        // Other test binaries may do the same now: everyone has names of their own, and the last one stays.
        let hosted = folder.join(format!("{name}.{}.ii", std::process::id()));
        let made = folder.join(format!("{name}.{}.so", std::process::id()));
        fs::write(&hosted, text).expect("the tests' folder for files can be written to");
        compiler(
            flags.iter().map(OsStr::new).chain([
                OsStr::new("-shared"),
                OsStr::new("-o"),
                made.as_os_str(),
                hosted.as_os_str(),
            ]),
            kernel_source,
        );
        fs::rename(&made, &library).expect("a file can be renamed within its folder");
        fs::remove_file(&hosted).expect("a file that was written can be removed");
    }
    Compiled { library, kernels }
}

fn compiler<'a>(arguments: impl IntoIterator<Item = &'a OsStr>, kernel_source: &Path) -> Vec<u8> {
    let output = Command::new("g++").args(arguments).env_remove("LD_PRELOAD").output();
    let output = match output {
        Ok(output) => output,
        Err(error) => panic!(
            "the tests of CUDA kernels compile them for the host with g++, which cannot be started ({error}): \
             install it (Debian: apt install g++)"
        ),
    };
    assert!(
        output.status.success(),
        "g++ does not take {}:\n{}",
        kernel_source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
