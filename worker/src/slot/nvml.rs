//! What CUDA devices tell of themselves while they work, through NVIDIA's management library (NVML), which is looked
//! for when a worker starts; without it there are no readings, and nothing else is missing.

use nvml_wrapper::Nvml;
use umbra_train::Device;
use umbra_train::device::Found;

use super::devices::{DeviceReading, Devices};

/// The gauges of a worker's CUDA slots.
pub(super) struct Gauges {
    nvml: Option<Box<Nvml>>,
    /// Slots, and what NVML calls their devices.
    slots: Vec<(u32, String)>,
}

impl Gauges {
    /// Those of slots on devices among those that were found.
    pub(super) fn new(slots: &[Device], found: &[Found]) -> Self {
        let uuid = |device: &Device| match device {
            Device::Cpu => None,
            Device::Cuda(ordinal) => found.iter().find(|found| found.ordinal == *ordinal),
        };
        let slots: Vec<_> =
            (0..).zip(slots).filter_map(|(slot, device)| Some((slot, uuid(device)?.uuid.clone()))).collect();
        let nvml = if slots.is_empty() { None } else { start() };
        Self { nvml, slots }
    }

    /// Reads all of them.
    pub(super) fn read(&self, devices: &Devices) {
        let Some(nvml) = &self.nvml else { return };
        for (slot, uuid) in &self.slots {
            if let Some(reading) = reading(nvml, uuid) {
                devices.read(*slot, reading);
            }
        }
    }
}

fn start() -> Option<Box<Nvml>> {
    match Nvml::init() {
        Ok(nvml) => Some(Box::new(nvml)),
        Err(error) => {
            tracing::info!(%error, "no memory and utilisation of devices are told: NVML cannot be started");
            None
        }
    }
}

/// A device is a GPU or a slice of one, which NVML calls by other names; a slice has no utilisation of its own.
fn reading(nvml: &Nvml, uuid: &str) -> Option<DeviceReading> {
    let device = ["GPU", "MIG"].iter().find_map(|kind| nvml.device_by_uuid(format!("{kind}-{uuid}")).ok())?;
    let memory = device.memory_info().ok()?;
    let utilisation = device.utilization_rates().ok().map(|rates| f64::from(rates.gpu) / 100.0);
    Some(DeviceReading { memory_bytes: memory.total, memory_free_bytes: memory.free, utilisation })
}
