//! [`Driver`] on a real device, through NVIDIA's driver.
//!
//! The driver's library is looked for when a device is opened, not when the program starts. A device belongs to the
//! thread that opened it; several of them, of one GPU too, may live side by side. After an error that CUDA calls sticky
//! (a fault within a kernel, say) every one of the process on that GPU is lost.
#![allow(unsafe_code)]

mod error;
mod list;
mod memory;
mod module;
mod stream;

use std::ffi::c_void;
use std::ops::Range;
use std::rc::Rc;

use cudarc::driver::{result, sys};

pub use error::OpenError;
pub use list::{Device, devices};
pub use memory::{CudaEvent, CudaMemory, CudaPinned};
use module::Module;
use stream::Stream;

use super::driver::{Arg, Driver, DriverError, Grid, Properties};

/// A stream of work on one CUDA device.
pub struct CudaDriver {
    module: Module,
    stream: Rc<Stream>,
    properties: Properties,
    failure: Option<DriverError>,
    /// A launch's arguments, kept for their capacity: words, where each argument begins, and its address.
    words: Vec<u64>,
    starts: Vec<usize>,
    pointers: Vec<*mut c_void>,
}

impl CudaDriver {
    /// The visible device of this number, for the thread that asks: CUDA_VISIBLE_DEVICES counts, and a slice of a GPU
    /// (MIG) is one device.
    ///
    /// # Errors
    /// One sentence, where there is no driver, no such device, or one of them is too old.
    pub fn open(ordinal: u32) -> Result<Self, OpenError> {
        let device = list::device(ordinal)?;
        let properties = list::properties(device)?;
        list::suffices(device, &properties)?;
        let stream = Rc::new(Stream::open(device)?);
        let module = Module::load(Rc::clone(&stream))?;
        Ok(Self {
            module,
            stream,
            properties,
            failure: None,
            words: Vec::new(),
            starts: Vec::new(),
            pointers: Vec::new(),
        })
    }

    /// Does a thing unless something went wrong before, and keeps what goes wrong with it.
    fn attempt<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut Self) -> Result<T, result::DriverError>,
    ) -> Option<T> {
        if self.failure.is_some() {
            return None;
        }
        let done = self.stream.bind().and_then(|()| work(self));
        done.map_err(|error| self.failure = Some(error::lost(what, error))).ok()
    }

    /// As [`CudaDriver::attempt`], for memory: too little of it is the caller's to handle, and nothing is lost.
    fn allocate<T>(
        &mut self,
        what: &str,
        bytes: usize,
        work: impl FnOnce(&mut Self) -> Result<T, result::DriverError>,
    ) -> Result<T, DriverError> {
        let mut full = false;
        let done = self.attempt(what, |driver| match work(driver) {
            Err(error) if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                full = true;
                Ok(None)
            }
            done => done.map(Some),
        });
        match done.flatten() {
            Some(memory) => Ok(memory),
            None if full => Err(DriverError::Memory { needed: bytes as u64 }),
            None => Err(self.failure.clone().expect("an attempt that is not done leaves a failure")),
        }
    }

    fn fail(&mut self, what: String) {
        self.failure.get_or_insert(DriverError::Lost(what));
    }

    /// Lays a launch's arguments out, each at the start of a word.
    fn lay_out(&mut self, args: &[Arg<'_, CudaMemory>]) {
        self.words.clear();
        self.starts.clear();
        for arg in args {
            self.starts.push(self.words.len());
            match *arg {
                Arg::Address(memory, at) => self.words.push(memory.address(at, 0)),
                Arg::Null => self.words.push(0),
                Arg::U32(value) => self.words.push(u64::from(value)),
                Arg::U64(value) => self.words.push(value),
                Arg::F32(value) => self.words.push(u64::from(value.to_bits())),
                // The lower number first, as in the memory of all hosts that CUDA has.
                Arg::Words(words) => self.words.extend(words.chunks(2).map(|pair| {
                    let high = pair.get(1).copied().unwrap_or_default();
                    u64::from(pair[0]) | (u64::from(high) << 32)
                })),
            }
        }
        let words = self.words.as_mut_ptr();
        self.pointers.clear();
        // SAFETY: an argument begins within the words; an empty structure at the end begins one past the last.
        self.pointers.extend(self.starts.iter().map(|start| unsafe { words.add(*start) }.cast()));
    }
}

/// Bytes of an argument.
fn size_of<Memory>(arg: &Arg<'_, Memory>) -> usize {
    match arg {
        Arg::Address(..) | Arg::Null | Arg::U64(_) => 8,
        Arg::U32(_) | Arg::F32(_) => 4,
        Arg::Words(words) => 4 * words.len(),
    }
}

impl Driver for CudaDriver {
    type Memory = CudaMemory;
    type Pinned = CudaPinned;
    type Event = CudaEvent;

    fn properties(&self) -> &Properties {
        &self.properties
    }

    /// What the device has and what the stream's pool holds for later. Waits for all that is queued.
    fn free(&mut self) -> u64 {
        self.attempt("asking for free memory", |driver| driver.stream.free_bytes()).unwrap_or(0)
    }

    fn alloc(&mut self, bytes: usize) -> Result<CudaMemory, DriverError> {
        self.allocate("allocating memory", bytes, |driver| CudaMemory::new(Rc::clone(&driver.stream), bytes))
    }

    fn alloc_pinned(&mut self, bytes: usize) -> Result<CudaPinned, DriverError> {
        self.allocate("allocating host memory", bytes, |driver| {
            CudaPinned::new(Rc::clone(&driver.stream), bytes)
        })
    }

    fn pinned<'a>(&self, pinned: &'a mut CudaPinned) -> &'a mut [u8] {
        pinned.bytes_mut()
    }

    fn upload(&mut self, from: &CudaPinned, range: Range<usize>, to: &CudaMemory, at: u64) {
        let from = &from.bytes()[range];
        let to = to.address(at, from.len() as u64);
        self.attempt("a copy to the device", |driver| {
            // SAFETY: both ends have so many bytes; both are freed in the stream's order or after it.
            unsafe { result::memcpy_htod_async(to, from, driver.stream.raw()) }
        });
    }

    fn upload_now(&mut self, from: &[u8], to: &CudaMemory, at: u64) {
        let to = to.address(at, from.len() as u64);
        self.attempt("a copy to the device", |driver| {
            // SAFETY: both ends have so many bytes, and stay until the copy is waited for.
            let copied = unsafe { result::memcpy_htod_async(to, from, driver.stream.raw()) };
            copied.and(driver.stream.wait())
        });
    }

    fn download(&mut self, from: &CudaMemory, at: u64, to: &mut [u8]) {
        let from = from.address(at, to.len() as u64);
        self.attempt("a copy from the device", |driver| {
            // SAFETY: both ends have so many bytes, and stay until the copy is waited for.
            let copied = unsafe { result::memcpy_dtoh_async(to, from, driver.stream.raw()) };
            copied.and(driver.stream.wait())
        });
    }

    fn clear(&mut self, memory: &CudaMemory, range: Range<u64>) {
        assert!(
            range.start <= range.end && [range.start, range.end].iter().all(|end| end.is_multiple_of(4)),
            "clearing {range:?}"
        );
        let bytes = range.end - range.start;
        let to = memory.address(range.start, bytes);
        if bytes == 0 {
            return;
        }
        self.attempt("clearing memory", |driver| {
            // SAFETY: the memory has so many words, and is freed in the stream's order.
            unsafe { sys::cuMemsetD32Async(to, 0, (bytes / 4) as usize, driver.stream.raw()) }.result()
        });
    }

    fn launch(&mut self, kernel: &'static str, grid: Grid, args: &[Arg<'_, CudaMemory>]) {
        let found = self.attempt(kernel, |driver| driver.module.function(kernel));
        let Some(function) = found else { return };
        if !function.sizes.iter().copied().eq(args.iter().map(size_of)) {
            let sizes: Vec<_> = args.iter().map(size_of).collect();
            let takes = &function.sizes;
            self.fail(format!("{kernel} takes arguments of {takes:?} bytes, and was given {sizes:?}"));
            return;
        }
        self.lay_out(args);
        self.attempt(kernel, |driver| {
            let Grid { blocks: [x, y, z], threads } = grid;
            let (function, stream) = (function.raw, driver.stream.raw());
            // SAFETY: the arguments are as many and as large as the kernel takes; addresses are of memory that is
            // freed in the stream's order. That a kernel stays within it is what its tests on the host are for.
            unsafe {
                result::launch_kernel(function, (x, y, z), (threads, 1, 1), 0, stream, &mut driver.pointers)
            }
        });
    }

    fn record(&mut self) -> CudaEvent {
        let event = self.attempt("recording an event", |driver| CudaEvent::new(Rc::clone(&driver.stream)));
        event.unwrap_or_else(CudaEvent::never)
    }

    fn wait(&mut self, event: &CudaEvent) {
        self.attempt("waiting for an event", |_| event.wait());
    }

    /// Does not wait: what goes wrong on the device later shows later, at the latest when something is waited for.
    fn check(&mut self) -> Result<(), DriverError> {
        self.attempt("the work that is queued", |driver| driver.stream.check());
        self.failure.clone().map_or(Ok(()), Err)
    }
}
