//! What a worker is told at its start, checked as a whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use umbra_core::cluster::MAX_SLOTS;
use umbra_core::ids::WorkerId;
use umbra_core::seed::Stream;
use umbra_core::spec::Violations;
use umbra_runtime::blobs::BlobStore;
use umbra_train::Device;
use umbra_train::device::Found;

use crate::slot::{Devices, Understudy};

/// What a file, flags or an embedding program say; see [`Config::try_new`].
pub struct Settings {
    /// The worker's name: fresh for every process, since it names what this process still runs.
    pub worker: String,
    /// Where the slots train, each on a thread of its own; at least one.
    pub slots: Vec<Device>,
    /// The folder for data sets and unsent results. Workers may share it: each takes a folder within.
    pub scratch: PathBuf,
    /// The most bytes of data sets that are kept there.
    pub scratch_bytes: u64,
    /// The folder in which the weights of trained shadows are kept, if they are.
    pub keep_weights: Option<PathBuf>,
    /// How long a drain may take.
    pub grace: Duration,
    /// The host's name, for people.
    pub host: String,
    /// Jitter of the waits between attempts; simulations pass one of their own seed.
    pub jitter: Stream,
}

/// A checked configuration.
#[derive(Clone)]
pub struct Config {
    worker: WorkerId,
    slots: Vec<Device>,
    scratch: PathBuf,
    scratch_bytes: u64,
    keep_weights: Option<PathBuf>,
    grace: Duration,
    host: String,
    jitter: Stream,
    devices: Arc<Devices>,
    found: Vec<Found>,
    understudy: Option<Arc<dyn Understudy>>,
    blobs: Option<BlobStore>,
}

impl Config {
    /// The least room for data sets, in bytes.
    pub const MIN_SCRATCH_BYTES: u64 = 1 << 20;
    /// The longest grace time.
    pub const MAX_GRACE: Duration = Duration::from_secs(86_400);

    /// Checks settings.
    ///
    /// # Errors
    /// All their mistakes at once.
    pub fn try_new(settings: Settings) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let worker = WorkerId::try_new(settings.worker.as_str());
        if let Err(error) = &worker {
            wrong.push("worker", error.to_string());
        }
        let slots = settings.slots.len();
        if !(1..=MAX_SLOTS as usize).contains(&slots) {
            wrong.push("slots", format!("{slots} is out of range: use 1 to {MAX_SLOTS}"));
        }
        if settings.scratch.as_os_str().is_empty() {
            wrong.push("scratch", "it is empty: name a folder");
        }
        if settings.keep_weights.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            wrong.push("keep_weights", "it is empty: name a folder, or leave it out");
        }
        if settings.scratch_bytes < Self::MIN_SCRATCH_BYTES {
            let least = Self::MIN_SCRATCH_BYTES;
            wrong.push(
                "scratch_bytes",
                format!("{} is too small: use at least {least}", settings.scratch_bytes),
            );
        }
        if settings.grace.is_zero() || settings.grace > Self::MAX_GRACE {
            wrong.push("grace", format!("{:?} is out of range: use above 0 to one day", settings.grace));
        }
        let found = found(&settings.slots);
        match worker {
            Ok(worker) if wrong.is_empty() => Ok(Self {
                worker,
                scratch: settings.scratch,
                scratch_bytes: settings.scratch_bytes,
                keep_weights: settings.keep_weights,
                grace: settings.grace,
                host: settings.host.chars().take(253).collect(),
                jitter: settings.jitter,
                devices: Arc::new(Devices::new(names(&settings.slots, &found))),
                found,
                understudy: None,
                blobs: None,
                slots: settings.slots,
            }),
            _ => Err(wrong),
        }
    }

    /// The same worker, whose slots do not train: an understudy takes their place. For simulations and load tests.
    #[must_use]
    pub fn with_understudy(self, understudy: Arc<dyn Understudy>) -> Self {
        Self { understudy: Some(understudy), ..self }
    }

    /// What stands in for training, if something does.
    pub(crate) fn understudy(&self) -> Option<&Arc<dyn Understudy>> {
        self.understudy.as_ref()
    }

    /// Reads and writes blobs straight in the coordinator's store, instead of through the coordinator.
    #[must_use]
    pub fn with_blobs(self, blobs: BlobStore) -> Self {
        Self { blobs: Some(blobs), ..self }
    }

    /// The store, if blobs do not go through the coordinator.
    pub(crate) fn blobs(&self) -> Option<&BlobStore> {
        self.blobs.as_ref()
    }

    /// The worker's name.
    pub fn worker(&self) -> &WorkerId {
        &self.worker
    }

    /// How many packs are trained at once.
    pub fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Where each slot trains.
    pub fn devices(&self) -> &[Device] {
        &self.slots
    }

    /// The CUDA devices there are, where a slot trains on one.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// What the slots train on: for whoever watches it, and takes out a slot whose device is lost.
    pub fn slot_devices(&self) -> &Arc<Devices> {
        &self.devices
    }

    /// The folder that workers share.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// The most bytes of data sets that are kept.
    pub fn scratch_bytes(&self) -> u64 {
        self.scratch_bytes
    }

    /// The folder in which weights are kept, if they are.
    pub fn keep_weights(&self) -> Option<&Path> {
        self.keep_weights.as_deref()
    }

    /// How long a drain may take.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where jitter is drawn from.
    pub(crate) fn jitter(&self) -> &Stream {
        &self.jitter
    }
}

/// The CUDA devices there are; none are looked for where no slot trains on one.
fn found(slots: &[Device]) -> Vec<Found> {
    let on_cuda = slots.iter().any(|device| *device != Device::Cpu);
    // Devices that cannot be listed any more cannot be opened either; whoever tries will say why.
    if on_cuda { Device::cuda().unwrap_or_default() } else { Vec::new() }
}

/// What slots' devices are called.
fn names(slots: &[Device], found: &[Found]) -> Vec<String> {
    let named = |device: &Device| match device {
        Device::Cuda(ordinal) => found.iter().find(|found| found.ordinal == *ordinal),
        Device::Cpu => None,
    };
    slots
        .iter()
        .map(|slot| named(slot).map_or_else(|| slot.to_string(), |found| found.name.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use umbra_core::seed::{Purpose, Seed};

    use super::*;

    #[test]
    fn all_mistakes_are_listed_at_once() {
        let settings = Settings {
            worker: "Not a name".into(),
            slots: Vec::new(),
            scratch: PathBuf::new(),
            scratch_bytes: 1,
            keep_weights: Some(PathBuf::new()),
            grace: Duration::ZERO,
            host: String::new(),
            jitter: Seed::new(1).stream(Purpose::Simulation, &[]),
        };
        let Err(wrong) = Config::try_new(settings) else { panic!("the settings are wrong") };
        let fields: Vec<_> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["worker", "slots", "scratch", "keep_weights", "scratch_bytes", "grace"]);
    }
}
