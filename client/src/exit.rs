//! How a command ends: the exit codes, and failures in words.

use std::fmt;
use std::process::ExitCode;

/// How a command ended, as its caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done.
    Done,
    /// It was tried and failed.
    Failed,
    /// The command line, or a file it names, is wrong: nothing was tried.
    Usage,
    /// The caller has no right to it.
    Refused,
    /// The coordinator cannot be reached.
    Unreachable,
    /// A bound that was asked for is not met.
    GateNotMet,
    /// It was interrupted; the same command again goes on.
    Interrupted,
}

impl Exit {
    const ALL: [(Self, u8, &'static str); 7] = [
        (Self::Done, 0, "done"),
        (Self::Failed, 1, "failed"),
        (Self::Usage, 2, "wrong command line or input file"),
        (Self::Refused, 3, "refused: no right to it"),
        (Self::Unreachable, 4, "coordinator not reachable"),
        (Self::GateNotMet, 5, "gate not met"),
        (Self::Interrupted, 6, "interrupted; the same command again goes on"),
    ];

    /// The number the shell sees.
    pub fn code(self) -> u8 {
        Self::ALL.iter().find(|row| row.0 == self).expect("every exit has its row").1
    }

    /// The table of exit codes for `--help`.
    pub fn table() -> String {
        let rows = Self::ALL.iter().map(|(_, code, meaning)| format!("  {code}  {meaning}"));
        format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command did not do what was asked: one sentence with the remedy, or one line per mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// A failure in one sentence, or one line per mistake.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// The command line or a file it names is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// It was tried and failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// It was interrupted; `remedy` says how to go on.
    pub fn interrupted(remedy: impl fmt::Display) -> Self {
        Self::new(Exit::Interrupted, format!("interrupted; {remedy}"))
    }

    /// What the caller of the program gets.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_contract() {
        use Exit::*;
        let codes = [Done, Failed, Usage, Refused, Unreachable, GateNotMet, Interrupted].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(Exit::table().lines().count(), 8);
    }
}
