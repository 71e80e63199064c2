//! How a worker ends.

use std::fmt;

use umbra_runtime::blobs::BlobError;
use umbra_runtime::lock::LockError;

use crate::scratch::ScratchError;

/// How a worker that was asked to leave left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was handed back or finished, and the coordinator knows.
    Left,
    /// The grace time ran out first. The coordinator gives the packs to others when their leases end.
    GaveUp {
        /// Packs that were neither finished nor handed back, or whose report was not acknowledged.
        unfinished: usize,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("the worker handed everything back and left"),
            Self::GaveUp { unfinished } => write!(
                f,
                "the worker left without the coordinator's word: the grace time ran out with {unfinished} \
                 packs not handed back; they go on elsewhere once their leases end"
            ),
        }
    }
}

/// Why a worker cannot work.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The coordinator speaks another protocol.
    #[error("the coordinator refused this worker: {0}; run the coordinator's release of umbra here")]
    VersionSkew(String),
    /// The coordinator does not know the token or certificate.
    #[error("the coordinator refused this worker's credentials: {0}; check the token and certificate")]
    Unauthenticated(String),
    /// The coordinator cannot make sense of what this worker says of itself.
    #[error("the coordinator refused this worker: {0}")]
    Refused(String),
    /// The scratch folder cannot be used.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The data sets' folder cannot be used.
    #[error("the scratch folder cannot be used: {0}")]
    Datasets(#[from] LockError),
    /// The object store refuses this worker.
    #[error("the object store cannot be used: {0}; check what blobs names and the credentials for it")]
    Blobs(BlobError),
    /// A slot's thread could not be started.
    #[error("cannot start a thread for slot {slot}: {source}; use fewer slots or raise the system's limit")]
    Thread {
        /// The slot.
        slot: u32,
        /// What the system says.
        source: std::io::Error,
    },
    /// Every slot has lost its device, and all packs were reported.
    #[error("no slot of this worker has its device any more, start it again: {0}")]
    DevicesLost(String),
}
