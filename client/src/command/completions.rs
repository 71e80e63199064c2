//! `umbra completions SHELL`.

use clap_complete::Shell;
use serde_json::json;

use crate::cli;
use crate::exit::Failure;
use crate::output::Output;

/// Arguments of `umbra completions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  umbra completions bash > ~/.local/share/bash-completion/completions/umbra\n  \
                        umbra completions zsh > ~/.zfunc/_umbra"
)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::definition(), "umbra", &mut script);
    let script = String::from_utf8(script).expect("flags and help are UTF-8");
    out.result(|| script.clone(), || json!({ "shell": args.shell.to_string(), "script": script.clone() }))
}
