//! Arrays that numpy wrote (`tests/npy/make.py`), and arrays that nobody should have written.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{Kind, NpyFile};

fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npy").join(format!("{name}.npy"))
}

fn open(name: &str) -> NpyFile {
    NpyFile::open(&made(name)).unwrap()
}

/// Logits `[2][3][2][2]` that say where they stand, records 1 and 2, laid out `[record][query][class][shadow]`.
fn ramp() -> Vec<f64> {
    let mut values = Vec::new();
    for (record, query, class) in (1..3).flat_map(|r| (0..4).map(move |i| (r, i / 2, i % 2))) {
        values.extend((0..2).map(|shadow| f64::from(shadow * 1000 + record * 100 + query * 10 + class)));
    }
    values
}

#[test]
fn order_and_precision_do_not_matter() {
    for name in ["logits-f8", "logits-f4-fortran", "logits-f4-big-v2"] {
        let file = open(name);
        assert_eq!(file.shape(), [2, 3, 2, 2], "{name}");
        let (mut raw, mut wide, mut narrow) = (Vec::new(), vec![0f64; 16], vec![0f32; 16]);
        file.read_floats(1..3, &mut raw, &mut wide).unwrap();
        assert_eq!(wide, ramp(), "{name}");
        file.read_floats(1..3, &mut raw, &mut narrow).unwrap();
        assert_eq!(narrow, ramp().iter().map(|&x| x as f32).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn half_precision_is_exact() {
    // Of [2][5], column by column.
    let mut values = [0f64; 10];
    open("halves-f2").read_floats(0..5, &mut Vec::new(), &mut values).unwrap();
    let rows: [Vec<f64>; 2] = [0, 1].map(|row| values.iter().skip(row).step_by(2).copied().collect());
    assert_eq!(rows[0], [0.0, -0.0, 1.0, -2.5, 65504.0]);
    assert!(rows[0][1].is_sign_negative());
    // The nearest multiples of 2^-24.
    assert_eq!(rows[1][..2], [1.0 / 16_777_216.0, 1023.0 / 16_777_216.0]);
    assert_eq!(rows[1][2..4], [f64::INFINITY, f64::NEG_INFINITY]);
    assert!(rows[1][4].is_nan());
}

#[test]
fn whole_numbers_truths_and_texts_are_read() {
    let integers = |name: &str| {
        let file = open(name);
        let mut found = vec![String::new(); file.shape().iter().product()];
        file.for_each_integer(|place, number| {
            found[place] = file.spell(number);
            Ok(())
        })
        .unwrap();
        found
    };
    assert_eq!(integers("labels-i2-big-fortran"), ["-3", "-2", "-1", "0", "1", "2"]);
    assert_eq!(integers("units-u8"), ["0", "9223372036854775808", "18446744073709551615"]);
    assert_eq!(integers("bool-fortran"), ["1", "0", "1", "0", "0", "1"]);
    let mut columns = [9; 4];
    open("bool-fortran").read_bytes(1..3, &mut Vec::new(), &mut columns).unwrap();
    assert_eq!(columns, [0, 0, 1, 1]);

    let texts = |name: &str| {
        let mut found = Vec::new();
        open(name)
            .for_each_text(|_, text| {
                found.push(text.to_owned());
                Ok::<_, super::NpyError>(())
            })
            .unwrap();
        found
    };
    assert_eq!(texts("names-unicode-v3"), ["Müller", "", "患者 7"]);
    assert_eq!(texts("names-bytes"), ["p-1", "patient-2", ""]);
    assert_eq!(open("names-unicode-v3").dtype().kind, Kind::Unicode);
    assert_eq!(open("scalar").shape(), [] as [usize; 0]);
}

/// A file of version 1 with a header's text and so many bytes of data.
fn forged(text: &str, data: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    fs::write(&path, bytes).unwrap();
    let message = NpyFile::open(&path).unwrap_err().to_string();
    message.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
}

#[test]
fn what_cannot_be_read_is_one_sentence_with_the_remedy() {
    for (name, part) in [
        ("objects", "it holds Python objects"),
        ("fields", "it holds records of several fields"),
        ("complex", "it holds items of the type '<c8'; save numbers"),
        ("absent", "cannot be read"),
    ] {
        let message = NpyFile::open(&made(name)).unwrap_err().to_string();
        assert!(message.contains(part) && !message.contains('\n'), "{message}");
    }
    let said = |text: &str, data| refusal(&forged(text, data));
    let header = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let cases = [
        (said(&header("3,"), 8), "its header promises 12 bytes of data, the file holds 8: it was cut off"),
        (said(&header("3,"), 13), "1 bytes follow its array"),
        (said(&header("4294967296, 4294967296"), 8), "its header promises an array larger than any file"),
        (said(&header("0, 4294967296, 4294967296"), 0), "its header promises an array larger than any file"),
        (said(&header("9000000000"), 8), "its header promises 36000000000 bytes of data, the file holds 8"),
        (said(&header("-1"), 8), "its header is garbled at '-1"),
        (said(&header("1,1,1,1,1,1,1,1,1"), 4), "it has more than 8 axes"),
        (said("{'descr': '<f4', 'shape': (1,)}", 4), "its header lacks one of descr"),
        (said("{'descr': '<f4', 'descr': '<f4'}", 4), "its header says 'descr' twice"),
        (said("{'descr': '<U0', }", 0), "its texts have no characters"),
        (said("{'descr': '<U9999', }", 0), "its texts have room for 39996 bytes"),
        (said("{'descr': '\u{1b}[2J'}", 0), "it holds items of the type '\u{fffd}[2J'"),
        (refusal(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), "its header claims to be 4294967295 bytes long"),
        (refusal(b"\x93NUMPY\x01\x00\xff\x00{}"), "it ends within its header"),
        (refusal(b"\x93NUMPY\x09\x00\x02\x00{}"), "it is of NPY version 9"),
        (refusal(b"PK\x03\x04 and so on"), "it is an NPZ archive"),
        (refusal(b""), "it is not an NPY file"),
        (refusal(b"\x93NUMPY\x01"), "it is not an NPY file"),
    ];
    for (message, part) in cases {
        assert!(message.starts_with(part) && !message.contains(['\n', '\u{1b}']), "{message}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(NpyFile::open(folder.path()).unwrap_err().to_string().contains("it is not a file"));
}

/// Everything that can be done with whatever opens.
fn use_up(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    fs::write(&path, bytes).unwrap();
    let Ok(file) = NpyFile::open(&path) else { return };
    let (dtype, shape) = (file.dtype(), file.shape().to_vec());
    if dtype.is_integer() {
        let _ = file.for_each_integer(|_, _| Ok(()));
    }
    if dtype.is_text() {
        let _ = file.for_each_text(|_, _| Ok::<_, super::NpyError>(()));
    }
    let items: usize = shape.iter().product();
    if dtype.kind == Kind::Float && shape.len() >= 2 {
        let _ = file.read_floats(0..shape[1], &mut Vec::new(), &mut vec![0f64; items]);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        use_up(&bytes);
        use_up(&[b"\x93NUMPY\x01\x00", &bytes[..]].concat());
    }

    #[test]
    fn no_change_of_an_array_makes_the_reader_panic(
        which in 0usize..6, at in 0usize..400, byte in any::<u8>(), cut in 0usize..400,
    ) {
        let names = ["logits-f8", "logits-f4-fortran", "labels-i2-big-fortran", "names-unicode-v3", "names-bytes",
            "bool-fortran"];
        let mut bytes = fs::read(made(names[which])).unwrap();
        bytes.truncate(bytes.len().saturating_sub(cut / 8));
        if let Some(target) = bytes.get_mut(at) {
            *target = byte;
        }
        use_up(&bytes);
    }
}
