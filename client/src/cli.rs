//! Commands, flags and what happens around a command: the runtime, interruption, the exit code.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing::Instrument as _;
use umbra_runtime::{Drain, signals, telemetry, traces};

use crate::command::{attack, audit, cluster, completions, coordinator, dataset, doctor, plan, run, worker};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output, note};

/// Audits medical AI for membership inference, patient by patient.
#[derive(Debug, Parser)]
#[command(name = "umbra", version, long_about = None, max_term_width = 110)]
#[command(propagate_version = true, arg_required_else_help = true, after_help = after_help())]
pub struct Cli {
    /// How results are printed: for people, or one JSON object a line
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, env = "UMBRA_FORMAT")]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Audit a data set on this machine, from the table to the report
    Run(run::Args),
    /// Say what an audit will take and what it can show, before anything is spent
    Plan(plan::Args),
    /// Compute the attacks on logits that another tool made, from the arrays to the findings
    Attack(Box<attack::Args>),
    /// Run the coordinator: it takes audits, hands out work and computes the findings
    Coordinator(coordinator::Args),
    /// Run a worker: it trains shadow models for a coordinator; or list a coordinator's workers
    Worker(worker::Args),
    /// Import, inspect, list and delete data sets
    #[command(subcommand)]
    Dataset(dataset::Command),
    /// Submit audits to a coordinator, watch them and fetch their reports
    #[command(subcommand)]
    Audit(audit::Command),
    /// Ask a cluster how it is; back up what its coordinators know, and restore it
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Say what this machine trains on, and why not on more
    Doctor(doctor::Args),
    /// Print a script that completes umbra's commands in a shell
    Completions(completions::Args),
}

fn after_help() -> String {
    format!(
        "Examples:\n  umbra run AUDIT.toml\n  umbra attack --logits L.npy --labels Y.npy \
         --membership K.npy --out findings\n  umbra coordinator --state /var/lib/umbra\n  umbra audit submit \
         AUDIT.toml --watch\n\n{}",
        Exit::table()
    )
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    match parse(std::env::args_os()) {
        Ok(cli) => perform(cli),
        Err(error) => {
            // Help and versions are results; everything else is a wrong command line.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            exit.into()
        }
    }
}

/// The command line's definition.
pub fn definition() -> clap::Command {
    with_negative_numbers(Cli::command())
}

/// No flag is called by a number: what looks like a negative one is a value, and is refused in the words of
/// whoever reads it.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let takes = |arg: &clap::Arg| arg.get_action().takes_values();
    command
        .mut_args(|arg| if takes(&arg) { arg.allow_negative_numbers(true) } else { arg })
        .mut_subcommands(with_negative_numbers)
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut definition = definition();
    let matches = definition.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))
}

fn perform(cli: Cli) -> ExitCode {
    let out = Output::new(cli.format);
    let done = match cli.command {
        Command::Completions(args) => completions::run(&args, &out),
        Command::Doctor(args) => doctor::run(&args, &out),
        Command::Run(args) => {
            let work =
                |drain| Box::pin(run::run(args, out, drain).instrument(command_span("run"))) as Work<'_>;
            quiet_log().and_then(|()| with_runtime(work))
        }
        Command::Plan(args) => quiet_log()
            .and_then(|()| interruptible("plan", || Box::pin(async move { plan::run(&args, &out).await }))),
        Command::Attack(args) => {
            quiet_log().and_then(|()| with_runtime(|drain| Box::pin(attack::run(*args, out, drain))))
        }
        Command::Coordinator(args) => with_runtime(|drain| Box::pin(coordinator::run(&args, out, drain))),
        Command::Worker(worker::Args { command: Some(command), .. }) => {
            quiet_log().and_then(|()| interruptible("worker", || Box::pin(worker::ask(command, out))))
        }
        Command::Worker(args) => with_runtime(|drain| Box::pin(worker::run(&args, out, drain))),
        Command::Dataset(command) => {
            quiet_log().and_then(|()| interruptible("dataset", || Box::pin(dataset::run(command, out))))
        }
        Command::Cluster(command) => {
            quiet_log().and_then(|()| interruptible("cluster", || Box::pin(cluster::run(command, out))))
        }
        Command::Audit(command) => {
            quiet_log().and_then(|()| interruptible("audit", || Box::pin(audit::run(command, out))))
        }
    };
    let exit = match &done {
        Ok(()) => Exit::Done,
        Err(failure) => {
            report(failure);
            failure.exit()
        }
    };
    traces::finish();
    // What is still in the buffer of a closed pipe is lost on purpose.
    let _ = std::io::stdout().flush();
    exit.into()
}

/// Prints a failure: mistakes of a file as they are, so that editors find them, else one sentence.
fn report(failure: &Failure) {
    let text = failure.to_string();
    let is_list = text.lines().count() > 1 || failure.exit() == Exit::Usage && names_a_line(&text);
    note(&if is_list { text } else { format!("umbra: {text}") });
}

/// Whether a text begins like `FILE:LINE: `.
fn names_a_line(text: &str) -> bool {
    let Some((before, _)) = text.split_once(": ") else { return false };
    before.rsplit_once(':').is_some_and(|(_, line)| line.parse::<u32>().is_ok())
}

/// Commands other than the daemons speak for themselves: only warnings are logged, unless asked for.
fn quiet_log() -> Result<(), Failure> {
    let filter = if std::env::var_os(telemetry::FILTER_VARIABLE).is_some() { None } else { Some("warn") };
    telemetry::init("umbra", telemetry::Format::Text, filter)
        .map_err(|error| Failure::usage(error.to_string()))
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// Runs a command that winds up by itself when the drain begins.
fn with_runtime<'a>(work: impl FnOnce(Drain) -> Work<'a>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::failed(format!("cannot start threads: {error}; raise the limit of threads"))
    })?;
    let done = runtime.block_on(async {
        let drain = Drain::new();
        signals::listen(&drain)
            .map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
        work(drain).await
    });
    // What is left was told to stop and is not waited for again.
    runtime.shutdown_timeout(Duration::from_millis(200));
    done
}

/// The span of a command, where a trace begins.
fn command_span(name: &'static str) -> tracing::Span {
    tracing::info_span!("command", otel.name = format!("umbra {name}"))
}

/// Runs a command that may be stopped at any point without harm.
fn interruptible<'a>(name: &'static str, work: impl FnOnce() -> Work<'a>) -> Result<(), Failure> {
    with_runtime(|drain| {
        let work = work().instrument(command_span(name));
        Box::pin(async move {
            tokio::select! {
                done = work => done,
                () = drain.begun() => Err(Failure::interrupted("run the same command again to go on")),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn command_lines_of_the_contract_are_read() {
        for line in [
            "umbra run AUDIT.toml",
            "umbra run AUDIT.toml --out DIR --workers 2 --keep-state --keep-weights W --format json",
            "umbra plan AUDIT.toml --format json",
            "umbra attack --logits L.npy --labels Y.npy --membership K.npy --out DIR",
            "umbra attack --logits L --labels Y --membership K --units U --design blocks:16 --population-logits P \
             --population-labels PY --attack lira-online,lira-offline,rmia,base,global --variance shrunk \
             --center median --counts equal --rmia-a 0.3 --gamma 2 --out DIR --threads 2 --scratch S",
            "umbra --format json audit list --state running",
            "umbra coordinator --config c.toml --check-config",
            "umbra coordinator --listen 127.0.0.1:0 --http 127.0.0.1:0 --state s --lease 5 --address-file a",
            "umbra worker --config w.toml --server http://127.0.0.1:7443 --slots 2 --scratch s --grace 30",
            "umbra worker --slots 2 --keep-weights W",
            "umbra worker",
            "umbra worker list",
            "umbra worker drain ID --server http://127.0.0.1:1,http://127.0.0.1:2",
            "umbra cluster status",
            "umbra cluster backup --out FILE --server https://host:1",
            "umbra cluster restore FILE --state DIR",
            "umbra cluster restore FILE --meta etcd --etcd-endpoints http://127.0.0.1:2379",
            "umbra worker list --server https://host:1 --token-file t --format json",
            "umbra dataset import --kind parquet FILE --schema FILE.toml",
            "umbra dataset import FILE --schema FILE.toml --name n",
            "umbra dataset inspect support2",
            "umbra dataset delete support2",
            "umbra audit submit AUDIT.toml --watch",
            "umbra audit watch ID",
            "umbra audit report ID --out DIR",
            "umbra audit cancel ID --server https://host:1 --token-file t",
            "umbra completions bash",
        ] {
            assert!(parse(words(line)).is_ok(), "{line}");
        }
        for line in [
            "umbra",
            "umbra walk",
            "umbra run",
            "umbra run A --workers 0",
            "umbra run A --workers x",
            "umbra worker --slots 2 list",
            "umbra worker list --slots 2",
        ] {
            let error = parse(words(line)).unwrap_err();
            assert!(error.use_stderr() || line == "umbra", "{line}");
        }
    }

    #[test]
    fn mistakes_of_a_file_are_printed_as_they_are() {
        assert!(names_a_line("a/b.toml:12: training.batch: missing"));
        assert!(!names_a_line("a/b.toml is not a file: name one"));
        assert!(!names_a_line("no colon"));
    }
}
