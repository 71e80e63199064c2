//! The binary under test, and commands of it that run to their end.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::journal::{Journal, Stream};
use crate::process::Process;

/// Where cargo puts `umbra`: two folders above this test's executable, in the same profile.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its executable");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    let path = profile.join(format!("umbra{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is missing: these tests start the real binary, so build it first with `cargo build -p umbra`",
        path.display()
    );
    path
}

/// A command of the binary in a folder, free of the caller's settings.
///
/// # Panics
/// If the binary was not built.
pub fn command<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Command {
    command_of(&binary(), folder, arguments)
}

/// The same of another binary, such as another release's.
pub(crate) fn command_of<S: AsRef<std::ffi::OsStr>>(
    program: &Path,
    folder: &Path,
    arguments: &[S],
) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("UMBRA_") {
            command.env_remove(name);
        }
    }
    command
}

/// How a command ended.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed: results.
    pub out: String,
    /// What it wrote beside: notes, logs, errors.
    pub err: String,
}

impl Done {
    /// The last line of the results as JSON.
    ///
    /// # Panics
    /// If there is none.
    pub fn json(&self) -> Value {
        let last = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Itself, if it ended well.
    ///
    /// # Panics
    /// If it did not.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// Runs a command to its end.
///
/// # Panics
/// If it does not end in time, or panics.
pub fn run(command: Command) -> Done {
    let mut process = Process::start("command", command, &Journal::default());
    let code = process.exit_code();
    let done = Done { code, out: process.written(Stream::Out), err: process.written(Stream::Err) };
    assert!(!done.err.contains("panicked"), "{}", done.err);
    done
}

/// Runs `umbra ARGUMENTS` in a folder to its end.
///
/// # Panics
/// If it does not end in time, or panics.
pub fn umbra<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Done {
    run(command(folder, arguments))
}
