//! The meta store in one file: taken from a running coordinator at one moment, and put into an empty store while
//! none runs.

mod format;
mod restore;
mod take;

pub use format::{BackupError, Reader};
pub use restore::{RestoreError, Restored, restore};
pub use take::{TakeError, take};
