//! What lies on a device, and how kernels are told of it.

use super::driver::{Arg, Driver};

/// Numbers of every lane, one lane after the other.
#[derive(Debug)]
pub struct Buffer<D: Driver> {
    pub(super) memory: D::Memory,
    /// Floats from lane to lane.
    pub(super) lane: usize,
}

impl<D: Driver> Buffer<D> {
    /// Where lane 0's number `at` is.
    pub(super) fn from(&self, at: usize) -> Arg<'_, D::Memory> {
        Arg::Address(&self.memory, bytes(at))
    }

    /// Where lane 0 starts.
    pub(super) fn start(&self) -> Arg<'_, D::Memory> {
        self.from(0)
    }

    /// Floats from lane to lane.
    pub(super) fn stride(&self) -> Arg<'_, D::Memory> {
        Arg::U64(self.lane as u64)
    }
}

/// The labels of a batch: classes as 32-bit numbers, or several bytes a record.
#[derive(Debug)]
pub struct Labels<D: Driver> {
    pub(super) memory: D::Memory,
    /// Labels from lane to lane.
    pub(super) lane: usize,
}

/// Bytes of so many floats.
pub(super) fn bytes(floats: usize) -> u64 {
    (floats * size_of::<f32>()) as u64
}

/// A flag for a kernel.
pub(super) fn flag<'a, M>(set: bool) -> Arg<'a, M> {
    Arg::U32(u32::from(set))
}

/// A count for a kernel; counts of one lane fit by [`super::sizes`].
pub(super) fn count<'a, M>(count: usize) -> Arg<'a, M> {
    Arg::U32(word(count))
}

/// The same as a word of a structure.
pub(super) fn word(count: usize) -> u32 {
    u32::try_from(count).expect("what one lane holds is counted in 32 bits")
}

/// A buffer that may be missing, and its stride.
pub(super) fn optional<D: Driver>(buffer: Option<&Buffer<D>>) -> [Arg<'_, D::Memory>; 2] {
    match buffer {
        Some(buffer) => [buffer.start(), buffer.stride()],
        None => [Arg::Null, Arg::U64(0)],
    }
}
