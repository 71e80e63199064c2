//! Images and WFDB records that Pillow and the `wfdb` package wrote and read (`reference/files.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tempfile::TempDir;
use umbra_data::{Dataset, Form, Values};

use crate::{import, open};

#[derive(Deserialize)]
struct Reference {
    images: BTreeMap<String, Image>,
    records: BTreeMap<String, Record>,
}

#[derive(Deserialize)]
struct Image {
    grey: Vec<u8>,
    colour: Vec<u8>,
    resized: Vec<u8>,
}

#[derive(Deserialize)]
struct Record {
    digital: Vec<[i32; 3]>,
    gain: [f64; 3],
    baseline: [f64; 3],
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../reference/files.json")).unwrap()
}

/// The reference's files of one kind, copied, with a manifest beside them.
pub fn copied(kind: &str, extension: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(kind);
    std::fs::create_dir(folder.path().join(kind)).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        std::fs::copy(entry.path(), folder.path().join(kind).join(&name)).unwrap();
        names.push(name);
    }
    names.sort();
    let manifest = folder.path().join("m.csv");
    let rows = names.iter().filter(|name| name.ends_with(extension) || extension.is_empty()).enumerate();
    let rows = rows.map(|(i, name)| {
        let stem = if extension.is_empty() { name } else { name.strip_suffix(extension).unwrap() };
        format!("{kind}/{stem},{},p{},x\n", i % 2, i / 2)
    });
    std::fs::write(&manifest, format!("path,y,who,site\n{}", rows.collect::<String>())).unwrap();
    (folder, manifest)
}

/// The records of a set by their row in the manifest.
fn by_row<T: Copy>(set: &Dataset, values: &[T]) -> Vec<Vec<T>> {
    let width = set.shape().features as usize;
    let mut rows: Vec<_> = set.source_rows().iter().zip(values.chunks(width)).collect();
    rows.sort_by_key(|(row, _)| **row);
    rows.into_iter().map(|(_, values)| values.to_vec()).collect()
}

fn pixels(set: &Dataset) -> Vec<Vec<u8>> {
    let Values::U8(values) = set.values() else { panic!() };
    by_row(set, values)
}

const IMAGES: &str = "kind = \"images\"\nlabel = \"y\"\nunit = \"who\"\ngroups = [\"site\"]\n";

#[test]
fn images_are_read_as_pillow_reads_them() {
    let (_folder, manifest) = copied("images", "");
    let reference = reference();
    let largest = |one: &[u8], other: &[u8]| one.iter().zip(other).map(|(a, b)| a.abs_diff(*b)).max();
    type Wanted = fn(&Image) -> &[u8];
    let grey: Wanted = |image| &image.grey;
    let colour: Wanted = |image| &image.colour;
    let resized: Wanted = |image| &image.resized;
    for (keys, form, wanted) in [
        ("channels = 1\n", (24, 18, 1), grey),
        ("channels = 3\n", (24, 18, 3), colour),
        ("channels = 3\nsize = [9, 7]\n", (9, 7, 3), resized),
    ] {
        let set = open(&import(&manifest, &format!("{IMAGES}{keys}")).unwrap());
        let (height, width, channels) = form;
        assert_eq!(set.shape().form, Form::Image { height, width, channels });
        assert_eq!((set.shape().units, set.attributes()[0].levels.len()), (4, 1));
        for ((name, image), found) in reference.images.iter().zip(pixels(&set)) {
            let wanted = wanted(image);
            assert_eq!(found.len(), wanted.len());
            // JPEG decoders differ in their rounding, and so do filters.
            let most = match (name.ends_with("jpg"), height) {
                (false, 24) => 0,
                (false, _) => 1,
                (true, _) => 6,
            };
            let found = largest(&found, wanted).unwrap();
            assert!(found <= most, "{name} {keys:?}: {found}");
        }
    }
    let first = import(&manifest, IMAGES).unwrap();
    assert_eq!(open(&first).shape().form, Form::Image { height: 24, width: 18, channels: 3 });
}

const WFDB: &str = "kind = \"wfdb\"\nlabel = \"y\"\nunit = \"who\"\nsamples = 60\n";

#[test]
fn wfdb_records_are_read_as_the_wfdb_package_reads_them() {
    let (_folder, manifest) = copied("wfdb", ".hea");
    let set = open(&import(&manifest, &format!("{WFDB}normalize = \"scale\"\n")).unwrap());
    assert_eq!(set.shape().form, Form::Signal { samples: 60, leads: 3 });
    let names: Vec<_> = set.description().channels.iter().map(|lead| (lead.name.as_str(), lead.sd)).collect();
    assert_eq!(names, [("I", 1000.0), ("II", 1000.0), ("V1", 1000.0)]);
    let mut physical = vec![0.0; 180];
    for (i, record) in reference().records.values().enumerate() {
        let place = set.source_rows().iter().position(|&row| row == i as u64).unwrap();
        set.gather(&[place as u32], &mut physical);
        for (time, digital) in record.digital[..60].iter().enumerate() {
            for lead in 0..3 {
                let expected = (f64::from(digital[lead]) - record.baseline[lead]) / record.gain[lead];
                let found = f64::from(physical[time * 3 + lead]);
                // The coarser gains are brought to 1000 a millivolt.
                assert!((found - expected).abs() < 0.000_51, "{i} {time} {lead}: {found} {expected}");
            }
        }
    }
    let two = open(&import(&manifest, &format!("{WFDB}leads = [\"V1\", \"I\"]\n")).unwrap());
    assert_eq!(two.shape().form, Form::Signal { samples: 60, leads: 2 });
    let Values::I16(all) = set.values() else { panic!() };
    let Values::I16(some) = two.values() else { panic!() };
    let (all, some) = (by_row(&set, all), by_row(&two, some));
    for (all, some) in all.iter().zip(&some) {
        assert!(all.chunks(3).zip(some.chunks(2)).all(|(all, some)| all[2] == some[0] && all[0] == some[1]));
    }
}
