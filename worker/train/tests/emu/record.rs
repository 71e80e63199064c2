//! What an emulated device was asked to do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How often, and how many bytes in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfers {
    pub count: u64,
    pub bytes: u64,
}

impl Transfers {
    pub(super) fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
    }
}

/// Everything that was queued since the last [`Recorder::take`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// By the kernel's name.
    pub launches: BTreeMap<&'static str, u64>,
    pub uploads: Transfers,
    pub downloads: Transfers,
    pub clears: Transfers,
    /// The most device memory that was in use after an allocation, in bytes.
    pub peak: u64,
}

/// A view of a driver's record.
#[derive(Clone)]
pub struct Recorder(Rc<RefCell<Record>>);

impl Recorder {
    pub(super) fn new(record: Rc<RefCell<Record>>) -> Self {
        Self(record)
    }

    /// The record so far.
    pub fn read(&self) -> Record {
        self.0.borrow().clone()
    }

    /// The record so far; a new one begins.
    pub fn take(&self) -> Record {
        self.0.take()
    }
}
