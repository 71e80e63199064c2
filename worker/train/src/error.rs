//! What can go wrong in training, by what the caller does next.

use umbra_core::fault::{Domain, Fault, Retry};

use crate::pack::CheckpointError;

/// A training error. A diverged shadow is none: it is retrained once, then listed as lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// The job contradicts itself or the data: it fails anywhere.
    #[error("the training job is wrong: {0}")]
    Job(String),
    /// The data set contradicts its own shape.
    #[error("the data set is wrong: {0}")]
    Data(String),
    /// A shadow has nothing to train on.
    #[error("shadow {shadow} trains on no record: use a larger data set")]
    NoMembers {
        /// The shadow.
        shadow: u32,
    },
    /// The checkpoint cannot be continued: start from an earlier one or from the beginning.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The device has too little memory for the pack.
    #[error("no memory for {needed} bytes of the pack: use smaller packs or a larger device")]
    Memory {
        /// Bytes that were asked for.
        needed: u64,
    },
    /// The device is of no use any more.
    #[error("{0}")]
    Device(String),
}

impl TrainError {
    /// The fault to report to the scheduler.
    pub fn fault(&self) -> Fault {
        let (domain, retry) = match self {
            Self::Job(_) => (Domain::Spec, Retry::Never),
            Self::Data(_) | Self::NoMembers { .. } => (Domain::Data, Retry::Never),
            Self::Checkpoint(_) => (Domain::Store, Retry::Backoff),
            Self::Memory { .. } => (Domain::Device, Retry::Larger),
            Self::Device(_) => (Domain::Device, Retry::Elsewhere),
        };
        Fault::new(domain, retry, self.to_string())
    }
}
