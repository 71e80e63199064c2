//! What is launched wrongly is seen: small mistakes of a launch, each of which changes what comes out.

use std::ops::Range;

use umbra_core::spec::TrainingDraft;
use umbra_train::cuda::driver::{Arg, Driver, DriverError, Grid, Properties};

use super::common::{self, Table};
use super::emu::{EmuDriver, EmuEvent, EmuMemory, EmuPinned, Options};
use super::{Device, expected, found, perceptron, recipe};

type Args<'a> = Vec<Arg<'a, EmuMemory>>;

/// A device whose launches of some kernels are changed.
struct Mutant<F> {
    driver: EmuDriver,
    kernels: &'static str,
    change: F,
    changed: u32,
}

impl<F: FnMut(&mut Args<'_>)> Driver for Mutant<F> {
    type Memory = EmuMemory;
    type Pinned = EmuPinned;
    type Event = EmuEvent;

    fn launch(&mut self, kernel: &'static str, grid: Grid, args: &[Arg<'_, EmuMemory>]) {
        let mut args = args.to_vec();
        if kernel.starts_with(self.kernels) {
            self.changed += 1;
            (self.change)(&mut args);
        }
        self.driver.launch(kernel, grid, &args);
    }

    fn properties(&self) -> &Properties {
        self.driver.properties()
    }

    fn free(&mut self) -> u64 {
        self.driver.free()
    }

    fn alloc(&mut self, bytes: usize) -> Result<EmuMemory, DriverError> {
        self.driver.alloc(bytes)
    }

    fn alloc_pinned(&mut self, bytes: usize) -> Result<EmuPinned, DriverError> {
        self.driver.alloc_pinned(bytes)
    }

    fn pinned<'a>(&self, pinned: &'a mut EmuPinned) -> &'a mut [u8] {
        self.driver.pinned(pinned)
    }

    fn upload(&mut self, from: &EmuPinned, range: Range<usize>, to: &EmuMemory, at: u64) {
        self.driver.upload(from, range, to, at);
    }

    fn upload_now(&mut self, from: &[u8], to: &EmuMemory, at: u64) {
        self.driver.upload_now(from, to, at);
    }

    fn download(&mut self, from: &EmuMemory, at: u64, to: &mut [u8]) {
        self.driver.download(from, at, to);
    }

    fn clear(&mut self, memory: &EmuMemory, range: Range<u64>) {
        self.driver.clear(memory, range);
    }

    fn record(&mut self) -> EmuEvent {
        self.driver.record()
    }

    fn wait(&mut self, event: &EmuEvent) {
        self.driver.wait(event);
    }

    fn check(&mut self) -> Result<(), DriverError> {
        assert!(self.changed > 0, "no launch was changed");
        self.driver.check()
    }
}

fn is_seen(
    what: &str,
    model: umbra_core::spec::ModelDraft,
    table: &Table,
    kernels: &'static str,
    change: impl FnMut(&mut Args<'_>),
) {
    let training = TrainingDraft { momentum: Some(0.9), ..recipe("sgd") };
    let spec = common::spec_of(model, training);
    let device = Device::of(2);
    let driver = EmuDriver::new(Options::default());
    let mutant = Mutant { driver, kernels, change, changed: 0 };
    assert_ne!(found(mutant, &spec, table.data(), &device), expected(&spec, table.data(), &device), "{what}");
}

fn swapped(a: usize, b: usize) -> impl FnMut(&mut Args<'_>) {
    move |args| args.swap(a, b)
}

/// Changes the words of a launch's first argument.
fn words(change: impl Fn(&mut Vec<u32>)) -> impl FnMut(&mut Args<'_>) {
    move |args| {
        let Arg::Words(words) = args[0] else { panic!("the first argument is a structure") };
        let mut words = words.to_vec();
        change(&mut words);
        args[0] = Arg::Words(words.leak());
    }
}

#[test]
fn a_leading_dimension_that_is_off_is_seen() {
    let table = Table::new(60, 20, 3);
    is_seen("input pitch", perceptron(&[40]), &table, "linear_forward", |args| {
        args[2] = Arg::U32(16);
    });
    is_seen("lane", perceptron(&[40]), &table, "linear_backward_weight", |args| {
        let Arg::U64(lane) = args[8] else { panic!("the stride of the output's gradient") };
        args[8] = Arg::U64(lane - 16);
    });
}

#[test]
fn arguments_that_changed_places_are_seen() {
    let table = Table::new(60, 20, 3);
    is_seen("flags", perceptron(&[40]), &table, "linear_backward_data", swapped(5, 6));
    is_seen("momentum and decay", perceptron(&[40]), &table, "sgd", swapped(2, 3));
    let (model, table) = common::architectures().remove(0);
    is_seen("gamma and beta", model, &table, "group_norm_forward", swapped(2, 3));
}

#[test]
fn a_convolution_with_other_strides_or_taps_is_seen() {
    let (model, table) = common::architectures().remove(2);
    is_seen(
        "stride and padding",
        model.clone(),
        &table,
        "conv_forward",
        words(|words| {
            words.swap(5, 7);
            words.swap(6, 8);
        }),
    );
    is_seen("first taps", model, &table, "conv_backward_data", words(|words| words[13] = 0));
}
