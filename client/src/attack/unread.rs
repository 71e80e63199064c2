//! Why an array was not read.

use umbra_data::npy::NpyError;
use umbra_runtime::ScratchError;

use crate::exit::Failure;

/// An array whose values were not taken over.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The file, or a value in it.
    #[error(transparent)]
    Array(#[from] NpyError),
    /// The room that the values were to be kept in.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

impl From<Unread> for Failure {
    fn from(error: Unread) -> Self {
        match &error {
            Unread::Array(NpyError::Wrong { .. }) => Self::usage(error.to_string()),
            Unread::Array(NpyError::Io { .. }) | Unread::Scratch(_) => Self::failed(error.to_string()),
        }
    }
}
