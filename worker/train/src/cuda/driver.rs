//! The seam between the CUDA backend and whatever runs its kernels: a device through its driver, or the host in tests.
//!
//! All work is queued on one stream and done in its order. Nothing returns an error where it is queued: a driver keeps
//! the first one, refuses all further work and answers with it when it is asked, so that a step is a plain list of
//! launches.

use std::ops::Range;

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// Its name, for people.
    pub name: String,
    /// Its compute capability, major and minor.
    pub capability: (u32, u32),
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Bytes of memory.
    pub memory: u64,
}

/// What went wrong on a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// It has too little memory left.
    #[error("the device has no {needed} bytes left")]
    Memory {
        /// Bytes that were asked for.
        needed: u64,
    },
    /// It, or the way to it, is of no use any more.
    #[error("the device is lost: {0}")]
    Lost(String),
}

/// An argument of a kernel.
#[derive(Debug)]
pub enum Arg<'a, Memory> {
    /// The address of a byte of device memory.
    Address(&'a Memory, u64),
    /// No address.
    Null,
    /// A number.
    U32(u32),
    /// A number.
    U64(u64),
    /// A number.
    F32(f32),
    /// A structure of 32-bit numbers, by value.
    Words(&'a [u32]),
}

impl<Memory> Clone for Arg<'_, Memory> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Memory> Copy for Arg<'_, Memory> {}

/// The blocks of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Blocks along x, y and z; at most 2^31 - 1, 65,535 and 65,535.
    pub blocks: [u32; 3],
    /// Threads of a block, all along x.
    pub threads: u32,
}

/// A stream of work on one device, for one thread.
pub trait Driver {
    /// Device memory; given back when dropped.
    type Memory;
    /// Host memory that the device copies from by itself; given back when dropped.
    type Pinned;
    /// A place in the stream.
    type Event;

    /// The device.
    fn properties(&self) -> &Properties;

    /// Bytes of the device's memory that nobody uses.
    fn free(&mut self) -> u64;

    /// Device memory of zeros.
    ///
    /// # Errors
    /// [`DriverError::Memory`] where there is not so much, [`DriverError::Lost`] where the device is lost.
    fn alloc(&mut self, bytes: usize) -> Result<Self::Memory, DriverError>;

    /// Host memory of zeros to copy from.
    ///
    /// # Errors
    /// As [`Driver::alloc`].
    fn alloc_pinned(&mut self, bytes: usize) -> Result<Self::Pinned, DriverError>;

    /// The bytes of host memory. Whoever writes to them has waited for the copies that were queued from there.
    fn pinned<'a>(&self, pinned: &'a mut Self::Pinned) -> &'a mut [u8];

    /// Queues a copy of `from[range]` to the device at byte `at`. It is read when the stream comes to it.
    fn upload(&mut self, from: &Self::Pinned, range: Range<usize>, to: &Self::Memory, at: u64);

    /// Copies from any host memory and waits for it.
    fn upload_now(&mut self, from: &[u8], to: &Self::Memory, at: u64);

    /// Copies to the host from byte `at` and waits for it, and so for all that is queued.
    fn download(&mut self, from: &Self::Memory, at: u64, to: &mut [u8]);

    /// Queues zeros for a range of bytes, both ends multiples of 4.
    fn clear(&mut self, memory: &Self::Memory, range: Range<u64>);

    /// Queues a kernel by its name.
    fn launch(&mut self, kernel: &'static str, grid: Grid, args: &[Arg<'_, Self::Memory>]);

    /// Marks the place that the stream is queued to.
    fn record(&mut self) -> Self::Event;

    /// Waits until the stream has come to a place.
    fn wait(&mut self, event: &Self::Event);

    /// The first thing that went wrong, for good.
    ///
    /// # Errors
    /// That thing.
    fn check(&mut self) -> Result<(), DriverError>;
}
