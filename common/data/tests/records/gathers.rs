//! Batches are the same from memory and from the file.

use tempfile::TempDir;
use umbra_data::gather::Gather;
use umbra_data::{Dataset, write_atomically};

use crate::files::{i16s, npy, npz, u8s};
use crate::import;

/// A set of 60 records of 3 leads and 5 points, in a file, stored as one of the types.
fn set(folder: &TempDir, number: &str) -> Dataset {
    let path = folder.path().join("a.npz");
    let shape = [60, 5, 3];
    let values = (0..900i64).map(|i| (i * i * 7 + 3 * i) % 251 - if number == "u8" { 0 } else { 120 });
    let data = match number {
        "u8" => u8s(&shape, &values.map(|x| x as u8).collect::<Vec<_>>()),
        "i16" => i16s(&shape, &values.map(|x| x as i16).collect::<Vec<_>>()),
        _ => npy("<f4", false, &shape, values.flat_map(|x| (x as f32 / 7.0).to_le_bytes())),
    };
    let labels: Vec<u8> = (0..60).map(|i| i % 2).collect();
    npz(&path, &[("x", data), ("labels", u8s(&[60], &labels))]);
    let schema = "kind = \"array\"\ndata = \"x\"\nlayout = \"TC\"\n";
    let file = folder.path().join("set");
    write_atomically(&file, &import(&path, schema).unwrap().bytes).unwrap();
    Dataset::open(file).unwrap()
}

#[test]
fn resident_and_streamed_batches_have_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for number in ["u8", "i16", "f32"] {
        let set = set(&folder, number);
        let mut resident = Gather::resident(&set);
        let mut streamed = Gather::streamed(&set).unwrap();
        assert_eq!((resident.features(), resident.number().name()), (15, streamed.number().name()));
        let batches: [&[u32]; 5] = [&[3, 4, 5, 59, 0], &[7], &[], &[9, 9, 8, 10], &[0, 1, 2]];
        for gather in [&mut resident, &mut streamed] {
            batches[..2].iter().for_each(|rows| gather.announce(rows));
        }
        for (i, rows) in batches.iter().enumerate() {
            let pitch = 15 + i;
            let (mut one, mut other) = (vec![7.0; 5 * pitch], vec![7.0; 5 * pitch]);
            assert_eq!(resident.take(pitch, &mut one).unwrap(), rows.len());
            assert_eq!(streamed.take(pitch, &mut other).unwrap(), rows.len());
            let bits = |batch: &[f32]| batch.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&one), bits(&other), "{number} {i}");
            let mut direct = vec![0.0; rows.len() * 15];
            set.gather(rows, &mut direct);
            for (row, expected) in one.chunks(pitch).zip(direct.chunks(15)) {
                assert_eq!(&row[..15], expected);
                assert!(row[15..].iter().all(|&x| x == 7.0));
            }
            if let Some(next) = batches.get(i + 2) {
                resident.announce(next);
                streamed.announce(next);
            }
        }
        assert_eq!(streamed.take(15, &mut []).unwrap(), 0, "nothing was announced");
        let row = 15 * set.values().number().bytes();
        let (mut one, mut other) = (vec![0; 3 * row], vec![1; 3 * row]);
        for gather in [&mut resident, &mut streamed] {
            gather.announce(&[5, 40, 2]);
        }
        assert_eq!(resident.take_stored(&mut one).unwrap(), 3);
        assert_eq!(streamed.take_stored(&mut other).unwrap(), 3);
        assert_eq!(one, other);
        streamed.announce(&[1]);
    }
}

#[test]
fn a_file_that_ends_early_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let set = set(&folder, "i16");
    let mut streamed = Gather::streamed(&set).unwrap();
    std::fs::OpenOptions::new().write(true).open(folder.path().join("set")).unwrap().set_len(600).unwrap();
    streamed.announce(&[50]);
    let error = streamed.take(15, &mut [0.0; 15]).unwrap_err();
    assert!(error.to_string().starts_with("the data set: cannot be read: "), "{error}");
}
