//! Where a slot trains.

use std::fmt;

use crate::TrainingData;
use crate::cpu::{Cpu, Isa, IsaLevel};
use crate::engine::Engine;
use crate::error::TrainError;
use crate::lockstep::Lockstep;
use crate::network::Network;
use crate::pack::{PackJob, PackRun};

/// Where a slot trains. No result depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    /// A thread of the CPU.
    Cpu,
    /// The visible CUDA device of this number.
    Cuda(u32),
}

/// A CUDA device that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number, for [`Device::Cuda`].
    pub ordinal: u32,
    /// Its name, for people.
    pub name: String,
    /// What it is called everywhere.
    pub uuid: String,
    /// Compute capability, major and minor.
    pub capability: (u32, u32),
    /// Bytes of its memory.
    pub memory: u64,
    /// Why it cannot be used, if it cannot.
    pub unfit: Option<String>,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

impl Device {
    /// The CUDA devices that are visible, at least one.
    ///
    /// # Errors
    /// Why there is none, in one sentence.
    pub fn cuda() -> Result<Vec<Found>, String> {
        found()
    }

    /// A run of a job here, from the start or from a checkpoint of the same job; on a CUDA device with as many shadows
    /// side by side as it has memory for.
    ///
    /// # Errors
    /// As [`PackRun::new`]; [`TrainError::Memory`] where the device cannot hold one shadow, [`TrainError::Device`] where
    /// it cannot be used.
    pub fn begin<'d>(
        self,
        job: PackJob,
        data: TrainingData<'d>,
        resume: Option<&[u8]>,
    ) -> Result<PackRun<'d>, TrainError> {
        let network = Network::new(&job.model, &job.training, &data.shape())?;
        let engine: Box<dyn Engine + 'd> = match self {
            Self::Cpu => {
                let isa = Isa::at_most(job.isa_limit.unwrap_or(IsaLevel::Avx512));
                Box::new(Lockstep::new(Cpu::new(data, isa), network, &job.training, job.steps)?)
            }
            Self::Cuda(ordinal) => on_cuda(ordinal, &job, data, &network)?,
        };
        PackRun::with_engine(job, data, engine, resume)
    }
}

#[cfg(not(feature = "cuda"))]
const WITHOUT: &str = "this umbra is built without CUDA: build it with --features cuda";

#[cfg(not(feature = "cuda"))]
fn found() -> Result<Vec<Found>, String> {
    Err(WITHOUT.to_owned())
}

#[cfg(not(feature = "cuda"))]
fn on_cuda<'d>(
    _ordinal: u32,
    _job: &PackJob,
    _data: TrainingData<'d>,
    _network: &Network,
) -> Result<Box<dyn Engine + 'd>, TrainError> {
    Err(TrainError::Device(WITHOUT.to_owned()))
}

#[cfg(feature = "cuda")]
fn found() -> Result<Vec<Found>, String> {
    let devices = crate::cuda::device::devices().map_err(|error| error.to_string())?;
    if devices.is_empty() {
        return Err("no CUDA device is visible (see CUDA_VISIBLE_DEVICES)".to_owned());
    }
    let found = devices.into_iter().map(|device| Found {
        ordinal: device.ordinal,
        name: device.properties.name,
        uuid: device.uuid,
        capability: device.properties.capability,
        memory: device.properties.memory,
        unfit: device.unfit,
    });
    Ok(found.collect())
}

#[cfg(feature = "cuda")]
fn on_cuda<'d>(
    ordinal: u32,
    job: &PackJob,
    data: TrainingData<'d>,
    network: &Network,
) -> Result<Box<dyn Engine + 'd>, TrainError> {
    use crate::cuda::{device::CudaDriver, driver::DriverError, place};

    let mut open = || CudaDriver::open(ordinal).map_err(|error| DriverError::Lost(error.to_string()));
    let shadows = job.shadows.len();
    let (engine, _) = place(&mut open, network, &job.training, job.steps, data, shadows)?;
    Ok(Box::new(engine))
}
