//! The final figures: statistics over all packs, written as files, stored as blobs.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use umbra_core::cluster::PackResult;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::ids::PackIndex;
use umbra_core::keys::findings_key;
use umbra_core::places;
use umbra_proto::convert::blob;
use umbra_proto::store::v1::StoredFile;
use umbra_runtime::blobs::BlobKey;
use umbra_runtime::clock::Clock;
use umbra_stats::{Attribute, Config, Design, Inputs, Membership, StatsError, analyse_into};

use super::labels::labels;
use super::packs::{PackReader, open_pack};
use super::reserved::Reserved;
use super::scratch::FileScratch;
use super::source::PackedLogits;
use crate::audit_task::AuditTask;
use crate::datasets::blob_fault;
use crate::engine::{Command, RunNotes};
use crate::facts::{AuditFacts, Prepared};
use crate::patience::patiently;
use crate::report::{
    self, DatasetUnits, FindingsFile, FindingsFiles, LabelNames, ReportError, Rows, RunFacts, SourceRows,
    Subject, write_all,
};
use crate::shell::Shell;

/// Analyses an audit whose packs are all done and tells the engine where the findings are. An audit that
/// ends meanwhile, since somebody cancels it, ends the analysis.
pub async fn finish(
    shell: &Shell,
    task: &AuditTask,
    results: Vec<(PackIndex, PackResult)>,
    term: &str,
    notes: RunNotes,
) {
    let audit = task.facts.id.clone();
    let may_pass = |fault: &Fault| fault.retry != Retry::Never;
    let produce = || produce(shell, task, &results, term, notes.clone());
    let outcome = tokio::select! {
        biased;
        () = task.over.cancelled() => {
            tracing::info!(%audit, "stop analysing");
            return;
        }
        outcome = patiently(&shell.drain, format!("analyse {audit}"), may_pass, produce) => outcome,
    };
    let Some(outcome) = outcome else { return };
    // Without an engine the next leader begins again.
    let _ = shell.engine.tell(Command::Analysed { audit, outcome }).await;
}

async fn produce(
    shell: &Shell,
    task: &AuditTask,
    results: &[(PackIndex, PackResult)],
    term: &str,
    notes: RunNotes,
) -> Result<Vec<StoredFile>, Fault> {
    let facts = task.facts.clone();
    let prepared = task.prepared(shell).await?;
    let mut packs = Vec::new();
    let mut lost = Vec::new();
    for (index, result) in results {
        let plan = facts.plan.packs.get(index.0 as usize).ok_or_else(|| bug("a pack beyond the plan"))?;
        packs.push(open_pack(shell, &facts, plan, result).await?);
        lost.extend(result.lost.iter().map(|shadow| shadow.0));
    }
    if lost.len() as u32 >= facts.spec.shadows().count() {
        let message = "every shadow diverged, so there is nothing to analyse: lower training.learning_rate \
                       or clip gradients, then submit the audit again";
        return Err(Fault::new(Domain::Spec, Retry::Never, message));
    }
    // Whoever no longer waits for the findings stops the thread that makes them.
    let stop = CancellationToken::new();
    let _stopped_when_dropped = stop.clone().drop_guard();
    let work = Work {
        stop,
        facts: facts.clone(),
        prepared,
        numerics: task.numerics.clone(),
        packs,
        lost,
        // An analysis that an earlier term began may still be at work in its own.
        folder: shell.config.findings().join(format!("{}-{term}", facts.id)),
        clock: shell.clock.clone(),
        run: RunFacts {
            started_unix_ms: facts.created,
            training_seconds: notes.training_seconds,
            host: shell.config.host.clone(),
            version: shell.config.version.clone(),
            workers: notes.workers,
            packs: facts.plan.packs.len() as u64,
            packs_reused: notes.reused,
            packs_resumed: notes.resumed,
            packs_queried: notes.queried,
            ..RunFacts::default()
        },
    };
    let folder = work.folder.clone();
    let files = tokio::task::spawn_blocking(move || work.compute()).await;
    let files = files.map_err(|error| bug(error.to_string()))??;
    let stored = store(shell, &facts, term, &folder, files).await;
    let _ = tokio::fs::remove_dir_all(&folder).await;
    stored
}

/// Everything the computation needs, off the engine's thread.
struct Work {
    stop: CancellationToken,
    facts: Arc<AuditFacts>,
    prepared: Arc<Prepared>,
    numerics: String,
    packs: Vec<PackReader>,
    lost: Vec<u32>,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    run: RunFacts,
}

impl Work {
    fn compute(mut self) -> Result<Vec<FindingsFile>, Fault> {
        // What an earlier attempt left is not looked at.
        let _ = std::fs::remove_dir_all(&self.folder);
        let started = self.clock.now();
        let (spec, dataset) = (&self.facts.spec, &self.prepared.dataset);
        let shape = self.facts.dataset.shape;
        let (records, logits) = (shape.records as usize, self.facts.logits() as usize);
        let source = PackedLogits::new(std::mem::take(&mut self.packs), records, logits);
        let drawn = &self.prepared.membership;
        let membership = Membership::new(drawn.shadows() as usize, drawn.units(), drawn.bits())
            .ok_or_else(|| bug("membership does not fit the plan"))?;
        let design = Design::blocks(spec.shadows().block() as usize).with_lost(self.lost.clone());
        let attributes: Vec<Attribute> = dataset
            .description()
            .attributes
            .iter()
            .enumerate()
            .map(|(index, (name, levels))| Attribute {
                name: name.clone(),
                values: dataset.unit_levels(index).collect(),
                levels: levels.clone(),
            })
            .collect();
        let reserved = Reserved::of(&self.facts.spec, dataset, drawn);
        let reserved = reserved.map_err(|message| Fault::new(Domain::Spec, Retry::Never, message))?;
        let compared = reserved.as_ref().map(|reserved| reserved.source(&source)).transpose().map_err(bug)?;
        let inputs = Inputs {
            source: &source,
            labels: labels(dataset),
            units: dataset.record_units(),
            membership,
            design: &design,
            population: reserved
                .as_ref()
                .zip(compared.as_ref())
                .map(|(reserved, source)| reserved.population(source)),
            attributes: &attributes,
            seed: spec.seed(),
        };
        let (unit_names, class_names) = (DatasetUnits(dataset), dataset.class_names());
        let rows = Rows {
            source_rows: SourceRows::Given(dataset.source_rows()),
            unit_names: &unit_names,
            labels: match dataset.labels() {
                umbra_data::Labels::Class(_) => LabelNames::Classes(&class_names),
                umbra_data::Labels::Several { labels, count } => LabelNames::Several(labels, count),
            },
            attributes: &attributes,
        };
        let shadows = drawn.shadows() as usize;
        let mut sink = FindingsFiles::create(&self.folder, shadows, rows).map_err(disk)?;
        let scratch = FileScratch::new(&self.folder);
        let wanted = |_: f64| {
            if self.stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let config = config(&self.facts);
        let analysis = analyse_into(&inputs, &config, &wanted, &mut sink, &scratch);
        let analysis = analysis.map_err(|error| {
            let _ = std::fs::remove_dir_all(&self.folder);
            if is_disk(&error) { disk(error) } else { bug(error) }
        })?;
        let spent = self.clock.now().0.saturating_sub(started.0);
        self.run.statistics_seconds = spent as f64 / 1000.0;
        self.run.ended_unix_ms = self.clock.unix_ms();
        let source_description = dataset.description();
        let subject = Subject {
            audit: &self.facts.id,
            spec,
            dataset: report::Dataset {
                name: self.facts.dataset.name.as_str(),
                digest: self.facts.dataset.digest,
                shape,
                label: &source_description.label,
                classes: class_names,
                unit: source_description.unit.as_deref(),
            },
            rows,
            record_units: dataset.record_units(),
            membership: drawn,
            config: &config,
            numerics: &self.numerics,
            steps: self.facts.plan.steps,
            lost: &self.lost,
            findings: findings_key(&self.prepared.logits, spec.statistics()),
        };
        let (mut files, gathered) = sink.finish().map_err(disk)?;
        files.extend(write_all(&self.folder, &subject, &analysis, &gathered, &self.run).map_err(disk)?);
        Ok(files)
    }
}

/// Whether an analysis failed for want of room or rights, so that another attempt may succeed.
fn is_disk(error: &StatsError) -> bool {
    match error {
        StatsError::Scratch(_) => true,
        StatsError::Sink { source, .. } => {
            !matches!(source.get().downcast_ref(), Some(ReportError::Mismatch(_)))
        }
        _ => false,
    }
}

fn config(facts: &AuditFacts) -> Config {
    let statistics = facts.spec.statistics();
    Config {
        attacks: statistics.attacks().to_vec(),
        variance: statistics.variance(),
        center: statistics.center(),
        counts: statistics.counts(),
        base_offline: statistics.offline(),
        temperature: statistics.temperature(),
        fdr: statistics.fdr(),
        looks: statistics.looks(),
        bootstrap: statistics.bootstrap() as usize,
        delta: statistics.delta(),
        intersections: statistics.intersections().to_vec(),
        ..Config::default()
    }
}

async fn store(
    shell: &Shell,
    facts: &AuditFacts,
    term: &str,
    folder: &std::path::Path,
    files: Vec<FindingsFile>,
) -> Result<Vec<StoredFile>, Fault> {
    let mut stored = Vec::new();
    for file in files {
        let text = places::findings_blob(&facts.id, term, &file.name);
        let key = BlobKey::try_new(text).map_err(|error| bug(error.to_string()))?;
        let path = folder.join(&file.name);
        let open = tokio::task::spawn_blocking(move || File::open(path)).await;
        let open = open.map_err(|error| bug(error.to_string()))?.map_err(disk)?;
        let chunks = umbra_runtime::blobs::file_chunks(open, 0..file.bytes);
        let put = shell.blobs.put_stream(&key, Some(&file.digest), file.bytes, chunks).await;
        put.map_err(|error| blob_fault(&error))?;
        let blob = blob(key.as_str(), &file.digest, file.bytes);
        stored.push(StoredFile { name: file.name, blob: Some(blob) });
    }
    stored.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(stored)
}

fn bug(what: impl std::fmt::Display) -> Fault {
    Fault::new(Domain::Bug, Retry::Never, what.to_string())
}

fn disk(what: impl std::fmt::Display) -> Fault {
    Fault::new(Domain::Store, Retry::Backoff, what.to_string())
}
