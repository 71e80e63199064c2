//! Host memory that stands for a device's.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::rc::Rc;

use super::compile;

/// Where allocations of a device start on.
const ALIGNMENT: usize = 256;
/// Bytes before and after, all 0xff: NaN for who reads beyond the end, and broken by who writes there.
const GUARD: usize = 1024;

/// Bytes at a fixed place, zeros at first. Who reads or writes them says where; nothing borrows them.
pub struct Buffer {
    start: *mut u8,
    layout: Layout,
    guard: usize,
    bytes: usize,
    /// Where it is counted.
    used: Option<Rc<Cell<u64>>>,
}

impl Buffer {
    pub fn new(bytes: usize, used: Option<Rc<Cell<u64>>>) -> Self {
        // AddressSanitizer has guards of its own, which begin at the very end.
        let guard = if compile::sanitized() { 0 } else { GUARD };
        let layout = Layout::from_size_align((bytes + 2 * guard).max(1), ALIGNMENT).unwrap();
        // SAFETY: the layout has at least one byte.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: both guards lie within the allocation.
        unsafe {
            start.write_bytes(0xff, guard);
            start.add(guard + bytes).write_bytes(0xff, guard);
        }
        Self { start, layout, guard, bytes, used }
    }

    fn data(&self) -> *mut u8 {
        // SAFETY: the guard lies within the allocation.
        unsafe { self.start.add(self.guard) }
    }

    /// The address of a byte, of the one past the last too.
    pub fn address(&self, at: u64) -> u64 {
        self.holds("an address", at, 0);
        self.data() as u64 + at
    }

    /// Panics where the bytes from `at` on are not all here.
    pub fn holds(&self, what: &str, at: u64, bytes: u64) {
        let end = at.saturating_add(bytes);
        assert!(end <= self.bytes as u64, "{what} ends at byte {end} of {}", self.bytes);
    }

    pub fn read(&self, at: u64, to: &mut [u8]) {
        self.holds("a read", at, to.len() as u64);
        // SAFETY: the bytes are here; `to` is borrowed and so lies elsewhere.
        unsafe { self.data().add(at as usize).copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) }
    }

    pub fn write(&self, at: u64, from: &[u8]) {
        self.holds("a write", at, from.len() as u64);
        // SAFETY: the bytes are here, and nothing borrows them while the driver works; `from` may be pinned
        // memory, which is another buffer.
        unsafe { self.data().add(at as usize).copy_from_nonoverlapping(from.as_ptr(), from.len()) }
    }

    pub fn copy(&self, start: usize, bytes: usize, to: &Self, at: u64) {
        self.holds("the source of a copy", start as u64, bytes as u64);
        to.holds("the target of a copy", at, bytes as u64);
        // SAFETY: the bytes are in both; one is pinned memory and the other the device's, two allocations.
        unsafe { self.data().add(start).copy_to_nonoverlapping(to.data().add(at as usize), bytes) }
    }

    pub fn clear(&self, at: u64, bytes: usize) {
        self.holds("a clear", at, bytes as u64);
        // SAFETY: the bytes are here.
        unsafe { self.data().add(at as usize).write_bytes(0, bytes) }
    }

    /// Panics where somebody has written beyond an end.
    pub fn check(&self, who: &str) {
        // SAFETY: both guards lie within the allocation, and nothing else borrows them.
        let (before, after) = unsafe {
            let before = std::slice::from_raw_parts(self.start, self.guard);
            (before, std::slice::from_raw_parts(self.data().add(self.bytes), self.guard))
        };
        if let Some(at) = after.iter().position(|byte| *byte != 0xff) {
            panic!("{who} has written to byte {} of {}", self.bytes + at, self.bytes);
        }
        if let Some(at) = before.iter().rposition(|byte| *byte != 0xff) {
            panic!("{who} has written {} bytes before the start of {}", self.guard - at, self.bytes);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(used) = &self.used {
            used.set(used.get() - self.bytes as u64);
        }
        if !std::thread::panicking() {
            self.check("somebody");
        }
        // SAFETY: allocated with this layout in `new`.
        unsafe { dealloc(self.start, self.layout) }
    }
}

/// Pinned host memory of an emulated device.
pub struct EmuPinned(pub(super) Rc<Buffer>);

impl EmuPinned {
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: besides this borrow only queued copies know the bytes. They read them within calls of the driver,
        // and an upload from here needs another borrow of this.
        unsafe { std::slice::from_raw_parts_mut(self.0.data(), self.0.bytes) }
    }
}
