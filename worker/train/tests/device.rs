//! The driver for CUDA devices, over a stand-in for NVIDIA's library.
#![allow(clippy::unwrap_used)]

mod fake;

use fake::{alone, held};
use umbra_train::cuda::device::{CudaDriver, CudaMemory, OpenError, devices};
use umbra_train::cuda::driver::{Arg, Driver, DriverError, Grid};

const BEHIND: (&str, &str) = ("FAKE_CUDA_BEHIND", "1");
const MIB: usize = 1 << 20;

fn line(blocks: u32, threads: u32) -> Grid {
    Grid { blocks: [blocks, 1, 1], threads }
}

fn bytes(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn numbers(driver: &mut CudaDriver, values: &[u32]) -> CudaMemory {
    let memory = driver.alloc(4 * values.len()).unwrap();
    driver.upload_now(&bytes(values), &memory, 0);
    memory
}

fn read(driver: &mut CudaDriver, memory: &CudaMemory, count: usize) -> Vec<u32> {
    let mut bytes = vec![0; 4 * count];
    driver.download(memory, 0, &mut bytes);
    bytes.chunks_exact(4).map(|bytes| u32::from_ne_bytes(bytes.try_into().unwrap())).collect()
}

fn counted(count: u32) -> Vec<u32> {
    (0..count).collect()
}

/// Queues data[i] = data[i] * by + i.
fn step(driver: &mut CudaDriver, data: &CudaMemory, count: u32, by: u32) {
    let args = [Arg::U32(count), Arg::U32(by), Arg::Address(data, 0)];
    driver.launch("probe_step", line(count.div_ceil(64), 64), &args);
}

/// What the device is lost with, for good.
fn lost(driver: &mut CudaDriver) -> String {
    let first = driver.check().unwrap_err();
    assert_eq!(driver.check(), Err(first.clone()));
    assert_eq!(driver.alloc(4).err(), Some(first.clone()));
    assert_eq!(driver.alloc_pinned(4).err(), Some(first.clone()));
    assert_eq!(driver.free(), 0);
    let event = driver.record();
    driver.wait(&event);
    match first {
        DriverError::Lost(sentence) => sentence,
        DriverError::Memory { .. } => panic!("{first}"),
    }
}

#[test]
fn devices_say_what_they_are() {
    alone(&[("FAKE_CUDA_DEVICES", "2"), ("FAKE_CUDA_MEMORY", "1048576")], || {
        let found = devices().unwrap();
        assert_eq!(found.len(), 2);
        for (ordinal, device) in (0..).zip(&found) {
            assert_eq!(device.ordinal, ordinal);
            assert_eq!(device.uuid, format!("f0e1d2c3-b4a5-9687-7869-5a4b3c2d1e{ordinal:02x}"));
            let properties = &device.properties;
            assert_eq!(properties.name, format!("stand-in {ordinal}"));
            assert_eq!(
                (properties.capability, properties.multiprocessors, properties.memory),
                ((8, 0), 8, 1 << 20)
            );
            assert_eq!(CudaDriver::open(ordinal).unwrap().properties(), properties);
        }
        let error = CudaDriver::open(2).err().unwrap();
        assert_eq!(error, OpenError::NoDevice { ordinal: 2, visible: 2 });
        assert_eq!(error.to_string(), "there is no CUDA device 2: 2 are visible, see CUDA_VISIBLE_DEVICES");
        assert!(CudaDriver::open(u32::MAX).is_err());
    });
}

#[test]
fn a_driver_may_be_there_without_a_device() {
    alone(&[("FAKE_CUDA_DEVICES", "0")], || {
        assert_eq!(devices(), Ok(vec![]));
        let error = CudaDriver::open(0).err().unwrap();
        assert_eq!(error, OpenError::NoDevice { ordinal: 0, visible: 0 });
    });
}

/// The kernels are compiled with CUDA 13.
#[test]
fn an_old_driver_is_refused() {
    fn refused(found: &str) {
        let error = devices().unwrap_err();
        assert_eq!(CudaDriver::open(0).err(), Some(error.clone()));
        let sentence = format!("the NVIDIA driver is for CUDA {found}, the kernels are for CUDA 13.0");
        assert!(error.to_string().starts_with(&sentence), "{error}");
    }
    alone(&[("FAKE_CUDA_VERSION", "12080")], || refused("12.8"));
}

#[test]
fn a_newer_driver_is_not() {
    alone(&[("FAKE_CUDA_VERSION", "14010")], || assert_eq!(devices().unwrap().len(), 1));
}

#[test]
fn an_old_device_is_refused() {
    alone(&[("FAKE_CUDA_CAPABILITY", "75")], || {
        assert_eq!(devices().unwrap()[0].properties.capability, (7, 5));
        let sentence = CudaDriver::open(0).err().unwrap().to_string();
        assert_eq!(
            sentence,
            "stand-in 0 cannot be used: its compute capability is 7.5, and at least 8.0 is needed"
        );
    });
}

fn every_argument_arrives() {
    let mut driver = CudaDriver::open(0).unwrap();
    let to = driver.alloc(4 * 18).unwrap();
    let from = numbers(&mut driver, &[7, 77, 777]);
    let float = |value: f32| value.to_bits();
    let args = [
        Arg::Address(&to, 0),
        Arg::U32(0x1234_5678),
        Arg::Words(&[3, float(0.5), u32::MAX]),
        Arg::Address(&from, 8),
        Arg::U64(0x1122_3344_5566_7788),
        Arg::Words(&[9]),
        Arg::F32(-0.0),
        Arg::Null,
        Arg::Words(&[10, 11, 12, 13]),
        Arg::U32(14),
        Arg::Words(&[15, float(f32::NAN), 17]),
    ];
    let mut expected = vec![0x1234_5678, 3, float(0.5), u32::MAX, 777, 0x5566_7788, 0x1122_3344, 9];
    expected.extend([float(-0.0), 1, 10, 11, 12, 13, 14, 15, float(f32::NAN), 17]);
    // The room for arguments is used again.
    for _ in 0..3 {
        driver.clear(&to, 0..4 * 18);
        driver.launch("probe_arguments", line(1, 1), &args);
        assert_eq!(read(&mut driver, &to, 18), expected);
        step(&mut driver, &to, 18, 0);
        assert_eq!(read(&mut driver, &to, 18), counted(18));
    }
    assert_eq!(driver.check(), Ok(()));
}

#[test]
fn arguments_are_laid_out() {
    alone(&[], every_argument_arrives);
}

#[test]
fn arguments_are_kept_until_a_device_that_is_behind_needs_them() {
    alone(&[BEHIND], || {
        every_argument_arrives();
        let mut driver = CudaDriver::open(0).unwrap();
        let data = numbers(&mut driver, &counted(3));
        for by in 2..5 {
            step(&mut driver, &data, 3, by);
        }
        assert_eq!(driver.check(), Ok(()));
        assert_eq!(read(&mut driver, &data, 3), [0, 24 + 12 + 4 + 1, 2 * (24 + 12 + 4 + 1)]);
    });
}

#[test]
fn blocks_are_where_the_grid_says() {
    alone(&[], || {
        let mut driver = CudaDriver::open(0).unwrap();
        let places = driver.alloc(4 * 24).unwrap();
        let grid = Grid { blocks: [4, 3, 2], threads: 1 };
        driver.launch("probe_places", grid, &[Arg::Address(&places, 0)]);
        let lines = [0, 10, 20, 100, 110, 120].into_iter();
        let expected: Vec<u32> = lines.flat_map(|line| line..line + 4).collect();
        assert_eq!(read(&mut driver, &places, 24), expected);
        let data = driver.alloc(4 * 720).unwrap();
        let args = [Arg::U32(720), Arg::U32(1), Arg::Address(&data, 0)];
        driver.launch("probe_step", Grid { blocks: [3, 4, 5], threads: 12 }, &args);
        assert_eq!(read(&mut driver, &data, 720), counted(720));
    });
}

/// A driver whose device was given something it refuses, and says so for good.
fn refuses(kernel: &'static str, threads: u32, args: &[Arg<'_, CudaMemory>]) -> String {
    let mut driver = CudaDriver::open(0).unwrap();
    driver.launch(kernel, line(1, threads), args);
    lost(&mut driver)
}

#[test]
fn other_arguments_than_a_kernel_takes_are_refused() {
    alone(&[], || {
        let given = refuses("probe_step", 1, &[Arg::U32(0), Arg::U64(0), Arg::Null]);
        assert_eq!(given, "probe_step takes arguments of [4, 4, 8] bytes, and was given [4, 8, 8]");
        let given = refuses("probe_step", 1, &[Arg::U32(0), Arg::U32(0)]);
        assert_eq!(given, "probe_step takes arguments of [4, 4, 8] bytes, and was given [4, 4]");
        let given = refuses("probe_nothing", 1, &[]);
        assert_eq!(given, "probe_nothing: CUDA_ERROR_NOT_FOUND (named symbol not found)");
        let given = refuses("probe_step", 65, &[Arg::U32(0), Arg::U32(0), Arg::Null]);
        assert_eq!(given, "probe_step: CUDA_ERROR_INVALID_VALUE (invalid argument)");
        // None of this harms the device.
        assert_eq!(CudaDriver::open(0).unwrap().check(), Ok(()));
    });
}

fn copies_and_clears() {
    let mut driver = CudaDriver::open(0).unwrap();
    let memory = driver.alloc(24).unwrap();
    assert_eq!(read(&mut driver, &memory, 6), [0; 6]);
    let mut pinned = driver.alloc_pinned(16).unwrap();
    assert_eq!(driver.pinned(&mut pinned), [0; 16]);
    driver.pinned(&mut pinned).copy_from_slice(&bytes(&[1, 2, 3, 4]));
    driver.upload(&pinned, 4..12, &memory, 12);
    driver.upload(&pinned, 16..16, &memory, 24);
    driver.upload_now(&bytes(&[5]), &memory, 4);
    driver.upload_now(&[], &memory, 24);
    assert_eq!(read(&mut driver, &memory, 6), [0, 5, 0, 2, 3, 0]);
    let mut part = [0; 3];
    driver.download(&memory, 15, &mut part);
    assert_eq!(part, bytes(&[2, 3])[3..6]);
    driver.download(&memory, 24, &mut []);
    driver.clear(&memory, 12..16);
    driver.clear(&memory, 24..24);
    assert_eq!(read(&mut driver, &memory, 6), [0, 5, 0, 0, 3, 0]);
    let none = driver.alloc(0).unwrap();
    driver.clear(&none, 0..0);
    driver.upload_now(&[], &none, 0);
    let mut none = driver.alloc_pinned(0).unwrap();
    assert!(driver.pinned(&mut none).is_empty());
    assert_eq!(driver.check(), Ok(()));
}

#[test]
fn bytes_are_copied_and_cleared() {
    alone(&[], copies_and_clears);
}

#[test]
fn bytes_are_copied_and_cleared_on_a_device_that_is_behind() {
    alone(&[BEHIND], copies_and_clears);
}

/// A place in the stream is waited for, and no more.
#[test]
fn events_are_places_in_the_stream() {
    alone(&[BEHIND], || {
        let mut driver = CudaDriver::open(0).unwrap();
        let memory = driver.alloc(8).unwrap();
        let mut pinned = driver.alloc_pinned(4).unwrap();
        driver.pinned(&mut pinned).copy_from_slice(&bytes(&[1]));
        driver.upload(&pinned, 0..4, &memory, 0);
        let first = driver.record();
        driver.upload(&pinned, 0..4, &memory, 4);
        let second = driver.record();
        driver.wait(&first);
        // The first copy is done, the second one reads what is written now.
        driver.pinned(&mut pinned).copy_from_slice(&bytes(&[2]));
        driver.wait(&second);
        driver.pinned(&mut pinned).copy_from_slice(&bytes(&[3]));
        drop(second);
        driver.wait(&first);
        assert_eq!(read(&mut driver, &memory, 2), [1, 2]);
        drop(driver.record());
        assert_eq!(driver.check(), Ok(()));
    });
}

/// What is dropped before the device comes to it is there for it all the same.
#[test]
fn memory_is_given_back_in_the_order_of_the_stream() {
    alone(&[BEHIND], || {
        let mut driver = CudaDriver::open(0).unwrap();
        let kept = driver.alloc(4 * 3).unwrap();
        for value in 1..4 {
            let mut pinned = driver.alloc_pinned(4).unwrap();
            driver.pinned(&mut pinned).copy_from_slice(&bytes(&[value]));
            driver.upload(&pinned, 0..4, &kept, u64::from(value - 1) * 4);
            let data = numbers(&mut driver, &counted(3));
            step(&mut driver, &data, 3, 2);
            drop(data);
        }
        assert_eq!(read(&mut driver, &kept, 3), [1, 2, 3]);
        assert_eq!(driver.check(), Ok(()));
    });
}

fn memory_is_counted() {
    let mut driver = CudaDriver::open(0).unwrap();
    let all = driver.free();
    assert_eq!(all, 16 * MIB as u64);
    let one = driver.alloc(3 * MIB).unwrap();
    assert_eq!(driver.free(), 13 * MIB as u64);
    // Too much is refused, and nothing is lost by it.
    let needed = 14 * MIB;
    assert_eq!(driver.alloc(needed).err(), Some(DriverError::Memory { needed: needed as u64 }));
    assert_eq!(driver.check(), Ok(()));
    assert_eq!(driver.free(), 13 * MIB as u64);
    let two = driver.alloc(13 * MIB).unwrap();
    assert_eq!(driver.free(), 0);
    assert_eq!(driver.alloc(1).err(), Some(DriverError::Memory { needed: 1 }));
    drop(one);
    assert_eq!(driver.free(), 3 * MIB as u64);
    drop(two);
    // The pool keeps what it has, and counts as free.
    assert_eq!(driver.free(), all);
    let whole = driver.alloc(16 * MIB).unwrap();
    assert_eq!(read(&mut driver, &whole, 2), [0, 0]);
    assert_eq!(driver.check(), Ok(()));
}

#[test]
fn memory_may_be_too_little() {
    alone(&[("FAKE_CUDA_MEMORY", "16777216")], memory_is_counted);
}

#[test]
fn memory_may_be_too_little_on_a_device_that_is_behind() {
    alone(&[("FAKE_CUDA_MEMORY", "16777216"), BEHIND], memory_is_counted);
}

/// What is left of a device after the third launch.
fn is_lost() {
    let mut driver = CudaDriver::open(0).unwrap();
    let data = numbers(&mut driver, &counted(3));
    let mut pinned = driver.alloc_pinned(4).unwrap();
    let before = driver.record();
    for _ in 0..2 {
        step(&mut driver, &data, 3, 1);
    }
    assert_eq!(read(&mut driver, &data, 3), [0, 3, 6]);
    step(&mut driver, &data, 3, 1);
    let after = driver.record();
    driver.wait(&after);
    let sentence = lost(&mut driver);
    assert!(sentence.ends_with(": CUDA_ERROR_LAUNCH_FAILED (unspecified launch failure)"), "{sentence}");
    // Nothing is done any more, and nothing panics.
    let mut untouched = [5; 4];
    driver.download(&data, 0, &mut untouched);
    assert_eq!(untouched, [5; 4]);
    driver.upload(&pinned, 0..4, &data, 0);
    driver.upload_now(&[1], &data, 0);
    driver.clear(&data, 0..4);
    step(&mut driver, &data, 3, 1);
    driver.wait(&before);
    driver.pinned(&mut pinned)[0] = 1;
    assert_eq!(lost(&mut driver), sentence);
    drop((before, after, data));
    // As long as the process lives.
    let error = CudaDriver::open(0).err().unwrap().to_string();
    assert!(error.ends_with(" failed: CUDA_ERROR_LAUNCH_FAILED (unspecified launch failure)"), "{error}");
    drop(driver);
    drop(pinned);
    assert!(CudaDriver::open(0).is_err());
    // Another device is none the worse.
    let mut other = CudaDriver::open(1).unwrap();
    let data = numbers(&mut other, &counted(3));
    for _ in 0..5 {
        step(&mut other, &data, 3, 1);
    }
    assert_eq!(read(&mut other, &data, 3), [0, 6, 12]);
    assert_eq!(other.check(), Ok(()));
}

const TO_BE_LOST: [(&str, &str); 3] =
    [("FAKE_CUDA_DEVICES", "2"), ("FAKE_CUDA_LOST_AFTER", "2"), ("FAKE_CUDA_LOST_DEVICE", "0")];

#[test]
fn a_device_that_is_lost_stays_so() {
    alone(&TO_BE_LOST, is_lost);
}

#[test]
fn a_device_that_is_behind_may_be_lost_later() {
    let mut settings = TO_BE_LOST.to_vec();
    settings.push(BEHIND);
    alone(&settings, is_lost);
}

#[test]
fn a_kernel_that_fails_loses_its_device() {
    alone(&[], || {
        let mut driver = CudaDriver::open(0).unwrap();
        let data = driver.alloc(4 * 64).unwrap();
        driver.launch("probe_fault", line(1, 64), &[Arg::Address(&data, 0)]);
        assert!(lost(&mut driver).contains("CUDA_ERROR_LAUNCH_FAILED"));
    });
}

/// Several drivers on a thread, of one device and of two: each call is about its own.
#[test]
fn drivers_live_side_by_side() {
    alone(&[("FAKE_CUDA_DEVICES", "2"), BEHIND], || {
        let mut drivers = [0, 0, 1].map(|ordinal| CudaDriver::open(ordinal).unwrap());
        let data = [0, 1, 2].map(|at| {
            let driver: &mut CudaDriver = &mut drivers[at];
            numbers(driver, &counted(3))
        });
        let pinned = [0, 1, 2].map(|at: usize| drivers[at].alloc_pinned(4).unwrap());
        for by in 1..4 {
            for (driver, data) in drivers.iter_mut().zip(&data) {
                step(driver, data, 3, by);
            }
        }
        let events: Vec<_> = drivers.iter_mut().map(Driver::record).collect();
        for ((driver, data), event) in drivers.iter_mut().zip(&data).zip(&events) {
            driver.wait(event);
            assert_eq!(read(driver, data, 3), [0, 16, 32]);
            assert_eq!(driver.check(), Ok(()));
        }
        let [first, second, third] = drivers;
        drop(third);
        drop(first);
        drop((events, data, pinned));
        drop(second);
        assert_eq!(held(), 0);
    });
}

#[test]
fn devices_work_on_threads_of_their_own() {
    alone(&[("FAKE_CUDA_DEVICES", "2")], || {
        let work = |ordinal: u32| {
            let mut driver = CudaDriver::open(ordinal).unwrap();
            let data = numbers(&mut driver, &counted(700));
            for _ in 0..20 {
                step(&mut driver, &data, 700, 1);
            }
            let expected: Vec<_> = counted(700).iter().map(|number| number * 21).collect();
            assert_eq!(read(&mut driver, &data, 700), expected);
            assert_eq!(driver.check(), Ok(()));
        };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || work(thread % 2));
            }
        });
        assert_eq!(held(), 0);
    });
}

/// Memory, pinned memory and events hold the stream; whichever goes last, all is given back, and what was queued has
/// found it. A device that it had not would be lost.
#[test]
fn everything_is_given_back() {
    alone(&[BEHIND], || {
        for last in 0..4 {
            let mut driver = CudaDriver::open(0).unwrap();
            let data = numbers(&mut driver, &counted(3));
            let pinned = driver.alloc_pinned(4).unwrap();
            driver.upload(&pinned, 0..4, &data, 0);
            step(&mut driver, &data, 3, 1);
            let event = driver.record();
            assert!(held() >= 6);
            let (mut driver, mut data, mut pinned, mut event) =
                (Some(driver), Some(data), Some(pinned), Some(event));
            for turn in last + 1..last + 5 {
                assert!(held() > 0);
                match turn % 4 {
                    0 => drop(driver.take()),
                    1 => drop(data.take()),
                    2 => drop(pinned.take()),
                    _ => drop(event.take()),
                }
            }
            assert_eq!(held(), 0);
        }
        // Nor does one that cannot be opened hold anything.
        assert!(CudaDriver::open(1).is_err());
        assert_eq!(held(), 0);
    });
}
