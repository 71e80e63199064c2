//! What the sources may touch.

use crate::repository::{assert_tidy, sources};

/// What would tie a result of the pure crates to a time, a machine or a thread.
const IMPURE: [&str; 12] = [
    "std::time",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::io::std",
    "Instant::now",
    "SystemTime",
    "RandomState",
    "getrandom",
    "tokio",
];

/// Where code may be unsafe: memory maps, SIMD, signals to children, an allocator that counts, a device's driver and
/// what stands for it in tests.
const UNSAFE: [&str; 9] = [
    "common/data/src/mmap.rs",
    "common/runtime/src/mapped.rs",
    "common/stats/src/lanes/",
    "tests/src/signal.rs",
    "worker/train/src/cpu/",
    "worker/train/src/cuda/device",
    "worker/train/tests/emu/",
    "worker/train/tests/fake/",
    "worker/train/tests/no_allocation.rs",
];

#[test]
fn the_pure_crates_touch_no_clock_no_file_and_no_thread() {
    let mut complaints = Vec::new();
    let pure = ["common/core/src/", "common/stats/src/"];
    for file in sources().iter().filter(|file| pure.iter().any(|room| file.path.starts_with(room))) {
        for (number, line) in file.lines() {
            let code = line.split("//").next().unwrap_or_default();
            let found = IMPURE.iter().filter(|word| code.contains(**word));
            complaints.extend(found.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    assert_tidy(&complaints);
}

#[test]
fn unsafe_code_is_in_few_files_and_argues_for_itself() {
    let keyword = ["un", "safe"].concat();
    let block = format!("{keyword} {{");
    let mut complaints = Vec::new();
    for file in sources() {
        let named = UNSAFE.iter().any(|place| file.path.starts_with(place));
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let uses = code.contains(&block) || code.contains(&format!("{keyword} impl"));
            if uses && !named {
                complaints.push(format!("{}:{}: not a file for that", file.path, index + 1));
            }
            // Right above, or once above many blocks that rest on the same argument.
            let near = lines[index.saturating_sub(8)..=index].iter().any(|line| line.contains("SAFETY:"));
            let shared = lines[..index].iter().any(|line| line.contains("SAFETY (every block"));
            if uses && !near && !shared {
                complaints.push(format!("{}:{}: no SAFETY comment", file.path, index + 1));
            }
        }
    }
    assert_tidy(&complaints);
}
