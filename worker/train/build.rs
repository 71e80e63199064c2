//! With the feature `cuda`: compiles the kernels into one fat binary, machine code of every generation and PTX for the
//! rest, and writes down what each kernel takes of a multiprocessor. A kernel that spills registers fails the build.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

/// Generations that get machine code, where the compiler knows them.
const GENERATIONS: [&str; 3] = ["80", "90", "100"];

/// Arithmetic as it is written: no contraction, IEEE 754's division and root, denormal numbers kept.
const FLAGS: [&str; 11] = [
    "-O3",
    "-std=c++17",
    "-fmad=false",
    "-prec-div=true",
    "-prec-sqrt=true",
    "-ftz=false",
    "--Werror",
    "all-warnings",
    "-lineinfo",
    "-Xptxas",
    "-v",
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return ExitCode::SUCCESS;
    }
    println!("cargo::rerun-if-changed=kernels");
    for variable in ["NVCC", "CUDA_HOME", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let nvcc = find_nvcc()?;
    println!("cargo::rerun-if-changed={}", nvcc.display());
    println!("cargo::rustc-env=UMBRA_CUDA_RELEASE={}", release(&nvcc)?);

    let kernels = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("kernels");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let all = out.join("kernels.cu");
    fs::write(&all, including_all(&kernels)?).map_err(|error| format!("{}: {error}", all.display()))?;

    let mut command = Command::new(&nvcc);
    command.args(FLAGS).args(generations(&nvcc)?);
    command.args(["--threads", "0", "--compress-mode=size", "-fatbin"]);
    command.arg("-I").arg(&kernels).arg("-o").arg(out.join("kernels.fatbin")).arg(&all);
    let compiled = run(&mut command)?;
    let said = text(&compiled);
    if !compiled.status.success() {
        return Err(format!("nvcc does not take worker/train/kernels:\n{said}"));
    }

    let resources = resources(&said)?;
    let mut table = String::from("kernel\tarchitecture\tregisters\tshared\tstack\tspilled\n");
    for Resources { kernel, architecture, registers, shared, stack, spilled } in &resources {
        let line = format!("{kernel}\t{architecture}\t{registers}\t{shared}\t{stack}\t{spilled}\n");
        table.push_str(&line);
    }
    let file = out.join("kernels.txt");
    fs::write(&file, table).map_err(|error| format!("{}: {error}", file.display()))?;

    let spills = resources.iter().filter(|kernel| kernel.spilled > 0);
    let spills = spills.fold(String::new(), |mut all, kernel| {
        let Resources { kernel, architecture, spilled, .. } = kernel;
        let _ = writeln!(all, "kernel {kernel} spills {spilled} bytes of registers on {architecture}");
        all
    });
    if spills.is_empty() { Ok(()) } else { Err(spills) }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo sets {name} for build scripts"))
}

fn find_nvcc() -> Result<PathBuf, String> {
    if let Some(nvcc) = env::var_os("NVCC") {
        return Ok(nvcc.into());
    }
    let mut folders = Vec::new();
    if let Some(home) = env::var_os("CUDA_HOME") {
        folders.push(Path::new(&home).join("bin"));
    }
    folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let places = folders.into_iter().map(|folder| folder.join("nvcc"));
    places.into_iter().find(|nvcc| nvcc.is_file()).ok_or_else(|| {
        "the feature cuda needs nvcc (NVCC, CUDA_HOME or PATH): deploy/cuda/setup.sh installs one without root".into()
    })
}

/// What CUDA calls its version: 13000 for 13.0.
fn release(nvcc: &Path) -> Result<u32, String> {
    let said = text(&run(Command::new(nvcc).arg("--version"))?);
    let version = said.split("release ").nth(1).and_then(|rest| rest.split(',').next()).and_then(|version| {
        let (major, minor) = version.trim().split_once('.')?;
        Some(major.parse::<u32>().ok()? * 1000 + minor.parse::<u32>().ok()? * 10)
    });
    version.ok_or_else(|| format!("{} does not say its release", nvcc.display()))
}

fn generations(nvcc: &Path) -> Result<Vec<String>, String> {
    let known = text(&run(Command::new(nvcc).arg("--list-gpu-arch"))?);
    let known: Vec<_> = known.lines().filter_map(|line| line.trim().strip_prefix("compute_")).collect();
    let mut flags = Vec::new();
    for generation in GENERATIONS.iter().filter(|generation| known.contains(generation)) {
        flags.extend(["-gencode".to_string(), format!("arch=compute_{generation},code=sm_{generation}")]);
    }
    let Some(oldest) = GENERATIONS.iter().find(|generation| known.contains(generation)) else {
        return Err(format!("{} knows none of sm_80, sm_90 and sm_100", nvcc.display()));
    };
    // What later generations translate for themselves.
    flags.extend(["-gencode".to_string(), format!("arch=compute_{oldest},code=compute_{oldest}")]);
    Ok(flags)
}

/// One source that includes all, so that there is one module to load and no two kernels have one name.
fn including_all(kernels: &Path) -> Result<String, String> {
    let failed = |error| format!("{}: {error}", kernels.display());
    let mut names = Vec::new();
    for file in fs::read_dir(kernels).map_err(failed)? {
        let name = file.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".cu") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.iter().map(|name| format!("#include \"{name}\"\n")).collect())
}

fn run(command: &mut Command) -> Result<Output, String> {
    command.output().map_err(|error| {
        let nvcc = command.get_program().to_string_lossy().into_owned();
        format!("{nvcc} cannot be started ({error}): deploy/cuda/setup.sh installs an nvcc without root")
    })
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What a kernel takes on one generation: registers of a thread, and bytes.
struct Resources {
    kernel: String,
    architecture: String,
    registers: u32,
    shared: u32,
    stack: u32,
    spilled: u32,
}

/// Reads what `ptxas -v` says: three lines for every kernel and generation.
fn resources(said: &str) -> Result<Vec<Resources>, String> {
    let mut all: Vec<Resources> = Vec::new();
    for line in said.lines() {
        if let Some(rest) = line.split("Compiling entry function '").nth(1) {
            let mut names = rest.split('\'');
            let kernel = names.next().unwrap_or_default().to_string();
            let architecture = names.nth(1).unwrap_or_default().to_string();
            all.push(Resources { kernel, architecture, registers: 0, shared: 0, stack: 0, spilled: 0 });
        } else if let Some(kernel) = all.last_mut() {
            if line.contains("bytes stack frame") {
                kernel.stack = number_before(line, " bytes stack frame");
                let [stores, loads] = ["stores", "loads"].map(|what| format!(" bytes spill {what}"));
                kernel.spilled = number_before(line, &stores).max(number_before(line, &loads));
            } else if line.contains("Used ") && line.contains(" registers") {
                kernel.registers = number_before(line, " registers");
                kernel.shared = number_before(line, " bytes smem");
            }
        }
    }
    all.sort_by(|a, b| {
        (&a.kernel, a.architecture.len(), &a.architecture).cmp(&(
            &b.kernel,
            b.architecture.len(),
            &b.architecture,
        ))
    });
    match all.iter().find(|kernel| kernel.registers == 0) {
        Some(kernel) => {
            Err(format!("nvcc does not say what {} takes on {}", kernel.kernel, kernel.architecture))
        }
        None if all.is_empty() => Err("nvcc does not say what the kernels take".into()),
        None => Ok(all),
    }
}

/// 0 where nothing is said.
fn number_before(line: &str, what: &str) -> u32 {
    let before = line.split(what).next().filter(|before| before.len() < line.len());
    let digits = before.and_then(|before| before.rsplit(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
