//! Small things that every step sends to the device: record indices, keys, angles.

use super::driver::{Driver, DriverError};

/// Pinned host memory in two halves that take turns: what is sent is copied there first, and a half is written anew
/// when the device has read all that was sent from it.
#[derive(Debug)]
pub(super) struct Uploads<D: Driver> {
    pinned: D::Pinned,
    /// Bytes of a half.
    half: usize,
    /// Which half is written now, and from where on.
    now: usize,
    at: usize,
    /// What the device has come to when it has read each half.
    read: [Option<D::Event>; 2],
}

impl<D: Driver> Uploads<D> {
    /// Room for things of at most `most` bytes.
    pub(super) fn new(driver: &mut D, most: usize) -> Result<Self, DriverError> {
        let half = most.max(1 << 16).next_multiple_of(64);
        Ok(Self { pinned: driver.alloc_pinned(2 * half)?, half, now: 0, at: 0, read: [None, None] })
    }

    /// Queues a copy of `len` bytes, which `write` writes, to the start of `to`.
    pub(super) fn send(&mut self, driver: &mut D, to: &D::Memory, len: usize, write: impl FnOnce(&mut [u8])) {
        assert!(len <= self.half, "{len} bytes where {} fit", self.half);
        if self.at + len > self.half {
            self.read[self.now] = Some(driver.record());
            self.now ^= 1;
            self.at = 0;
            if let Some(event) = self.read[self.now].take() {
                driver.wait(&event);
            }
        }
        let range = self.now * self.half + self.at..self.now * self.half + self.at + len;
        write(&mut driver.pinned(&mut self.pinned)[range.clone()]);
        driver.upload(&self.pinned, range, to, 0);
        self.at = (self.at + len).next_multiple_of(16);
    }

    /// The same of whole words.
    pub(super) fn words(&mut self, driver: &mut D, to: &D::Memory, words: &[u32]) {
        self.send(driver, to, size_of_val(words), |bytes| {
            for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
                to.copy_from_slice(&word.to_ne_bytes());
            }
        });
    }
}
