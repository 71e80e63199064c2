//! Running the binary: bounded waits, captured output, never a panic.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what any of these takes, so that a hang fails the test instead of stopping it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a command ended.
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a command line to its end.
pub fn umbra(folder: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_umbra"));
    command.current_dir(folder).args(arguments);
    run(command)
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Done {
    let output = finish(spawn(&mut command));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let done = Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!done.err.contains("panicked"), "{}", done.err);
    done
}

/// Starts a command with captured output, without what the tester's shell says to umbra.
pub fn spawn(command: &mut Command) -> Child {
    for name in ["SERVER", "TOKEN_FILE", "FORMAT", "CONFIG", "LOG", "LISTEN", "HTTP", "STATE"] {
        command.env_remove(format!("UMBRA_{name}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for a child, which is killed if it takes too long.
pub fn finish(mut child: Child) -> Output {
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |mut from: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).map(|_| bytes)
        })
    };
    let (out, err) = (read(Box::new(out)), read(Box::new(err)));
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("umbra did not end within {PATIENCE:?}");
        }
        thread::park_timeout(Duration::from_millis(5));
    };
    Output { status, stdout: out.join().unwrap().unwrap(), stderr: err.join().unwrap().unwrap() }
}

/// Expects a failure without results, whose words contain all of `words`.
pub fn refused(done: &Done, code: i32, words: &[&str]) {
    assert_eq!(done.code, Some(code), "{}", done.err);
    assert_eq!(done.out, "", "results only on success");
    for word in words {
        assert!(done.err.contains(word), "\"{word}\" is not in: {}", done.err);
    }
}

/// A small audit of `d.csv` in the same folder.
pub const AUDIT: &str = "name = \"a\"\nseed = 1\n[dataset]\npath = \"d.csv\"\nschema = \"s.toml\"\n[model]\n\
    architecture = \"logistic\"\n[training]\nlearning_rate = 0.1\nbatch = 4\nepochs = 1\n[shadows]\ncount = 16\n";

/// A folder with `AUDIT.toml`, its schema and its table.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("AUDIT.toml", AUDIT);
    write("s.toml", "kind = \"table\"\nlabel = \"died\"\nunit = \"id\"\n");
    let rows: String = (0..40).map(|i| format!("{i},{i}.5,{}\n", i % 2)).collect();
    write("d.csv", &format!("id,age,died\n{rows}"));
    folder
}
