//! Arrays of every layout, and what follows from them.

use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;
use umbra_data::{Dataset, Form, Labels, Targets, Values};

use crate::files::{i16s, npy, npz, u8s};
use crate::{import, open, refused};

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    (folder, path)
}

/// Three records of two leads and four points: lead, then time.
const LEADS: [i16; 24] = [
    0, 1, 2, 3, 10, 11, 12, 13, //
    20, 21, 22, 23, 30, 31, 32, 33, //
    -40, 41, 42, 43, 50, 51, 52, 32767,
];
const SCHEMA: &str = "kind = \"array\"\ndata = \"x\"\nlayout = \"CT\"\nlabel = \"y\"\nunit = \"u\"\n";

fn stored(set: &Dataset) -> Vec<i16> {
    let Values::I16(values) = set.values() else { panic!() };
    values.to_vec()
}

#[test]
fn every_order_of_axes_and_bytes_is_one_set() {
    let (_folder, path) = place();
    let y = || ("y", u8s(&[3], &[0, 1, 1]));
    let u = || ("u", i16s(&[3], &[7, 5, 7]));
    npz(&path, &[("x", i16s(&[3, 2, 4], &LEADS)), y(), u()]);
    let plain = import(&path, SCHEMA).unwrap();
    let set = open(&plain);
    assert_eq!(set.shape().form, Form::Signal { samples: 4, leads: 2 });
    // Patient 5 first; then those of 7, by label.
    let expected =
        [20, 30, 21, 31, 22, 32, 23, 33, 0, 10, 1, 11, 2, 12, 3, 13, -40, 50, 41, 51, 42, 52, 43, 32767];
    assert_eq!(stored(&set), expected);
    assert_eq!(set.source_rows(), [1, 0, 2]);
    assert_eq!(set.unit_names().collect::<Vec<_>>(), ["5", "7"]);
    assert_eq!(plain.class_counts, [1, 2]);

    let at = |record: usize, lead: usize, time: usize| LEADS[(record * 2 + lead) * 4 + time];
    let fortran = (0..24).flat_map(|i| at(i % 3, i / 3 % 2, i / 6).to_le_bytes());
    let big = LEADS.iter().flat_map(|x| x.to_be_bytes());
    let time_first = (0..24).flat_map(|i| at(i / 8, i % 2, i / 2 % 4).to_le_bytes());
    for (array, layout) in [
        (npy("<i2", true, &[3, 2, 4], fortran), "CT"),
        (npy(">i2", false, &[3, 2, 4], big), "CT"),
        (npy("<i2", false, &[3, 4, 2], time_first), "TC"),
    ] {
        npz(&path, &[("x", array), u(), y()]);
        let other = import(&path, &SCHEMA.replace("CT", layout)).unwrap();
        assert_eq!(other.digest, plain.digest, "{layout}");
        assert_eq!(other.bytes, plain.bytes);
    }
    npz(&path, &[("x", i16s(&[3, 4, 2], &LEADS)), u(), y()]);
    assert_ne!(import(&path, &SCHEMA.replace("CT", "TC")).unwrap().digest, plain.digest);
    let scaled = import(&path, &format!("{}normalize = \"none\"\n", SCHEMA.replace("CT", "TC"))).unwrap();
    let identity = open(&scaled);
    assert!(identity.normalisation().is_identity());
    let mut row = [0.0; 8];
    identity.gather(&[1], &mut row);
    assert_eq!(row, [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0]);
}

#[test]
fn form_number_and_normalisation_are_content() {
    let (_folder, path) = place();
    let pixels: Vec<u8> = (0..24).collect();
    let y = || ("labels", u8s(&[2, 1], &[0, 1]));
    npz(&path, &[("images", u8s(&[2, 2, 2, 3], &pixels)), y()]);
    let digest = |schema: &str| import(&path, &format!("kind = \"array\"\n{schema}")).unwrap().digest;
    let all = [
        digest(""),
        digest("layout = \"CHW\"\n"),
        digest("normalize = \"none\"\n"),
        digest("normalize = \"scale\"\n"),
        digest("normalize = [127.5, 127.5]\n"),
        digest("channel_names = [\"a\", \"b\", \"c\"]\n"),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(all[i + 1..].iter().all(|other| other != one), "{i}");
    }
    let floats = pixels.iter().flat_map(|&x| f32::from(x).to_le_bytes());
    npz(&path, &[("images", npy("<f4", false, &[2, 2, 2, 3], floats)), y()]);
    assert!(!all.contains(&import(&path, "kind = \"array\"\n").unwrap().digest));
}

#[test]
fn several_labels_may_be_unknown() {
    let (_folder, path) = place();
    let images: Vec<u8> = (0..12).collect();
    let labels = [1, 0, 255, 0, 1, 1, 1, 255, 255];
    npz(&path, &[("images", u8s(&[3, 2, 2], &images)), ("labels", u8s(&[3, 3], &labels))]);
    let imported = import(&path, "kind = \"array\"\n").unwrap();
    let set = open(&imported);
    assert_eq!((set.shape().targets, set.shape().classes), (Targets::Labels, 3));
    assert_eq!(set.class_names(), ["labels[0]", "labels[1]", "labels[2]"]);
    assert_eq!(imported.class_counts, [2, 1, 1]);
    let Labels::Several { labels: found, count: 3 } = set.labels() else { panic!() };
    for (record, &row) in set.source_rows().iter().enumerate() {
        assert_eq!(found[record * 3..][..3], labels[row as usize * 3..][..3]);
    }
    let one_sided = "label \"labels[2]\" is 1 in every record in which it is known: nothing is learned of it";
    assert_eq!(imported.warnings, [one_sided]);
    npz(
        &path,
        &[("images", u8s(&[3, 2, 2], &images)), ("labels", u8s(&[3, 3], &[0, 1, 2, 0, 1, 2, 0, 1, 2]))],
    );
    let wrong = refused(&path, "kind = \"array\"\n");
    let start =
        "a.npz: column \"labels[2]\", row 1: 2 is no label of several (and 2 more rows): write 1 where";
    assert!(wrong.starts_with(start) && wrong.lines().count() == 1, "{wrong}");
}

#[test]
fn labels_of_a_table_may_be_several_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "x,a,b\n1,1,0\n2,0,\n3,,-1\n").unwrap();
    let set = open(&import(&path, "kind = \"table\"\nlabel = [\"a\", \"b\"]\n").unwrap());
    assert_eq!(
        (set.class_names(), set.feature_names()),
        (&["a".to_owned(), "b".into()][..], &["x".to_owned()][..])
    );
    let Labels::Several { labels, .. } = set.labels() else { panic!() };
    let mut rows: Vec<(u64, &[u8])> = set.source_rows().iter().copied().zip(labels.chunks(2)).collect();
    rows.sort_unstable();
    assert_eq!(rows, [(0, &[1, 0][..]), (1, &[0, 255]), (2, &[255, 255])]);
}

#[test]
fn attributes_come_from_a_table_beside() {
    let (folder, path) = place();
    npz(&path, &[("x", i16s(&[3, 4], &LEADS[..12])), ("u", i16s(&[3], &[1, 2, 3]))]);
    std::fs::write(folder.path().join("x.csv"), "y,sex,other\nno,m,1\nyes,,2\nno,f,3\n").unwrap();
    let schema = "kind = \"array\"\ndata = \"x\"\nlabel = \"y\"\nunit = \"u\"\ngroups = [\"sex\"]\nattributes = \"x.csv\"\n";
    let set = open(&import(&path, schema).unwrap());
    assert_eq!(set.class_names(), ["no", "yes"]);
    assert_eq!(set.attributes()[0].values, [Some(1), None, Some(0)]);
    std::fs::write(folder.path().join("x.csv"), "y,sex\nno,m\nyes,\n").unwrap();
    assert_eq!(refused(&path, schema), "x.csv: 2 rows for 3 records: one row a record, in their order");
    std::fs::write(folder.path().join("x.csv"), "yy,sex\nno,m\nyes,\nno,m\n").unwrap();
    let wrong = refused(&path, &schema.replace("\"sex\"", "\"sx\""));
    let expected = [
        "S.toml:3: label: a.npz has no column \"y\"; it has yy, sex, x, u",
        "S.toml:5: groups[0]: a.npz has no column \"sx\"; did you mean \"sex\"?",
    ];
    assert_eq!(wrong.lines().collect::<Vec<_>>(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn shuffled_records_are_the_same_set(
        records in prop::collection::vec((0u8..4, 0u8..2, prop::array::uniform4(0u8..3)), 3..12),
        order in any::<[u64; 12]>(),
        with_unit in any::<bool>(),
    ) {
        let (_folder, path) = place();
        let write = |records: &[(u8, u8, [u8; 4])]| {
            let labels: Vec<u8> = records.iter().map(|record| record.1).collect();
            let units: Vec<u8> = records.iter().map(|record| record.0).collect();
            let pixels: Vec<u8> = records.iter().flat_map(|record| record.2).collect();
            let shape = [records.len()];
            npz(&path, &[
                ("images", u8s(&[records.len(), 2, 2], &pixels)),
                ("labels", u8s(&shape, &labels)),
                ("unit", u8s(&shape, &units)),
            ]);
        };
        let schema = if with_unit { "kind = \"array\"\nunit = \"unit\"\n" } else { "kind = \"array\"\n" };
        write(&records);
        let one = import(&path, schema);
        let mut places: Vec<usize> = (0..records.len()).collect();
        places.sort_by_key(|&place| order[place]);
        write(&places.iter().map(|&place| records[place]).collect::<Vec<_>>());
        match (one, import(&path, schema)) {
            (Ok(one), Ok(other)) => {
                prop_assert_eq!(one.digest, other.digest);
                prop_assert_eq!(&one.warnings, &other.warnings);
                let (one, other) = (open(&one), open(&other));
                prop_assert_eq!(one.values(), other.values());
                prop_assert_eq!(one.labels(), other.labels());
            }
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }
}
