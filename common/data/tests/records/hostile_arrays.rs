//! Arrays that are not what they say.

use crate::files::{npy, npz, u8s};
use crate::refused;

/// The arrays of a file, and how their refusal begins.
type Case<'a> = (Vec<(&'a str, Vec<u8>)>, &'a str);

const PLAIN: &str = "kind = \"array\"\n";

#[test]
fn wrong_arrays_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let images = || ("images", u8s(&[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]));
    let labels = || ("labels", u8s(&[2], &[0, 1]));
    let floats =
        |values: [f32; 8]| npy("<f4", false, &[2, 2, 2], values.into_iter().flat_map(f32::to_le_bytes));
    let cases: Vec<Case<'_>> = vec![
        (
            vec![labels()],
            "S.toml:1: data: a.npz has no array \"images\"; name the array of the records with data = \"...\": it has labels",
        ),
        (vec![images()], "S.toml:1: label: a.npz has no column \"labels\"; it has images"),
        (
            vec![images(), ("labels", u8s(&[3], &[0, 1, 1]))],
            "a.npz: array \"labels\": 3 rows for 2 records: one row a record",
        ),
        (
            vec![images(), ("labels", u8s(&[2], &[1, 1]))],
            "a.npz: column \"labels\": every row has the label \"1\": an audit",
        ),
        (
            vec![("images", npy("|O", false, &[2], [0; 16])), labels()],
            "a.npz: array \"images\": it holds Python objects, which are not read",
        ),
        (
            vec![("images", npy("<U2", false, &[2, 2, 2], [0; 64])), labels()],
            "a.npz: array \"images\": text of 2 characters: records are numbers",
        ),
        (
            vec![("images", u8s(&[2, 8], &[0; 16])), labels()],
            "a.npz: every channel is the same number in all records",
        ),
        (
            vec![("images", u8s(&[2, 1, 2, 2, 1], &[0; 8])), labels()],
            "a.npz: array \"images\", uint8 of shape (2, 1, 2, 2, 1): it has more axes",
        ),
        (
            vec![("images", u8s(&[2], &[0; 2])), labels()],
            "a.npz: array \"images\", uint8 of shape (2): it has one axis",
        ),
        (vec![("images", u8s(&[], &[0])), labels()], "a.npz: array \"images\": a single number"),
        (
            vec![("images", u8s(&[0, 2, 2], &[])), labels()],
            "a.npz: array \"images\": there are no records in it",
        ),
        (
            vec![("images", u8s(&[2, 0, 2], &[])), labels()],
            "a.npz: array \"images\", uint8 of shape (2, 0, 2): an axis of it is empty",
        ),
        (
            vec![("images", u8s(&[1 << 40, 1 << 30], &[0; 9])), labels()],
            "a.npz: array \"images\": its header promises an array larger than any file",
        ),
        (
            vec![("images", u8s(&[2, 2, 3], &[0; 8])), labels()],
            "a.npz: array \"images\": its header promises 12 bytes of data, the file holds 8",
        ),
        (
            vec![("images", u8s(&[2, 2, 1], &[0; 8])), labels()],
            "a.npz: array \"images\": 4 bytes follow its array",
        ),
        (
            vec![("images", floats([1.0, 2.0, 3.0, 4.0, 5.0, f32::NAN, 7.0, 8.0])), labels()],
            "a.npz: row 2: NaN is no number of single precision",
        ),
        (
            vec![("images", floats([f32::NEG_INFINITY; 8])), labels()],
            "a.npz: row 1: -inf is no number of single precision",
        ),
        (
            vec![("images", npy("<i4", false, &[2, 1, 1], [1, 0, 0, 2, 1, 0, 0, 0])), labels()],
            "a.npz: row 1: 33554433 is not exact in single precision",
        ),
        (
            vec![
                images(),
                (
                    "labels",
                    npy("<f4", false, &[2], [f32::INFINITY; 2].into_iter().flat_map(f32::to_le_bytes)),
                ),
            ],
            "a.npz: array \"labels\": infinity is not a number",
        ),
        (
            vec![images(), ("labels", npy("<u8", false, &[2], [255; 16]))],
            "a.npz: array \"labels\": 18446744073709551615 is above",
        ),
        (
            vec![("train_images", images().1), ("val_images", u8s(&[1, 2, 3], &[0; 6])), labels()],
            "a.npz: array \"val_images\" is uint8 of shape (1, 2, 3), but array \"train_images\" is",
        ),
    ];
    for (arrays, expected) in cases {
        npz(&path, &arrays);
        let found = refused(&path, PLAIN);
        assert!(found.starts_with(expected), "{found}\n instead of {expected}");
        assert_eq!(
            found.lines().count(),
            if expected.starts_with("a.npz: row 1: -inf") { 2 } else { 1 },
            "{found}"
        );
    }
    npz(&path, &[images(), ("labels", u8s(&[2, 2], &[0, 1, 1, 0]))]);
    let unit = refused(&path, "kind = \"array\"\nlabel = \"labels\"\nlayout = \"T\"\n");
    assert!(unit.contains("layout \"T\" has 1 axes after that of the records, the array has 2"), "{unit}");
    let plain = folder.path().join("x.npy");
    std::fs::write(&plain, images().1).unwrap();
    let none = refused(&plain, PLAIN);
    assert!(none.starts_with("S.toml:1: label: x.npy has no column \"labels\""), "{none}");
    let pair = refused(&path, "kind = \"array\"\nlayout = \"HW\"\nnormalize = [0, 1, 0, 1]\n");
    assert!(
        pair.starts_with("S.toml:3: normalize: 2 pairs of mean and standard deviation for 1 channels"),
        "{pair}"
    );
}

#[test]
fn archives_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    npz(&path, &[("images", u8s(&[2, 20, 20], &[7; 800])), ("labels", u8s(&[2], &[0, 1]))]);
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(5) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let found = refused(&path, PLAIN);
        assert!(found.starts_with("a.npz: "), "{length}: {found}");
    }
    std::fs::write(&path, b"PK\x03\x04 and nothing more").unwrap();
    assert_eq!(refused(&path, PLAIN), "a.npz: the archive is damaged or cut short: fetch or save it again");
    assert!(refused(folder.path(), PLAIN).ends_with("this is not a file: name an NPZ or NPY file"));
    // One bit of the packed pixels.
    let mut flipped = whole.clone();
    flipped[60] ^= 4;
    std::fs::write(&path, &flipped).unwrap();
    assert!(refused(&path, PLAIN).contains("array \"images\": "));
    // Sizes in the directory at the end: far more than is packed, and less.
    let at = whole.windows(4).position(|window| window == b"PK\x01\x02").unwrap() + 24;
    for (size, expected) in [
        (400_000_000u32, "times larger than it is packed"),
        (u32::MAX - 1, "times larger than it is packed"),
        (300, "array \"images\": "),
    ] {
        let mut lying = whole.clone();
        lying[at..at + 4].copy_from_slice(&size.to_le_bytes());
        std::fs::write(&path, &lying).unwrap();
        let found = refused(&path, PLAIN);
        assert!(found.contains(expected), "{size}: {found}");
    }
}

#[test]
fn two_arrays_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    npz(&path, &[("images", u8s(&[2, 2], &[1, 2, 3, 4])), ("imagez", u8s(&[2], &[0, 1]))]);
    let renamed: Vec<u8> = std::fs::read(&path).unwrap();
    let mut renamed = renamed;
    for at in 0..renamed.len() - 6 {
        if &renamed[at..at + 6] == b"imagez" {
            renamed[at + 5] = b's';
        }
    }
    std::fs::write(&path, &renamed).unwrap();
    assert_eq!(
        refused(&path, PLAIN),
        "a.npz: two arrays of the archive have one name: save it again with numpy.savez"
    );
}
