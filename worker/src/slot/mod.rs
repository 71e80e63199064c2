//! The slots: one thread each that trains, and one task a pack that fetches before and publishes after.

mod attempt;
mod devices;
mod handle;
mod memberships;
#[cfg(feature = "cuda")]
mod nvml;
mod pack;
mod publish;
mod task;
mod thread;
mod understudy;
mod weights;

pub use devices::{DeviceReading, Devices};
pub(crate) use handle::{Order, Orders, Progress, Reading};
pub use understudy::Understudy;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attempt::Attempt;
use futures::FutureExt as _;
use memberships::Memberships;
use thread::Bench;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use umbra_core::ids::Fence;
use umbra_core::seed::Stream;
use umbra_proto::v1;
use umbra_runtime::{Drain, TraceParent};

use crate::blobs::Route;
use crate::config::Config;
use crate::connector::Connector;
use crate::datasets::Datasets;
use crate::error::WorkError;
use crate::faults;
use crate::scratch::Scratch;
use crate::session::{Ending, Lease};

/// What a pack's task tells the session.
#[derive(Debug)]
pub(crate) enum Note {
    /// A checkpoint is stored.
    Checkpointed {
        /// The pack's fence.
        fence: Fence,
        /// The checkpoint.
        checkpoint: v1::Checkpoint,
    },
    /// The pack ended; its slot is free.
    Ended {
        /// The pack's fence.
        fence: Fence,
        /// How.
        ending: Ending,
    },
}

/// What all packs of a worker share.
struct Shop {
    /// The way to blobs. Through the coordinator it is a connection of its own, so that no transfer delays a
    /// heartbeat.
    route: Route,
    /// The data sets.
    datasets: Datasets,
    /// The memberships that packs share.
    memberships: Arc<Memberships>,
    /// The scratch folder.
    scratch: Arc<Scratch>,
    /// What the slots train on.
    devices: Arc<Devices>,
    /// The folder in which weights are kept, if they are.
    weights: Option<PathBuf>,
    /// The numerics classes on offer, the best first.
    numerics: Vec<String>,
    /// Jitter of waits.
    jitter: Stream,
}

/// All slots of a worker.
pub(crate) struct Crew {
    shop: Arc<Shop>,
    benches: Vec<Bench>,
    #[cfg(feature = "cuda")]
    gauges: nvml::Gauges,
    drain: Drain,
    notes: mpsc::UnboundedSender<Note>,
}

impl Crew {
    /// Starts the slots' threads.
    pub(crate) fn start(
        config: &Config,
        connector: &Connector,
        scratch: Arc<Scratch>,
        drain: Drain,
        notes: mpsc::UnboundedSender<Note>,
    ) -> Result<Self, WorkError> {
        let route = match config.blobs() {
            Some(store) => Route::Direct(store.clone()),
            None => Route::Coordinator(connector.client()),
        };
        let shop = Shop {
            datasets: Datasets::open(&scratch, config.scratch_bytes(), route.clone())?,
            route,
            memberships: Arc::default(),
            scratch,
            devices: config.slot_devices().clone(),
            weights: config.keep_weights().map(Path::to_owned),
            numerics: vec![umbra_train::numerics_class()],
            jitter: config.jitter().clone(),
        };
        let start = |(slot, &device)| match config.understudy() {
            Some(understudy) => Ok(Bench::rehearse(slot, understudy.clone(), &drain)),
            None => Bench::start(slot, device, shop.devices.clone())
                .map_err(|source| WorkError::Thread { slot, source }),
        };
        let benches = (0..).zip(config.devices()).map(start).collect::<Result<_, _>>()?;
        Ok(Self {
            shop: Arc::new(shop),
            benches,
            #[cfg(feature = "cuda")]
            gauges: nvml::Gauges::new(config.devices(), config.found()),
            drain,
            notes,
        })
    }

    /// The numerics classes on offer, the best first.
    pub(crate) fn numerics(&self) -> &[String] {
        &self.shop.numerics
    }

    /// What the slots train on.
    pub(crate) fn devices(&self) -> &Devices {
        &self.shop.devices
    }

    /// Reads what devices tell of themselves now.
    pub(crate) fn read_gauges(&self) {
        #[cfg(feature = "cuda")]
        self.gauges.read(&self.shop.devices);
    }

    /// Begins a pack on a free slot. One [`Note::Ended`] follows, whatever happens.
    pub(crate) fn begin(&self, lease: Lease, assign: v1::Assign, orders: Orders, progress: Arc<Progress>) {
        let fence = lease.fence;
        let span = tracing::info_span!(
            "pack",
            audit = %lease.pack.audit,
            pack = lease.pack.pack.0,
            fence = fence.0,
            slot = assign.slot,
            trace_id = tracing::field::Empty
        );
        if let Some(parent) = TraceParent::parse(&assign.traceparent) {
            parent.adopt(&span);
        }
        let jobs = self.benches[assign.slot as usize].jobs();
        let name = format!("pack {lease}");
        let attempt = Attempt::new(self.shop.clone(), lease, jobs, orders, progress, self.notes.clone());
        let notes = self.notes.clone();
        let task = async move {
            let ending = AssertUnwindSafe(attempt.run(assign)).catch_unwind().await.unwrap_or_else(|panic| {
                let what = faults::panic_message(panic.as_ref());
                Ending::Failed(faults::bug(format!("the pack's task panicked: {what}")))
            });
            match &ending {
                Ending::Done(_) => tracing::info!("the pack is done"),
                Ending::Failed(fault) => tracing::warn!(error = fault.message, "the pack failed"),
                Ending::Released(checkpoint) => {
                    tracing::info!(
                        checkpoint = checkpoint.as_ref().map(|at| at.step),
                        "the pack is released"
                    );
                }
            }
            // A session that is gone has no use for it.
            let _ = notes.send(Note::Ended { fence, ending });
        };
        self.drain.spawn(name, task.instrument(span));
    }

    /// Waits for the threads to end; whoever calls this has told every pack to stop.
    pub(crate) async fn stop(self) {
        let Self { benches, .. } = self;
        for bench in benches {
            bench.stop().await;
        }
    }
}
