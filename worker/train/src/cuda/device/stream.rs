//! One stream of a device, and what all handles on it share.

use std::ffi::c_void;

use cudarc::driver::{result, sys};
use sys::CUmemPool_attribute as PoolAttribute;

use super::error::{OpenError, refused};

/// A stream and the device's primary context, held until the last handle is dropped. Not for other threads.
pub struct Stream {
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    pool: sys::CUmemoryPool,
}

impl Stream {
    pub fn open(device: sys::CUdevice) -> Result<Self, OpenError> {
        // SAFETY: the device is the driver's; the context is released once, when this is dropped.
        let context =
            unsafe { result::primary_ctx::retain(device) }.map_err(refused("taking a device into use"))?;
        let mut this = Self { device, context, stream: std::ptr::null_mut(), pool: std::ptr::null_mut() };
        this.bind().map_err(refused("taking a device into use"))?;
        this.stream = result::stream::create(result::stream::StreamKind::NonBlocking)
            .map_err(refused("making a stream"))?;
        // SAFETY: the device is the driver's.
        this.pool =
            unsafe { result::device::get_mem_pool(device) }.map_err(refused("asking for the memory pool"))?;
        // Memory that was freed stays in the pool: the next pack takes it from there.
        let mut most = u64::MAX;
        // SAFETY: the attribute is a number of 64 bits.
        unsafe {
            let value = (&raw mut most).cast::<c_void>();
            result::mem_pool::set_attribute(
                this.pool,
                PoolAttribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                value,
            )
        }
        .map_err(refused("keeping memory in the pool"))?;
        Ok(this)
    }

    pub fn raw(&self) -> sys::CUstream {
        self.stream
    }

    /// Makes the device the one that the thread's calls are about.
    pub fn bind(&self) -> Result<(), result::DriverError> {
        // SAFETY: the context is held.
        unsafe { result::ctx::set_current(self.context) }
    }

    /// Waits for all that is queued.
    pub fn wait(&self) -> Result<(), result::DriverError> {
        // SAFETY: the stream is destroyed when this is dropped, not before.
        unsafe { result::stream::synchronize(self.stream) }
    }

    /// What is known to have gone wrong, without waiting.
    pub fn check(&self) -> Result<(), result::DriverError> {
        // SAFETY: as in `wait`.
        match unsafe { sys::cuStreamQuery(self.stream) } {
            sys::CUresult::CUDA_ERROR_NOT_READY => Ok(()),
            done => done.result(),
        }
    }

    /// Bytes that can be allocated: free ones of the device, and those that the pool holds but nobody uses.
    pub fn free_bytes(&self) -> Result<u64, result::DriverError> {
        self.wait()?;
        let (free, _) = result::mem_get_info()?;
        let held = self.pool_bytes(PoolAttribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
        let used = self.pool_bytes(PoolAttribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?;
        Ok(free as u64 + held.saturating_sub(used))
    }

    fn pool_bytes(&self, attribute: PoolAttribute) -> Result<u64, result::DriverError> {
        let mut bytes = 0_u64;
        // SAFETY: both attributes are numbers of 64 bits.
        unsafe { result::mem_pool::get_attribute(self.pool, attribute, (&raw mut bytes).cast::<c_void>()) }?;
        Ok(bytes)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // What fails here fails on a device that is lost, and whoever needs to know has been told.
        let _ = self.bind();
        if !self.stream.is_null() {
            let _ = self.wait();
            // SAFETY: every handle on the stream holds this, so that it is the last one.
            let _ = unsafe { result::stream::destroy(self.stream) };
        }
        // SAFETY: retained in `open`.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}
