//! What goes wrong on a worker, classified for the scheduler.

use std::io;

use umbra_core::fault::{Domain, Fault, Retry};
use umbra_runtime::files::FileError;

/// The specification cannot work anywhere.
pub(crate) fn spec(message: impl Into<String>) -> Fault {
    Fault::new(Domain::Spec, Retry::Never, message)
}

/// The data set that arrived is not the one that was named.
pub(crate) fn data(message: impl Into<String>) -> Fault {
    Fault::new(Domain::Data, Retry::Backoff, message)
}

/// This worker cannot do it; another may.
pub(crate) fn worker(message: impl Into<String>) -> Fault {
    Fault::new(Domain::Worker, Retry::Elsewhere, message)
}

/// The device of a slot cannot do it; another may.
pub(crate) fn device(message: impl Into<String>) -> Fault {
    Fault::new(Domain::Device, Retry::Elsewhere, message)
}

/// The coordinator or its store does not take or give a blob.
pub(crate) fn store(message: impl Into<String>) -> Fault {
    Fault::new(Domain::Store, Retry::Backoff, message)
}

/// A mistake in Umbra, here or in the coordinator.
pub(crate) fn bug(message: impl Into<String>) -> Fault {
    Fault::new(Domain::Bug, Retry::Elsewhere, message)
}

/// A file of this worker cannot be read or written: most often, its disk is full.
pub(crate) fn file(error: &FileError) -> Fault {
    let full = matches!(error, FileError::Io { source, .. } if is_full(source));
    let remedy =
        if full { "free some space or give the worker another scratch folder" } else { "see its disk" };
    worker(format!("the worker's scratch folder fails: {error}; {remedy}"))
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
