//! A slot's thread: it takes one job after another and outlives what goes wrong in them. In simulations an
//! understudy takes its place.

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Span;
use umbra_runtime::Drain;
use umbra_train::Device;

use super::memberships::Memberships;
use super::pack::{self, Files, Snapshot, Trained};
use super::task::Task;
use super::understudy::{self, Understudy};
use super::{Devices, Orders, Progress};
use crate::datasets::OpenDataset;
use crate::faults;

/// Training to be done.
pub(super) struct Job {
    /// What is to be trained.
    pub(super) task: Task,
    /// On what.
    pub(super) data: Arc<OpenDataset>,
    /// The memberships that packs share.
    pub(super) memberships: Arc<Memberships>,
    /// The checkpoint's bytes.
    pub(super) resume: Option<Bytes>,
    /// The file to write the result to.
    pub(super) result: PathBuf,
    /// The file to write the pack's weights to.
    pub(super) weights: PathBuf,
    /// The folder to keep weights in.
    pub(super) kept: Option<PathBuf>,
    /// Who may stop it.
    pub(super) orders: Orders,
    /// Where it says how far it is.
    pub(super) progress: Arc<Progress>,
    /// Where checkpoints go.
    pub(super) snapshots: watch::Sender<Option<Snapshot>>,
    /// The pack's span.
    pub(super) span: Span,
    /// Where the outcome goes.
    pub(super) answer: oneshot::Sender<Trained>,
}

/// Where a slot takes its jobs from.
pub(super) type Jobs = mpsc::UnboundedSender<Job>;

/// A slot's thread.
pub(super) struct Bench {
    jobs: Jobs,
    ended: oneshot::Receiver<()>,
}

impl Bench {
    /// Starts the thread of a slot on a device, which is that thread's alone.
    pub(super) fn start(slot: u32, device: Device, devices: Arc<Devices>) -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name(format!("slot-{slot}")).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                serve(device, job, |reason| devices.lose(slot, reason));
            }
            // Nobody may wait for it.
            let _ = end.send(());
        })?;
        Ok(Self { jobs, ended })
    }

    /// Has an understudy serve a slot instead, as a task of the drain.
    pub(super) fn rehearse(slot: u32, understudy: Arc<dyn Understudy>, drain: &Drain) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel::<Job>();
        let (end, ended) = oneshot::channel();
        drain.spawn(format!("slot {slot}"), async move {
            understudy::serve(understudy, queue).await;
            // Nobody may wait for it.
            let _ = end.send(());
        });
        Self { jobs, ended }
    }

    /// The way to give it jobs.
    pub(super) fn jobs(&self) -> Jobs {
        self.jobs.clone()
    }

    /// Waits until the thread has ended; every other way to give it jobs must be gone soon.
    pub(super) async fn stop(self) {
        let Self { jobs, ended } = self;
        drop(jobs);
        let _ = ended.await;
    }
}

fn serve(device: Device, job: Job, lose: impl FnOnce(&str)) {
    let Job {
        task,
        data,
        memberships,
        resume,
        result,
        weights,
        kept,
        orders,
        progress,
        snapshots,
        span,
        answer,
    } = job;
    let _in_span = span.entered();
    let train = || {
        let files = Files { result: &result, weights: &weights, kept: kept.as_deref() };
        pack::train(
            device,
            &task,
            &data,
            &memberships,
            resume.as_deref(),
            files,
            &orders,
            &progress,
            &snapshots,
        )
    };
    let trained = guarded(train);
    // Before anybody hears that the slot is free.
    if let Trained::DeviceLost(fault) = &trained {
        lose(&fault.message);
    }
    // A task that is gone has no use for it.
    let _ = answer.send(trained);
}

/// A panic is a fault of its pack; the slot goes on.
fn guarded(train: impl FnOnce() -> Trained) -> Trained {
    std::panic::catch_unwind(AssertUnwindSafe(train)).unwrap_or_else(|panic| {
        let what = faults::panic_message(panic.as_ref());
        Trained::Failed(faults::bug(format!("training panicked: {what}")))
    })
}

#[cfg(test)]
mod tests {
    use umbra_core::fault::{Domain, Retry};

    use super::*;

    #[test]
    fn a_panic_is_a_fault_of_its_pack() {
        let Trained::Failed(fault) = guarded(|| panic!("index {} of 3", 5)) else { panic!("not failed") };
        assert_eq!((fault.domain, fault.retry), (Domain::Bug, Retry::Elsewhere));
        assert!(fault.message.ends_with("index 5 of 3"), "{fault}");
    }
}
