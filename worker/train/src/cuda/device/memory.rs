//! Handles that are given back when they are dropped: memory of the device and of the host, and places in the stream.

use std::rc::Rc;

use cudarc::driver::{result, sys};

use super::stream::Stream;

/// Memory of a device. It is freed in the stream's order: what is queued still finds it.
pub struct CudaMemory {
    stream: Rc<Stream>,
    start: sys::CUdeviceptr,
    bytes: u64,
}

impl CudaMemory {
    pub(super) fn new(stream: Rc<Stream>, bytes: usize) -> Result<Self, result::DriverError> {
        // CUDA has no memory of no bytes.
        let least = bytes.max(1);
        // SAFETY: freed once, when this is dropped.
        let start = unsafe { result::malloc_async(stream.raw(), least) }?;
        let this = Self { stream, start, bytes: bytes as u64 };
        // SAFETY: so many bytes were allocated, in this stream.
        unsafe { result::memset_d8_async(start, 0, least, this.stream.raw()) }?;
        Ok(this)
    }

    /// The address of a byte that so many bytes follow.
    pub(super) fn address(&self, at: u64, bytes: u64) -> u64 {
        let end = at.checked_add(bytes).filter(|end| *end <= self.bytes);
        assert!(end.is_some(), "{bytes} bytes from {at} of {} bytes of device memory", self.bytes);
        self.start + at
    }
}

impl Drop for CudaMemory {
    fn drop(&mut self) {
        // What fails here fails on a device that is lost.
        let _ = self.stream.bind();
        // SAFETY: allocated in this stream by `new`; what uses it was queued before.
        let _ = unsafe { result::free_async(self.start, self.stream.raw()) };
    }
}

/// Host memory that the device reads by itself.
pub struct CudaPinned {
    stream: Rc<Stream>,
    start: *mut u8,
    bytes: usize,
}

impl CudaPinned {
    pub(super) fn new(stream: Rc<Stream>, bytes: usize) -> Result<Self, result::DriverError> {
        let least = bytes.max(1);
        // SAFETY: freed once, when this is dropped; so many bytes were allocated.
        let start = unsafe {
            let start = result::malloc_host(least, 0)?.cast::<u8>();
            start.write_bytes(0, least);
            start
        };
        Ok(Self { stream, start, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: allocated and written in `new`; the device only reads it.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and borrowed by nobody else. Writes that a queued copy meets give it the wrong
        // numbers, which is why Driver::pinned asks to wait for it.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }
}

impl Drop for CudaPinned {
    fn drop(&mut self) {
        // Copies from here may be queued. What fails here fails on a device that is lost.
        let _ = self.stream.bind();
        let _ = self.stream.wait();
        // SAFETY: allocated in `new`, and no copy reads it any more.
        let _ = unsafe { result::free_host(self.start.cast()) };
    }
}

/// A place in the stream of a device.
pub struct CudaEvent {
    /// None on a device that is lost.
    at: Option<(Rc<Stream>, sys::CUevent)>,
}

impl CudaEvent {
    pub(super) fn new(stream: Rc<Stream>) -> Result<Self, result::DriverError> {
        let event = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
        let raw = stream.raw();
        let this = Self { at: Some((stream, event)) };
        // SAFETY: both are destroyed later.
        unsafe { result::event::record(event, raw) }?;
        Ok(this)
    }

    pub(super) fn never() -> Self {
        Self { at: None }
    }

    pub(super) fn wait(&self) -> Result<(), result::DriverError> {
        match &self.at {
            // SAFETY: destroyed when this is dropped, not before.
            Some((_, event)) => unsafe { result::event::synchronize(*event) },
            None => Ok(()),
        }
    }
}

impl Drop for CudaEvent {
    fn drop(&mut self) {
        if let Some((stream, event)) = &self.at {
            let _ = stream.bind();
            // SAFETY: created in `new`; CUDA lets an event be destroyed before the stream comes to it.
            let _ = unsafe { result::event::destroy(*event) };
        }
    }
}
