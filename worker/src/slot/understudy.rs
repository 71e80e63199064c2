//! What stands in for training in simulations and load tests: it takes time and answers with made-up logits.
//!
//! Everything around it is the worker's own: orders are heeded, checkpoints are written and gone on from, results
//! are published and reported as ever.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use umbra_core::spec::AuditSpec;
use umbra_data::Dataset;

use super::pack::{self, Snapshot, Trained};
use super::thread::Job;
use super::{Order, Reading};

/// What stands in for training.
pub trait Understudy: Send + Sync + 'static {
    /// How long a slot takes for one step of one shadow.
    fn step(&self) -> Duration;

    /// The logits of a pack's shadows, as [`umbra_data::logits`] encodes them: the same for every attempt.
    fn logits(&self, spec: &AuditSpec, data: &Dataset, shadows: Range<u32>) -> Vec<u8>;
}

/// The most steps that are taken in one go: orders are looked at in between.
const SLICE: u64 = 64;

/// Serves a slot's jobs, one after the other, until nobody has any more.
pub(super) async fn serve(understudy: Arc<dyn Understudy>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        let trained = rehearse(understudy.as_ref(), &job).await;
        // A task that is gone has no use for it.
        let _ = job.answer.send(trained);
    }
}

async fn rehearse(understudy: &dyn Understudy, job: &Job) -> Trained {
    let shadows = job.task.shadows.len() as u64;
    let total = job.task.steps * shadows;
    let interval = job.task.spec.placement().checkpoint_steps();
    let first = job.resume.as_deref().and_then(read).map_or(0, |step| step.min(total));
    let mut step = first;
    while step < total {
        let due = (step / interval + 1) * interval;
        let slice = SLICE.min(due - step).min(total - step);
        tokio::select! {
            biased;
            () = tokio::time::sleep(understudy.step() * slice as u32) => step += slice,
            () = job.orders.at_least(Order::HandBack) => {}
        }
        match job.orders.now() {
            Order::Work => {}
            Order::HandBack => return Trained::Paused((step > first).then(|| snapshot(step))),
            Order::Drop => return Trained::Dropped,
        }
        job.progress.set(Reading {
            steps_done: step,
            shadows_done: (step / job.task.steps) as u32,
            samples: step - first,
        });
        if step == due {
            job.snapshots.send_replace(Some(snapshot(step)));
        }
    }
    let logits = understudy.logits(&job.task.spec, &job.data, job.task.shadows.clone());
    pack::finish(&logits, &[], None, &job.result, first)
}

fn snapshot(step: u64) -> Snapshot {
    Snapshot { step, bytes: step.to_le_bytes().to_vec().into() }
}

fn read(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_le_bytes)
}
