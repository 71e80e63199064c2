//! The stream of an emulated device.

use std::collections::VecDeque;
use std::rc::Rc;

use umbra_train::cuda::driver::{DriverError, Grid};

use super::kernels::{Kernel, Machine, Values};
use super::memory::Buffer;

/// A launch with its arguments as the kernel takes them, and the memory that they point to.
pub struct Launch {
    pub kernel: &'static Kernel,
    pub grid: Grid,
    pub values: Values,
    pub keep: Vec<Rc<Buffer>>,
}

/// What a device does. It keeps the memory it needs, as a device does which frees memory in the stream's order.
pub enum Work {
    Copy { from: Rc<Buffer>, start: usize, bytes: usize, to: Rc<Buffer>, at: u64 },
    Clear { memory: Rc<Buffer>, at: u64, bytes: usize },
    Launch(Launch),
}

/// Work in its order, done when somebody says so.
pub struct Queue {
    machine: Machine,
    work: VecDeque<Work>,
    queued: u64,
    launches_left: Option<u64>,
    state: Result<(), DriverError>,
}

impl Queue {
    pub fn new(machine: Machine, launches_left: Option<u64>) -> Self {
        Self { machine, work: VecDeque::new(), queued: 0, launches_left, state: Ok(()) }
    }

    pub fn push(&mut self, work: Work) {
        self.work.push_back(work);
        self.queued += 1;
    }

    /// Work that was ever queued.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// Works until so much is done of what was ever queued.
    pub fn run_to(&mut self, place: u64) {
        while self.queued - (self.work.len() as u64) < place {
            let work = self.work.pop_front().expect("less is done than was queued");
            if self.state.is_ok() {
                self.run(work);
            }
        }
    }

    pub fn run_all(&mut self) {
        self.run_to(self.queued);
    }

    /// What went wrong with the work that is done.
    pub fn state(&self) -> Result<(), DriverError> {
        self.state.clone()
    }

    fn run(&mut self, work: Work) {
        match work {
            Work::Copy { from, start, bytes, to, at } => from.copy(start, bytes, &to, at),
            Work::Clear { memory, at, bytes } => memory.clear(at, bytes),
            Work::Launch(mut launch) => {
                if self.launches_left == Some(0) {
                    self.state = Err(DriverError::Lost("it was to be lost here".into()));
                    return;
                }
                self.launches_left = self.launches_left.map(|left| left - 1);
                launch.kernel.run(&self.machine, launch.grid, &mut launch.values);
                for memory in &launch.keep {
                    memory.check(launch.kernel.name());
                }
            }
        }
    }
}
