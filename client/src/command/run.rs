//! `umbra run AUDIT.toml`: the whole audit on this machine.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use umbra_core::spec::{AuditSpec, Violation};
use umbra_proto::convert::{named_by, shape_to, spec_to};
use umbra_proto::v1;
use umbra_runtime::Drain;

use super::audit::{create, ended};
use crate::audit_file::{AuditFile, Source};
use crate::daemon::embedded::Embedded;
use crate::dataset::{self, Encoded};
use crate::devices::Choice;
use crate::exit::Failure;
use crate::headlines::Headlines;
use crate::out_folder::{FileEntry, Identity, Opened, OutFolder};
use crate::output::{Format, Output, note};
use crate::progress::Progress;
use crate::remote::{Remote, ask, findings, request_id, upload, watch};
use crate::{human, view};

/// How long winding up may take before it is given up.
const WIND_UP: Duration = Duration::from_secs(90);

/// Arguments of `umbra run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Trains the shadow models, computes the attacks and writes the report. Interrupt it with \
                        Ctrl-C at any time: the same command again goes on where it \
                        stopped.\n\nExamples:\n  umbra run AUDIT.toml\n  umbra run AUDIT.toml --out findings \
                        --workers 4"
)]
pub struct Args {
    /// The audit file
    file: PathBuf,
    /// The folder for the findings [default: umbra-out/NAME-DIGEST]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where shadow models train: auto (CUDA devices where there are any), cpu, cuda, or some devices (cuda:0,1)
    #[arg(long, value_name = "DEVICE", default_value_t = Choice::Auto)]
    device: Choice,
    /// Packs of shadow models trained at once on the CPU, a thread each [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: Option<u32>,
    /// Keep checkpoints and logits (in OUT/.state) after success
    #[arg(long)]
    keep_state: bool,
    /// Keep the weights of the shadows that are trained now (DIR/AUDIT/shadow-0000.safetensors)
    #[arg(long, value_name = "DIR")]
    keep_weights: Option<PathBuf>,
}

/// Runs an audit.
///
/// # Errors
/// If the file or the data is refused, the audit fails, or it is interrupted.
pub async fn run(args: Args, out: Output, drain: Drain) -> Result<(), Failure> {
    let started = Instant::now();
    let job = tokio::select! {
        job = Job::prepare(&args) => job?,
        () = drain.begun() => return Err(interrupted()),
    };
    let folder = match OutFolder::open(&job.out, job.identity())? {
        Opened::Complete => {
            note(&format!("umbra: {} holds the findings of this audit already", job.out.display()));
            if args.keep_weights.is_some() {
                note(
                    "umbra: no shadow was trained, so no weights are kept; give another --out to train them again",
                );
            }
            return print(&job.out, None, &out);
        }
        Opened::Taken(folder) => folder,
    };
    if out.format() == Format::Text {
        let shape = view::shape_text(&shape_to(&job.data.shape));
        note(&format!("umbra: audit {}: {shape}; findings in {}", job.spec.name(), job.out.display()));
    }
    let slots = args.device.slots(args.workers).map_err(Failure::usage)?;
    let state = folder.state();
    let embedded = tokio::select! {
        embedded = Embedded::start(&state, slots, args.keep_weights.as_deref()) => embedded?,
        () = drain.begun() => return Err(interrupted()),
    };
    let done = tokio::select! {
        done = job.drive(embedded.remote(), &folder, &out) => Some(done),
        () = embedded.broken() => Some(Err(Failure::failed("a part of the embedded cluster stopped"))),
        () = drain.begun() => None,
    };
    if done.is_none() {
        note("umbra: interrupted; writing checkpoints (Ctrl-C again stops at once)");
    }
    let stopped = wind_up(embedded, drain).await;
    match done {
        None => Err(interrupted()),
        // What made a part stop says more than that it did.
        Some(Err(failure)) => Err(stopped.err().unwrap_or(failure)),
        Some(Ok((id, files))) => {
            stopped?;
            folder.complete(files, args.keep_state)?;
            if out.format() == Format::Text {
                note(&format!("umbra: done in {}", human::duration(started.elapsed().as_secs_f64())));
            }
            print(&job.out, Some(&id), &out)
        }
    }
}

fn interrupted() -> Failure {
    Failure::interrupted("run the same command again to resume")
}

fn print(folder: &Path, id: Option<&str>, out: &Output) -> Result<(), Failure> {
    let headlines = Headlines::read(folder)?;
    out.result(|| headlines.text(), || headlines.json(id))
}

/// Stops the embedded cluster in order; a second Ctrl-C ends the waiting.
async fn wind_up(embedded: Embedded, drain: Drain) -> Result<(), Failure> {
    let (tell, told) = tokio::sync::oneshot::channel();
    drain.spawn("embedded cluster", async move {
        // Nobody listens any more after a second Ctrl-C.
        let _ = tell.send(embedded.stop().await);
    });
    drain.begin();
    let outcome = drain.finished(WIND_UP).await;
    told.await.unwrap_or_else(|_| Err(Failure::failed(outcome.to_string())))
}

/// A checked audit with its data.
struct Job {
    file: AuditFile,
    spec: AuditSpec,
    data: Encoded,
    out: PathBuf,
}

impl Job {
    async fn prepare(args: &Args) -> Result<Self, Failure> {
        let file = AuditFile::read(&args.file)?;
        let table = match file.source() {
            Source::Table(table) => table,
            Source::Named(_) => {
                let message = "`umbra run` audits a table: give path and schema, or submit the audit to the \
                               coordinator that has the data set with `umbra audit submit`";
                let violation = Violation { field: "dataset.name".to_owned(), message: message.to_owned() };
                return Err(file.refused(&[violation]));
            }
        };
        let data = dataset::import(table).await?;
        data.note_warnings(&table.path);
        let spec = file.spec(&data.name(&table.path))?;
        let out = match &args.out {
            Some(out) => out.clone(),
            None => {
                let digits: String = request_id(&spec, &data.digest).chars().take(8).collect();
                Path::new("umbra-out").join(format!("{}-{digits}", spec.name()))
            }
        };
        Ok(Self { file, spec, data, out })
    }

    fn identity(&self) -> Identity {
        let commitment = self.spec.seed().commitment().to_string();
        let spec = view::spec(&named_by(spec_to(&self.spec)), &commitment);
        Identity { spec, data_digest: self.data.digest.to_string() }
    }

    /// From the data set to the findings, through the coordinator's public interface alone.
    async fn drive(
        &self,
        remote: &Remote,
        folder: &OutFolder,
        out: &Output,
    ) -> Result<(String, Vec<FileEntry>), Failure> {
        upload::upload(remote, self.spec.dataset().as_str(), &self.data).await?;
        let audit = self.submit(remote).await?;
        if out.format() == Format::Json {
            let event =
                || json!({ "event": "started", "id": audit.id, "out": self.out.display().to_string() });
            out.result(String::new, event)?;
        }
        let mut progress = Progress::start(out);
        let watched = watch::follow(remote, &audit.id, &mut progress).await;
        progress.finish();
        ended(&watched?)?;
        let files = findings::download(remote, &audit.id, folder.path()).await?;
        Ok((audit.id, files))
    }

    /// Submits the audit; one that failed in an earlier run of this command is started anew.
    async fn submit(&self, remote: &Remote) -> Result<v1::Audit, Failure> {
        let audit = create(remote, &self.file, &self.spec, &self.data.digest).await?;
        if let Err(earlier) = self.unless_failed(&audit) {
            note(&format!("umbra: starts anew, after: {earlier}"));
            let request = ask(v1::DeleteAuditRequest { id: audit.id });
            remote.audits().delete_audit(request).await.map_err(|status| remote.failure(&status))?;
            return create(remote, &self.file, &self.spec, &self.data.digest).await;
        }
        Ok(audit)
    }

    fn unless_failed(&self, audit: &v1::Audit) -> Result<(), Failure> {
        if watch::has_ended(audit.state()) { ended(audit) } else { Ok(()) }
    }
}
