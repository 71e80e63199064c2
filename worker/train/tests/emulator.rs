//! The emulator that stands for a CUDA device in tests: that it computes, and that it finds what it is there to find.
#![allow(clippy::unwrap_used)]

mod emu;

use std::path::Path;
use std::sync::OnceLock;

use emu::{EmuDriver, EmuMemory, Kernels, Options, Transfers};
use umbra_train::cuda::driver::{Arg, Driver, DriverError, Grid, Properties};

fn driver(options: Options) -> EmuDriver {
    static KERNELS: OnceLock<Kernels> = OnceLock::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emu/selftest.cu");
    EmuDriver::over(KERNELS.get_or_init(|| Kernels::compile(&[source])), options)
}

fn reversed() -> Options {
    Options { reversed: true, ..Options::default() }
}

fn deferred() -> Options {
    Options { deferred: true, ..Options::default() }
}

fn with_memory(memory: u64) -> Options {
    let properties = Properties { memory, ..Options::default().properties };
    Options { properties, ..Options::default() }
}

fn line(blocks: u32, threads: u32) -> Grid {
    Grid { blocks: [blocks, 1, 1], threads }
}

fn numbers(driver: &mut EmuDriver, values: &[f32]) -> EmuMemory {
    let memory = driver.alloc(values.len() * 4).unwrap();
    let bytes: Vec<_> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    driver.upload_now(&bytes, &memory, 0);
    memory
}

fn read(driver: &mut EmuDriver, memory: &EmuMemory, count: usize) -> Vec<f32> {
    let mut bytes = vec![0; count * 4];
    driver.download(memory, 0, &mut bytes);
    bytes.chunks_exact(4).map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap())).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn counted(count: usize) -> Vec<f32> {
    (0..count).map(|at| at as f32).collect()
}

/// What a launch of a kernel over 64 counted numbers makes of them.
fn launched(options: Options, kernel: &'static str, threads: u32) -> Vec<f32> {
    let mut driver = driver(options);
    let data = numbers(&mut driver, &counted(64));
    driver.launch(kernel, line(1, threads), &[Arg::Address(&data, 0)]);
    read(&mut driver, &data, 64)
}

#[test]
fn sums_rows_through_shuffles_and_shared_memory() {
    for options in [Options::default(), reversed(), deferred()] {
        let mut driver = driver(options);
        let from = numbers(&mut driver, &counted(5 * 1000));
        let to = driver.alloc(5 * 4).unwrap();
        let args = [Arg::U64(1000), Arg::Address(&from, 0), Arg::Address(&to, 0)];
        driver.launch("sum_rows", line(5, 256), &args);
        // The sum of first..first + 1000; all partial sums are whole and below 2^24, so exact.
        let sums: Vec<_> = (0..5).map(|row| row as f32 * 1e6 + 499_500.0).collect();
        assert_eq!(read(&mut driver, &to, 5), sums);
    }
}

#[test]
fn an_address_may_lie_within_memory() {
    let mut driver = driver(Options::default());
    let data = numbers(&mut driver, &counted(200));
    driver.launch("turn_96", line(1, 96), &[Arg::Address(&data, 40)]);
    let mut expected = counted(200);
    expected[10..106].reverse();
    assert_eq!(read(&mut driver, &data, 200), expected);
}

#[test]
fn blocks_know_their_places() {
    let mut driver = driver(Options::default());
    let to = driver.alloc(2 * 3 * 5 * 16).unwrap();
    driver.launch("places", Grid { blocks: [2, 3, 5], threads: 1 }, &[Arg::Address(&to, 0)]);
    let mut bytes = vec![0; 2 * 3 * 5 * 16];
    driver.download(&to, 0, &mut bytes);
    let words: Vec<_> =
        bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect();
    for (block, place) in words.chunks_exact(4).enumerate() {
        let block = block as u32;
        let high = ((0x8000_0000 + u64::from(block)) * 0x8000_0001) >> 32;
        assert_eq!(place, [block % 2, block / 2 % 3, block / 6, high as u32]);
    }
}

#[test]
fn a_missing_barrier_shows() {
    let mut turned = counted(64);
    turned.reverse();
    assert_eq!(launched(Options::default(), "turn_64", 64), turned);
    assert_eq!(launched(reversed(), "turn_64", 64), turned);
    let forward = launched(Options::default(), "turn_too_early", 64);
    let reverse = launched(reversed(), "turn_too_early", 64);
    assert_ne!(forward, turned);
    assert_ne!(reverse, turned);
    assert_ne!(bits(&forward), bits(&reverse));
}

#[test]
fn shared_memory_is_nan_until_it_is_written() {
    let mut driver = driver(Options::default());
    let to = driver.alloc(2 * 64 * 4).unwrap();
    for _ in 0..2 {
        driver.launch("read_unwritten", line(2, 64), &[Arg::Address(&to, 0)]);
        let values = read(&mut driver, &to, 128);
        assert!(values[..64].iter().all(|value| *value == 1.0));
        assert!(values[64..].iter().all(|value| value.is_nan()), "{values:?}");
    }
}

#[test]
#[should_panic(
    expected = "kernel half_meet: divergent barrier: 32 of 64 threads have ended while others wait at "
)]
fn a_barrier_that_half_of_a_block_comes_to() {
    launched(Options::default(), "half_meet", 64);
}

#[test]
#[should_panic(expected = "kernel meet_apart: divergent barrier: some threads wait at ")]
fn two_barriers_at_once() {
    launched(Options::default(), "meet_apart", 64);
}

#[test]
#[should_panic(expected = "for lanes ffffffff, not all of which come in block (0, 0, 0)")]
fn a_shuffle_that_half_of_a_warp_comes_to() {
    launched(Options::default(), "half_shuffle", 32);
}

#[test]
#[should_panic(expected = "kernel turn_64: 65 threads a block, where at most 64 are allowed")]
fn a_block_beyond_its_launch_bounds() {
    launched(Options::default(), "turn_64", 65);
}

#[test]
#[should_panic(expected = "no kernel is called turn_65")]
fn an_unknown_kernel() {
    launched(Options::default(), "turn_65", 64);
}

#[test]
#[should_panic(expected = "kernel add: argument 1 is an integer of 4 bytes, where the kernel takes a float")]
fn an_argument_of_another_type() {
    let mut driver = driver(deferred());
    let data = numbers(&mut driver, &[1.0]);
    driver.launch("add", line(1, 1), &[Arg::U32(1), Arg::U32(1), Arg::Address(&data, 0)]);
}

#[test]
#[should_panic(
    expected = "argument 0 is an integer of 8 bytes, where the kernel takes an integer of 4 bytes"
)]
fn an_argument_of_another_size() {
    let mut driver = driver(deferred());
    let data = numbers(&mut driver, &[1.0]);
    driver.launch("add", line(1, 1), &[Arg::U64(1), Arg::F32(1.0), Arg::Address(&data, 0)]);
}

#[test]
fn structures_go_by_value() {
    let mut driver = driver(Options::default());
    let to = driver.alloc(4).unwrap();
    let three = [1, 20, 300.5f32.to_bits()];
    driver.launch("sum_three", line(1, 1), &[Arg::Words(&three), Arg::F32(4000.0), Arg::Address(&to, 0)]);
    assert_eq!(read(&mut driver, &to, 1), [4321.5]);
}

#[test]
#[should_panic(
    expected = "argument 0 is a structure of 8 bytes, where the kernel takes a structure of 12 bytes"
)]
fn a_structure_of_another_size() {
    let mut driver = driver(Options::default());
    let to = driver.alloc(4).unwrap();
    driver.launch("sum_three", line(1, 1), &[Arg::Words(&[1, 2]), Arg::F32(0.0), Arg::Address(&to, 0)]);
}

#[test]
#[should_panic(expected = "kernel add: arguments given, and taken")]
fn an_argument_too_few() {
    driver(Options::default()).launch("add", line(1, 1), &[Arg::U32(1), Arg::F32(1.0)]);
}

// AddressSanitizer ends the process instead, see tests/emu/mod.rs.
#[test]
#[should_panic(expected = "fill_too_far has written to byte 40 of 40")]
fn a_write_beyond_the_end() {
    let mut driver = driver(Options::default());
    let data = driver.alloc(40).unwrap();
    driver.launch("fill_too_far", line(1, 32), &[Arg::U32(10), Arg::F32(0.0), Arg::Address(&data, 0)]);
}

#[test]
#[should_panic(expected = "the target of an upload ends at byte 44 of 40")]
fn an_upload_beyond_the_end() {
    let mut driver = driver(deferred());
    let data = driver.alloc(40).unwrap();
    let pinned = driver.alloc_pinned(8).unwrap();
    driver.upload(&pinned, 0..8, &data, 36);
}

/// Writes 1, uploads, writes 2 `after` something, and says what arrived.
fn arrived(options: Options, after: impl FnOnce(&mut EmuDriver)) -> f32 {
    let mut driver = driver(options);
    let data = driver.alloc(4).unwrap();
    let mut pinned = driver.alloc_pinned(4).unwrap();
    driver.pinned(&mut pinned).copy_from_slice(&1.0f32.to_ne_bytes());
    driver.upload(&pinned, 0..4, &data, 0);
    after(&mut driver);
    driver.pinned(&mut pinned).copy_from_slice(&2.0f32.to_ne_bytes());
    read(&mut driver, &data, 1)[0]
}

#[test]
fn a_device_that_is_behind_sees_what_is_written_too_early() {
    assert_eq!(arrived(Options::default(), |_| ()), 1.0);
    assert_eq!(arrived(deferred(), |_| ()), 2.0);
    assert_eq!(arrived(deferred(), |driver| driver.check().unwrap()), 1.0);
    assert_eq!(
        arrived(deferred(), |driver| {
            let event = driver.record();
            driver.wait(&event);
        }),
        1.0
    );
}

#[test]
fn a_wait_ends_at_its_event() {
    let mut driver = driver(deferred());
    let data = driver.alloc(8).unwrap();
    let event = driver.record();
    let mut pinned = driver.alloc_pinned(8).unwrap();
    driver.upload(&pinned, 4..8, &data, 4);
    driver.wait(&event);
    driver.pinned(&mut pinned)[4..].copy_from_slice(&3.0f32.to_ne_bytes());
    drop(pinned);
    assert_eq!(read(&mut driver, &data, 2), [0.0, 3.0]);
}

#[test]
fn memory_ends_and_comes_back() {
    let mut driver = driver(with_memory(100));
    let first = driver.alloc(60).unwrap();
    assert_eq!(driver.free(), 40);
    assert_eq!(driver.alloc(41).err(), Some(DriverError::Memory { needed: 41 }));
    driver.check().unwrap();
    drop(first);
    assert_eq!(driver.free(), 100);
    let all = driver.alloc(100).unwrap();
    assert_eq!(read(&mut driver, &all, 25), [0.0; 25]);
}

#[test]
fn a_lost_device_does_nothing_more() {
    for deferred in [false, true] {
        let mut driver = driver(Options { lost_after: Some(2), deferred, ..Options::default() });
        let data = numbers(&mut driver, &[0.0]);
        for _ in 0..2 {
            driver.launch("add", line(1, 1), &[Arg::U32(1), Arg::F32(1.0), Arg::Address(&data, 0)]);
        }
        assert_eq!(read(&mut driver, &data, 1), [2.0]);
        driver.launch("add", line(1, 1), &[Arg::U32(1), Arg::F32(1.0), Arg::Address(&data, 0)]);
        let lost = driver.check().unwrap_err();
        assert!(matches!(&lost, DriverError::Lost(_)));
        driver.clear(&data, 0..4);
        let mut bytes = [0xab; 4];
        driver.download(&data, 0, &mut bytes);
        assert_eq!(bytes, [0xab; 4]);
        assert_eq!(driver.alloc(4).err(), Some(lost.clone()));
        assert_eq!(driver.check(), Err(lost));
    }
}

#[test]
fn the_record_stays_when_the_driver_has_gone() {
    let mut driver = driver(Options::default());
    let recorder = driver.recorder();
    let data = numbers(&mut driver, &[1.0, 2.0]);
    driver.clear(&data, 4..8);
    driver.launch("add", line(1, 2), &[Arg::U32(2), Arg::F32(0.5), Arg::Address(&data, 0)]);
    assert_eq!(read(&mut driver, &data, 2), [1.5, 0.5]);
    drop((data, driver));
    let record = recorder.take();
    assert_eq!(record.launches.into_iter().collect::<Vec<_>>(), [("add", 1)]);
    assert_eq!(record.uploads, Transfers { count: 1, bytes: 8 });
    assert_eq!(record.downloads, Transfers { count: 1, bytes: 8 });
    assert_eq!(record.clears, Transfers { count: 1, bytes: 4 });
    assert_eq!(record.peak, 8);
    assert_eq!(recorder.read(), emu::Record::default());
}

#[test]
fn the_kernels_of_this_crate_compile() {
    let mut driver = EmuDriver::new(Options::default());
    driver.check().unwrap();
}
