//! Training one pack on a slot's thread, in slices short enough that an order is heeded at once.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;
use umbra_core::digest::Digest;
use umbra_core::fault::Fault;
use umbra_data::Dataset;
use umbra_proto::MAX_CHECKPOINT;
use umbra_runtime::files::{self, Privacy};
use umbra_train::{Device, PackJob, PackLogits, PackMembership, PackRun, Status, TrainError, TrainingData};

use super::memberships::Memberships;
use super::task::Task;
use super::weights::Keep;
use super::{Order, Orders, Progress, Reading};
use crate::faults;

/// A checkpoint that is not stored yet.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// Steps from the pack's start.
    pub(super) step: u64,
    /// Its bytes.
    pub(super) bytes: Bytes,
}

/// A blob that is not stored yet.
#[derive(Debug)]
pub(super) struct Ready {
    /// The file it waits in.
    pub(super) file: ResultFile,
    /// SHA-256 of the file.
    pub(super) digest: Digest,
    /// Its bytes.
    pub(super) size: u64,
}

impl Ready {
    /// Writes a blob to the file it waits in.
    fn write(path: &Path, bytes: &[u8]) -> Result<Self, Fault> {
        files::write_atomic(path, bytes, Privacy::Private).map_err(|error| faults::file(&error))?;
        let file = ResultFile(path.to_owned());
        Ok(Self { file, digest: Digest::of(bytes), size: bytes.len() as u64 })
    }
}

/// A result that is not stored yet.
#[derive(Debug)]
pub(super) struct Finished {
    /// The logits.
    pub(super) logits: Ready,
    /// The weights of all shadows, if the audit keeps them and there are any.
    pub(super) weights: Option<Ready>,
    /// Shadows that diverged twice.
    pub(super) lost: Vec<u32>,
    /// Where this attempt began; 0 at the start.
    pub(super) resumed_from_step: u64,
}

/// How training ended.
#[derive(Debug)]
pub(super) enum Trained {
    /// It is complete.
    Finished(Finished),
    /// It was told to hand back; the checkpoint is there unless nothing was trained.
    Paused(Option<Snapshot>),
    /// It was told to stop.
    Dropped,
    /// It cannot go on.
    Failed(Fault),
    /// It cannot go on, and nor can any other pack on its device.
    DeviceLost(Fault),
}

impl From<TrainError> for Trained {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Device(_) => Self::DeviceLost(error.fault()),
            _ => Self::Failed(error.fault()),
        }
    }
}

/// A file that is removed when it is no longer needed.
#[derive(Debug)]
pub(super) struct ResultFile(PathBuf);

impl ResultFile {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "cannot remove a result that is no longer needed");
        }
    }
}

/// Where a pack's files go.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    /// The logits.
    pub(super) result: &'a Path,
    /// The weights of the whole pack.
    pub(super) weights: &'a Path,
    /// The folder of the audit's weights, if this worker keeps them.
    pub(super) kept: Option<&'a Path>,
}

/// Trains a pack until it is complete or told otherwise.
pub(super) fn train(
    device: Device,
    task: &Task,
    data: &Dataset,
    memberships: &Memberships,
    resume: Option<&[u8]>,
    files: Files<'_>,
    orders: &Orders,
    progress: &Progress,
    snapshots: &watch::Sender<Option<Snapshot>>,
) -> Trained {
    let run = match begin(device, task, data, memberships, resume) {
        Ok(run) => run,
        Err(error) => return error.into(),
    };
    let mut run = Watched::new(run, task, progress);
    let keep = match files.kept.map(|folder| Keep::begin(folder, task, data)).transpose() {
        Ok(keep) => keep,
        Err(fault) => return Trained::Failed(fault),
    };
    if keep.is_some() {
        run.run.keep_weights();
    }
    if task.spec.placement().keep_weights() {
        run.run.collect_weights();
    }
    let interval = task.spec.placement().checkpoint_steps();
    let mut pace = Pace::default();
    loop {
        match orders.now() {
            Order::Work => {}
            Order::HandBack => {
                return run.snapshot().map_or_else(Trained::from, Trained::Paused);
            }
            Order::Drop => return Trained::Dropped,
        }
        let due = (run.step / interval + 1) * interval;
        let began = Instant::now();
        let more = match run.advance(pace.slice().min(due - run.step)) {
            Ok(more) => more,
            Err(error) => return error.into(),
        };
        pace.took(began.elapsed());
        // Before any checkpoint says that these shadows are done.
        let kept = keep.as_ref().map_or(Ok(()), |keep| keep.write(run.run.take_weights()));
        if let Err(fault) = kept {
            return Trained::Failed(fault);
        }
        if !more {
            break;
        }
        if run.step >= due {
            match run.snapshot() {
                Ok(snapshot) => snapshots.send_replace(snapshot),
                Err(error) => return error.into(),
            };
        }
    }
    let resumed_from_step = run.first;
    let weights = match collected(&run.run, task, files.weights) {
        Ok(weights) => weights,
        Err(fault) => return Trained::Failed(fault),
    };
    match run.run.finish() {
        Ok(logits) => write(&logits, weights, files.result, resumed_from_step),
        Err(error) => error.into(),
    }
}

/// The weights of a pack that is done, if its audit keeps them. A pack is worth more than what others may make of it:
/// where some are missing it goes without.
fn collected(run: &PackRun<'_>, task: &Task, path: &Path) -> Result<Option<Ready>, Fault> {
    if !task.spec.placement().keep_weights() {
        return Ok(None);
    }
    match run.collected_weights() {
        Some(bytes) if bytes.len() as u64 <= MAX_CHECKPOINT => Ready::write(path, &bytes).map(Some),
        Some(bytes) => {
            tracing::warn!(bytes = bytes.len(), most = MAX_CHECKPOINT, "keep no weights: they are too large");
            Ok(None)
        }
        None => {
            tracing::warn!("keep no weights: those of some shadows are missing, or depend on what was asked");
            Ok(None)
        }
    }
}

/// A run from the checkpoint, or from the start if there is none that can be used.
fn begin<'d>(
    device: Device,
    task: &Task,
    data: &'d Dataset,
    memberships: &Memberships,
    resume: Option<&[u8]>,
) -> Result<PackRun<'d>, TrainError> {
    let spec = &task.spec;
    let membership = memberships.get(spec, data);
    let job = PackJob {
        seed: spec.seed().clone(),
        data: data.digest(),
        model: spec.model().clone(),
        training: spec.training().clone(),
        queries: spec.queries().clone(),
        steps: task.steps,
        shadows: task.shadows.clone(),
        membership: PackMembership::select(&membership, task.shadows.clone())?,
        isa_limit: None,
    };
    let data = TrainingData::of(data)?;
    if let Some(bytes) = resume {
        match device.begin(job.clone(), data, Some(bytes)) {
            Err(TrainError::Checkpoint(error)) => {
                tracing::warn!(%error, "begin from the start: the checkpoint cannot be used");
            }
            other => return other,
        }
    }
    device.begin(job, data, None)
}

/// A run that says how far it is.
struct Watched<'d, 'a> {
    run: PackRun<'d>,
    progress: &'a Progress,
    shadows: u32,
    /// The step this attempt began at.
    first: u64,
    first_samples: u64,
    step: u64,
    total_steps: u64,
    samples: u64,
    /// The length of the latest snapshot: the next one is about as long.
    snapshot_length: usize,
}

impl<'d, 'a> Watched<'d, 'a> {
    fn new(run: PackRun<'d>, task: &Task, progress: &'a Progress) -> Self {
        let mut watched = Self {
            run,
            progress,
            shadows: task.shadows.len() as u32,
            first: 0,
            first_samples: 0,
            step: 0,
            total_steps: 0,
            samples: 0,
            snapshot_length: 0,
        };
        watched.note(watched.run.status());
        (watched.first, watched.first_samples) = (watched.step, watched.samples);
        watched.note(watched.run.status());
        if watched.first > 0 {
            tracing::info!(step = watched.first, "go on from a checkpoint");
        }
        watched
    }

    /// Whether there is more to do after this slice.
    fn advance(&mut self, slice: u64) -> Result<bool, TrainError> {
        let status = self.run.advance(slice)?;
        self.note(status);
        Ok(status != Status::Done)
    }

    fn note(&mut self, status: Status) {
        let shadows_done = match status {
            Status::Running { step, total_steps, shadows_done, samples } => {
                (self.step, self.total_steps, self.samples) = (step, total_steps, samples);
                shadows_done
            }
            Status::Done => {
                self.step = self.total_steps;
                self.shadows
            }
        };
        let samples = self.samples - self.first_samples;
        self.progress.set(Reading { steps_done: self.step, shadows_done, samples });
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, TrainError> {
        if self.step == self.first {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(self.snapshot_length);
        self.run.checkpoint(&mut bytes)?;
        self.snapshot_length = bytes.len();
        Ok(Some(Snapshot { step: self.step, bytes: bytes.into() }))
    }
}

fn write(logits: &PackLogits, weights: Option<Ready>, path: &Path, resumed_from_step: u64) -> Trained {
    match logits.encode() {
        Ok(bytes) => finish(&bytes, logits.lost(), weights, path, resumed_from_step),
        Err(error) => Trained::Failed(faults::spec(format!("the logits cannot be written: {error}"))),
    }
}

/// Writes the encoded logits of a complete pack to its file.
pub(super) fn finish(
    bytes: &[u8],
    lost: &[u32],
    weights: Option<Ready>,
    path: &Path,
    resumed_from_step: u64,
) -> Trained {
    match Ready::write(path, bytes) {
        Ok(logits) => Trained::Finished(Finished { logits, weights, lost: lost.to_vec(), resumed_from_step }),
        Err(fault) => Trained::Failed(fault),
    }
}

/// Finds how many steps fill a slice of some tens of milliseconds. No result depends on it.
struct Pace(u64);

impl Default for Pace {
    fn default() -> Self {
        Self(1)
    }
}

impl Pace {
    const SHORT: Duration = Duration::from_millis(15);
    const LONG: Duration = Duration::from_millis(45);

    fn slice(&self) -> u64 {
        self.0
    }

    fn took(&mut self, time: Duration) {
        if time < Self::SHORT {
            self.0 = (self.0 * 2).min(1 << 20);
        } else if time > Self::LONG {
            self.0 = (self.0 / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_settle_at_some_tens_of_milliseconds() {
        for step in [Duration::from_micros(1), Duration::from_micros(300), Duration::from_millis(70)] {
            let mut pace = Pace::default();
            for _ in 0..40 {
                let time = step * u32::try_from(pace.slice()).unwrap();
                pace.took(time);
            }
            let time = step * u32::try_from(pace.slice()).unwrap();
            assert!(time >= Pace::SHORT / 2 && time <= Duration::from_millis(70), "{step:?}: {time:?}");
        }
    }
}
