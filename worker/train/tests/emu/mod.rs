//! A [`Driver`] that runs the kernels' own sources on the host: an emulator for tests.
//!
//! It shows what a device would forgive or hide: reads of shared memory that nobody wrote (NaN), barriers that not all
//! threads come to, barriers that are missing (results that depend on the order of threads), writes beyond the end of
//! memory, arguments of another type, pinned memory that is written to before its copy was waited for.
//!
//! `UMBRA_EMU_SANITIZE=address` builds the kernels with AddressSanitizer and UndefinedBehaviorSanitizer, which also
//! find reads beyond the end and misaligned vectors. The test binary then needs the sanitizer's library first:
//!
//! ```sh
//! UMBRA_EMU_SANITIZE=address \
//! CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="env ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=$(g++ -print-file-name=libasan.so)" \
//! cargo test -p umbra-train --test emulator -- --skip a_write_beyond_the_end
//! ```
#![allow(dead_code, clippy::unwrap_used)]

mod compile;
mod kernels;
mod memory;
mod queue;
mod record;
mod source;

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use umbra_train::cuda::driver::{Arg, Driver, DriverError, Grid, Properties};

pub use kernels::Kernels;
use kernels::Values;
use memory::Buffer;
pub use memory::EmuPinned;
use queue::{Launch, Queue, Work};
pub use record::{Record, Recorder, Transfers};

/// How an emulated device behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether threads run in reverse. Results must not depend on it.
    pub reversed: bool,
    /// Whether work waits until somebody waits for it, as on a device that is behind. Else it is done at once.
    pub deferred: bool,
    /// The bytes that can be had, where these are fewer than the device says are free: its memory is in pieces.
    pub in_pieces: Option<u64>,
    /// The launches after which the device is lost.
    pub lost_after: Option<u64>,
    /// What the device says of itself; there is no more memory than it says.
    pub properties: Properties,
}

impl Default for Options {
    fn default() -> Self {
        let properties = Properties {
            name: "emulated on the host".into(),
            capability: (8, 0),
            multiprocessors: 8,
            memory: 1 << 34,
        };
        Self { reversed: false, deferred: false, in_pieces: None, lost_after: None, properties }
    }
}

/// An emulated device and its one stream.
pub struct EmuDriver {
    kernels: &'static Kernels,
    queue: Queue,
    options: Options,
    used: Rc<Cell<u64>>,
    record: Rc<RefCell<Record>>,
}

/// Memory of an emulated device.
pub struct EmuMemory(Rc<Buffer>);

/// A place in the stream of an emulated device.
pub struct EmuEvent(u64);

impl EmuDriver {
    /// A device with the kernels of this crate.
    pub fn new(options: Options) -> Self {
        Self::over(Kernels::of_crate(), options)
    }

    /// A device with any kernels.
    pub fn over(kernels: &'static Kernels, options: Options) -> Self {
        let queue = Queue::new(kernels.machine(options.reversed), options.lost_after);
        Self { kernels, queue, options, used: Rc::default(), record: Rc::default() }
    }

    /// What is done from now on, and before, can be read here when the driver has moved away.
    pub fn recorder(&self) -> Recorder {
        Recorder::new(Rc::clone(&self.record))
    }

    fn queue(&mut self, work: Work) {
        self.queue.push(work);
        if !self.options.deferred {
            self.queue.run_all();
        }
    }

    fn free_bytes(&self) -> u64 {
        self.options.properties.memory - self.used.get()
    }
}

impl Driver for EmuDriver {
    type Memory = EmuMemory;
    type Pinned = EmuPinned;
    type Event = EmuEvent;

    fn properties(&self) -> &Properties {
        &self.options.properties
    }

    fn free(&mut self) -> u64 {
        self.free_bytes()
    }

    fn alloc(&mut self, bytes: usize) -> Result<EmuMemory, DriverError> {
        self.queue.state()?;
        let whole = self.options.in_pieces.unwrap_or(u64::MAX);
        if bytes as u64 > self.free_bytes().min(whole.saturating_sub(self.used.get())) {
            return Err(DriverError::Memory { needed: bytes as u64 });
        }
        self.used.set(self.used.get() + bytes as u64);
        let mut record = self.record.borrow_mut();
        record.peak = record.peak.max(self.used.get());
        Ok(EmuMemory(Rc::new(Buffer::new(bytes, Some(Rc::clone(&self.used))))))
    }

    fn alloc_pinned(&mut self, bytes: usize) -> Result<EmuPinned, DriverError> {
        self.queue.state()?;
        Ok(EmuPinned(Rc::new(Buffer::new(bytes, None))))
    }

    fn pinned<'a>(&self, pinned: &'a mut EmuPinned) -> &'a mut [u8] {
        pinned.bytes()
    }

    fn upload(&mut self, from: &EmuPinned, range: Range<usize>, to: &EmuMemory, at: u64) {
        let bytes = range.len();
        assert!(range.start <= range.end, "an upload of {range:?}");
        from.0.holds("the source of an upload", range.start as u64, bytes as u64);
        to.0.holds("the target of an upload", at, bytes as u64);
        self.record.borrow_mut().uploads.add(bytes);
        let (from, to) = (Rc::clone(&from.0), Rc::clone(&to.0));
        self.queue(Work::Copy { from, start: range.start, bytes, to, at });
    }

    fn upload_now(&mut self, from: &[u8], to: &EmuMemory, at: u64) {
        to.0.holds("the target of an upload", at, from.len() as u64);
        self.record.borrow_mut().uploads.add(from.len());
        self.queue.run_all();
        if self.queue.state().is_ok() {
            to.0.write(at, from);
        }
    }

    fn download(&mut self, from: &EmuMemory, at: u64, to: &mut [u8]) {
        from.0.holds("the source of a download", at, to.len() as u64);
        self.record.borrow_mut().downloads.add(to.len());
        self.queue.run_all();
        if self.queue.state().is_ok() {
            from.0.read(at, to);
        }
    }

    fn clear(&mut self, memory: &EmuMemory, range: Range<u64>) {
        assert!(range.start <= range.end, "a clear of {range:?}");
        let whole = range.start.is_multiple_of(4) && range.end.is_multiple_of(4);
        assert!(whole, "a clear of {range:?}, not of whole words");
        let bytes = range.end - range.start;
        memory.0.holds("a clear", range.start, bytes);
        self.record.borrow_mut().clears.add(bytes as usize);
        self.queue(Work::Clear { memory: Rc::clone(&memory.0), at: range.start, bytes: bytes as usize });
    }

    fn launch(&mut self, name: &'static str, grid: Grid, args: &[Arg<'_, EmuMemory>]) {
        let kernel = self.kernels.find(name);
        kernel.accepts(grid, args);
        *self.record.borrow_mut().launches.entry(name).or_default() += 1;
        let keep = args.iter().filter_map(|arg| match arg {
            Arg::Address(memory, _) => Some(Rc::clone(&memory.0)),
            _ => None,
        });
        let mut values = Values::default();
        for arg in args {
            match *arg {
                Arg::Address(memory, at) => values.push(&[memory.0.address(at)]),
                Arg::Null => values.push(&[0]),
                Arg::U32(value) => values.push(&[u64::from(value)]),
                Arg::U64(value) => values.push(&[value]),
                Arg::F32(value) => values.push(&[u64::from(value.to_bits())]),
                Arg::Words(words) => values.push_halves(words),
            }
        }
        let launch = Launch { kernel, grid, values, keep: keep.collect() };
        self.queue(Work::Launch(launch));
    }

    fn record(&mut self) -> EmuEvent {
        EmuEvent(self.queue.queued())
    }

    fn wait(&mut self, event: &EmuEvent) {
        self.queue.run_to(event.0);
    }

    fn check(&mut self) -> Result<(), DriverError> {
        self.queue.run_all();
        self.queue.state()
    }
}
