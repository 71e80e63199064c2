//! How a pack is placed on a device: whether the data set lies there, and how many shadows train side by side.

use super::driver::{Driver, DriverError};
use super::gather::{INDEX, TURN};
use super::source::{held_bytes, label_size};
use super::{Cuda, CudaSizes, Held};
use crate::backend::Sizes;
use crate::data::TrainingData;
use crate::error::TrainError;
use crate::lockstep::Lockstep;
use crate::network::{Network, Room};
use umbra_core::spec::Training;

/// A place on a device. No result depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// How the device holds the data set.
    pub held: Held,
    /// Shadows side by side.
    pub lanes: usize,
    /// Bytes of the device's memory that all of it takes.
    pub bytes: u64,
}

impl Placement {
    /// The part of free memory that is left alone, one in so many: allocators round up.
    const LEFT: u64 = 16;

    /// The place of up to `shadows` shadows on a device with so much free memory: as many as fit beside the data set,
    /// and at least as many of the shadows as if it were streamed.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where not even one fits.
    pub fn plan(
        network: &Network,
        training: &Training,
        data: &TrainingData<'_>,
        shadows: usize,
        free: u64,
    ) -> Result<Self, TrainError> {
        let room = free - free / Self::LEFT;
        let fitting = |held| {
            let (fixed, lane) = bytes(network, training, data, held);
            let lanes = room.saturating_sub(fixed) / lane.max(1);
            let lanes = usize::try_from(lanes).unwrap_or(usize::MAX).min(shadows);
            Self { held, lanes, bytes: fixed + lanes as u64 * lane }
        };
        let (resident, streamed) = (fitting(Held::Resident), fitting(Held::Streamed));
        let best = if resident.lanes >= streamed.lanes { resident } else { streamed };
        if best.lanes == 0 {
            let (fixed, lane) = bytes(network, training, data, Held::Streamed);
            return Err(TrainError::Memory { needed: fixed + lane });
        }
        Ok(best)
    }
}

/// Bytes of device memory beside the lanes, and of each lane.
fn bytes(network: &Network, training: &Training, data: &TrainingData<'_>, held: Held) -> (u64, u64) {
    let room = Room::new(network, training, &CudaSizes);
    let (fixed, record) = held_bytes(data, held);
    let (width, size) = label_size(data.labels());
    let (rows, float) = (room.demands.rows, size_of::<f32>());
    let unvaried = float * CudaSizes.pitch(data.shape().features as usize);
    let varied = if room.demands.varies { TURN + unvaried } else { 0 };
    let each = width * size + INDEX + varied;
    // The classes' weights, two losses, a factor for clipping, an address for what a layer need not keep; keys of
    // variations and of masks.
    let rest = float * (CudaSizes.pitch(network.classes()) + 2 + 1 + network.nodes().len())
        + 2 * size_of::<[u32; 2]>();
    let lane = room.bytes(&CudaSizes) + rows as u64 * (each as u64 + record) + rest as u64;
    (fixed + (4 * TURN) as u64, lane)
}

/// An engine for up to `shadows` shadows on the device that `open` opens, as many side by side as it has memory for;
/// half as many where it turns out to have less.
///
/// # Errors
/// [`TrainError::Memory`] where not even one shadow fits, [`TrainError::Device`] where the device is lost.
pub fn place<'d, D: Driver>(
    open: &mut dyn FnMut() -> Result<D, DriverError>,
    network: &Network,
    training: &Training,
    steps: u64,
    data: TrainingData<'d>,
    shadows: usize,
) -> Result<(Lockstep<Cuda<'d, D>>, Placement), TrainError> {
    let mut driver = open()?;
    let mut placement = Placement::plan(network, training, &data, shadows, driver.free())?;
    loop {
        let made = Cuda::new(driver, data, placement.held, placement.lanes)
            .and_then(|cuda| Lockstep::new(cuda, network.clone(), training, steps));
        match made {
            Err(TrainError::Memory { .. }) if placement.lanes > 1 => {
                let (fixed, lane) = bytes(network, training, &data, placement.held);
                let lanes = placement.lanes.div_ceil(2);
                placement = Placement { lanes, bytes: fixed + lanes as u64 * lane, ..placement };
                driver = open()?;
            }
            made => return made.map(|engine| (engine, placement)),
        }
    }
}
